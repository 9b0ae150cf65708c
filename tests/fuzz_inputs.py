"""Whole inputs of every kind, small, for `fuzz.py` to damage."""

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from torch import nn

import regard
from regard.io.predictions import write_prediction
from regard.io.tables import write_table
from regard.recipe.packaged import find

NUM_FRAMES, RATE_HZ, SIZE = 60, 25, (48, 64)
FIRST_NS = 1_728_546_108_163_313_160
SCENE = "Neon Scene Camera v1 ps1"
VRS = Path(os.environ.get("REGARD_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "aria_everyday"


@dataclass(frozen=True)
class Whole:
    """A folder, which file of it is damaged, what is opened, and how."""

    kind: str
    folder: Path
    victim: str
    name: str = "."
    ask: str = "recording"
    holds: str = ""
    """What can be counted in the damaged file itself: gaze lines, label lines, gaze of 8 bytes, rows."""


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))


def film(path: Path) -> Path:
    """A moving pattern with a tone, which differ from moment to moment."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    with av.open(str(path), "w") as out:
        picture = out.add_stream("libx264", rate=RATE_HZ, options={"g": "12", "bf": "2", "threads": "1"})
        picture.height, picture.width, picture.pix_fmt = *SIZE, "yuv420p"
        sound = out.add_stream("aac", rate=16_000, layout="mono")
        for k in range(NUM_FRAMES):
            rgb = [128 + 100 * np.sin((x + 3 * k) / 9), 128 + 100 * np.cos((y - 2 * k) / 7), (4 * x + 11 * k) % 256]
            frame = av.VideoFrame.from_ndarray(np.stack(rgb, axis=2).astype(np.uint8))
            out.mux(picture.encode(frame))
            heard = av.AudioFrame.from_ndarray(
                np.sin(np.arange(640, dtype=np.float32)[None] / (5 + k % 7)), format="fltp", layout="mono"
            )
            heard.sample_rate, heard.pts, heard.time_base = 16_000, 640 * k, Fraction(1, 16_000)
            out.mux(sound.encode(heard))
        out.mux(picture.encode(None))
        out.mux(sound.encode(None))
    return path


def remuxed(source: Path, target: Path, **options: str) -> Path:
    with av.open(str(source)) as inp, av.open(str(target), "w", options=options) as out:
        copies = {s.index: out.add_stream_from_template(s) for s in inp.streams if s.type in ("video", "audio")}
        for packet in inp.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


def make(folder: Path) -> tuple[Whole, ...]:
    """All kinds, in an order that does not change."""
    (folder / "media").mkdir(parents=True)
    source = film(folder / "media" / "walk.mp4")
    return (
        *_media(source, folder),
        *_plain(source, folder / "plain"),
        *_neon(source, folder / "neon"),
        *_cloud(source, folder / "cloud"),
        *_core(source, folder / "core"),
        *_tobii(source, folder / "tobii"),
        *_answers(source, folder / "answers"),
        *_recipe(folder / "recipe"),
        *_weights(folder / "weights"),
        *_vrs(folder / "vrs"),
    )


def _media(source: Path, folder: Path) -> Iterator[Whole]:
    yield Whole("mp4", source.parent, source.name, source.name)
    options = {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}, {}, {}, {}
    names = "front.mp4", "pieces.mp4", "walk.mkv", "walk.ts", "again.mkv"
    for name, option in zip(names, options, strict=True):
        (folder / name).mkdir()
        remuxed(source, folder / name / name, **option)
        yield Whole(Path(name).suffix[1:], folder / name, name, name)


def _plain(source: Path, folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(source, folder / "walk.mp4")
    t = np.arange(240) / 100
    rows = [f"{a:.3f},{0.5 + 0.3 * np.sin(a):.5f},{0.5 + 0.2 * np.cos(a):.5f},0.{9 - i % 3}" for i, a in enumerate(t)]
    (folder / "gaze.csv").write_text("\n".join(["timestamp_s,x,y,confidence", *rows]) + "\n")
    (folder / "labels.csv").write_text(
        "start_s,end_s,kind,name,action\n0.0,0.8,action,cut,0\n0.8,1.5,action,stir,1\n1.5,2.2,action,cut,0\n"
    )
    camera = {"width": 64, "height": 48, "matrix": [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]], "distortion": []}
    (folder / "camera.json").write_text(json.dumps(camera))
    yield Whole("csv", folder, "gaze.csv", holds="gaze lines")
    yield Whole("csv", folder, "labels.csv", holds="label lines")
    yield Whole("json", folder, "camera.json")


def _neon(source: Path, folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(source, folder / f"{SCENE}.mp4")
    (FIRST_NS + np.arange(NUM_FRAMES, dtype="<i8") * 40_000_000).tofile(folder / f"{SCENE}.time")
    (FIRST_NS + np.arange(400, dtype="<i8") * 5_000_000).tofile(folder / "gaze ps1.time")
    points = np.stack([20 + np.arange(400) / 20, 10 + np.arange(400) / 25], axis=1)
    points.astype("<f4").tofile(folder / "gaze ps1.raw")
    (folder / "worn ps1.raw").write_bytes(b"\xff" * 400)
    (folder / "info.json").write_text(json.dumps({"wearer_name": "Ann", "start_time": FIRST_NS}))
    yield Whole("time", folder, f"{SCENE}.time")
    yield Whole("time", folder, "gaze ps1.time", holds="gaze of 8 bytes")
    yield Whole("raw", folder, "gaze ps1.raw", holds="gaze of 8 bytes")
    yield Whole("raw", folder, "worn ps1.raw")
    yield Whole("json", folder, "info.json")


def _cloud(source: Path, folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(source, folder / "scene.mp4")
    stamps = [f"s,r,{FIRST_NS + 40_000_000 * k}" for k in range(NUM_FRAMES)]
    (folder / "world_timestamps.csv").write_text("\n".join(["section id,recording id,timestamp [ns]", *stamps]) + "\n")
    gaze = [f"s,r,{FIRST_NS + 5_000_000 * k},{20 + k / 20:.3f},{10 + k / 25:.3f},1,,," for k in range(400)]
    names = (
        "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,azimuth [deg],elevation [deg]"
    )
    (folder / "gaze.csv").write_text("\n".join([names, *gaze]) + "\n")
    (folder / "info.json").write_text(json.dumps({"wearer_name": "Ann", "frame_name": "plain"}))
    yield Whole("csv", folder, "gaze.csv", holds="gaze lines")
    yield Whole("csv", folder, "world_timestamps.csv")


def _core(source: Path, folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(source, folder / "world.mp4")
    stamps = [f"{9000 + k / RATE_HZ},{k}" for k in range(NUM_FRAMES)]
    (folder / "world_timestamps.csv").write_text("\n".join(["# timestamps [seconds],pts", *stamps]) + "\n")
    gaze = [f"{9000 + k / 120},{k // 5},0.9,{0.3 + k / 1000},{0.4 + k / 900},text" for k in range(280)]
    names = "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data"
    (folder / "gaze_positions.csv").write_text("\n".join([names, *gaze]) + "\n")
    yield Whole("csv", folder, "gaze_positions.csv", holds="gaze lines")
    yield Whole("csv", folder, "world_timestamps.csv")


def _tobii(source: Path, folder: Path) -> Iterator[Whole]:
    three = folder / "three"
    three.mkdir(parents=True)
    shutil.copy(source, three / "scenevideo.mp4")
    lens = {
        "focal-length": [60, 60], "principal-point": [31.5, 23.5], "skew": 0, "resolution": [64, 48],
        "radial-distortion": [0, 0, 0], "tangential-distortion": [0, 0],
    }  # fmt: skip
    about = {"duration": 2.4, "scenecamera": {"camera-calibration": lens}}
    (three / "recording.g3").write_text(json.dumps(about))
    with gzip.open(three / "gazedata.gz", "wt") as file:
        for k in range(240):
            data = {"gaze2d": [round(0.3 + k / 1000, 4), round(0.4 + k / 900, 4)]} if k % 9 else {}
            file.write(json.dumps({"type": "gaze", "timestamp": k / 100, "data": data}) + "\n")
    yield Whole("json", three, "recording.g3")
    yield Whole("gz", three, "gazedata.gz")
    two = folder / "two" / "segments" / "1"
    two.mkdir(parents=True)
    shutil.copy(source, two / "fullstream.mp4")
    with gzip.open(two / "livedata.json.gz", "wt") as file:
        file.write('{"ts": 5000000, "s": 0, "vts": 0}\n')
        for k in range(120):
            gaze = [round(0.3 + k / 1000, 4), round(0.4 + k / 900, 4)]
            file.write(json.dumps({"ts": 4_900_000 + 20_000 * k, "s": int(k % 9 == 0), "gidx": k, "gp": gaze}) + "\n")
    yield Whole("gz", two.parents[1], "segments/1/livedata.json.gz")


def _answers(source: Path, folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(source, folder / "walk.mp4")
    rows = [f"{k / 50},{0.3 + k / 400},{0.4 + k / 500}" for k in range(120)]
    (folder / "gaze.csv").write_text("\n".join(["timestamp_s,x,y", *rows]) + "\n")
    recording = regard.open(folder / "walk.mp4")
    prediction = regard.predict(recording, model="saliency")
    write_prediction(prediction, folder / "saliency.parquet")
    items = regard.evaluate(recording, prediction).items
    for name in ("items.parquet", "other.parquet"):
        write_table(items, folder / name)
    yield Whole("parquet", folder, "saliency.parquet", "saliency.parquet", "prediction", holds="rows")
    yield Whole("parquet", folder, "items.parquet", "items.parquet", "items")


def _recipe(folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    shutil.copy(find("estimation_synthetic_causal"), folder / "own.yaml")
    yield Whole("yaml", folder, "own.yaml", "own.yaml", "recipe")


def _weights(folder: Path) -> Iterator[Whole]:
    folder.mkdir()
    torch.manual_seed(0)
    states = network().state_dict()
    torch.save(
        {"state_dict": {f"model.{n}": v for n, v in states.items()}},
        folder / "plain.pth",
        _use_new_zipfile_serialization=False,
    )
    torch.save({"state_dict": {f"model.{n}": v for n, v in states.items()}}, folder / "own.ckpt")
    yield Whole("ckpt", folder, "plain.pth", "plain.pth", "weights")
    yield Whole("ckpt", folder, "own.ckpt", "own.ckpt", "weights")


def _vrs(folder: Path) -> Iterator[Whole]:
    try:
        import projectaria_tools  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        return
    if not (VRS / "recording.vrs").is_file():
        return
    folder.mkdir()
    shutil.copy(VRS / "recording.vrs", folder / "recording.vrs")
    shutil.copy(VRS / "general_eye_gaze.csv", folder / "general_eye_gaze.csv")
    yield Whole("vrs", folder, "recording.vrs")
    yield Whole("csv", folder, "general_eye_gaze.csv", holds="gaze lines")
