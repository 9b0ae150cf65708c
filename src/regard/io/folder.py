'''Any video with plain tables beside it: the layout to use for recordings of a device that has no reader of its own.

    kitchen/                 regard.open("kitchen")
    ├── video.mp4            the only video in the folder, whatever its name
    ├── gaze.csv             optional: where the wearer looked
    ├── labels.csv           optional: labelled stretches of time
    ├── faces.csv            optional: people in view, and whether they look at the wearer
    └── camera.json          optional: the scene camera, for angles in degrees

A video file alone opens too. Given as a file, `walk.mp4` takes its gaze from `walk.gaze.csv` where that exists, and
so with `walk.labels.csv`, `walk.faces.csv` and `walk.camera.json`; else from the plain names beside it, unless other
videos share the folder.

Every table is comma-separated UTF-8 text with one header line; columns are found by name, in any order, and columns
not named here are ignored. Every `..._s` is in seconds from the presentation time of the video's first frame.

gaze.csv, one line per measurement, in time order, no time twice:

    timestamp_s,x_px,y_px,valid,confidence,gaze_state
    1.059,822.7,896.8,1,0.98,fixation
    1.064,,,0,0.00,lost

    timestamp_s          seconds
    x_px,y_px   or  x,y  pixels of the upright video, or normalised; (0, 0) is the top-left corner of the image either
                         way. Off-screen values are kept. Both empty (or nan): the gaze is lost there.
    valid                optional, 1 or 0; 0: lost, whatever the point says
    confidence           optional, 0 to 1; below `min_confidence`: lost
    gaze_state           optional: lost, tracked, fixation, saccade or pursuit; without it every valid gaze is "tracked"

labels.csv, one line per segment [start_s, end_s), in any order; segments may overlap:

    start_s,end_s,kind,name,verb,noun,action
    0.80,2.35,action,take cup,0,3,7

    kind                 what the segment is about: "action", "untracked", "clip", ...
    name                 free text, may be empty
    every other column   a label by its own name; whole numbers counted from 0, empty where the segment has none.
                         A column that holds anything else than whole numbers is ignored.

faces.csv, one line per person and moment; each person's times increase:

    person,timestamp_s,x0,y0,x1,y1,looking
    ann,0.000,0.61,0.20,0.70,0.38,1

    x0,y0,x1,y1          the face's box, normalised, x0 < x1 and y0 < y1
    looking              1: looks at the wearer, 0: does not, empty: unknown

camera.json: {"height": 1200, "width": 1600, "matrix": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], "distortion": [k1, ...],
"model": "pinhole"}; conventions as in `regard.types.Camera`; "distortion" and "model" may be left out.
'''
