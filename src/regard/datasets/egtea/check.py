"""Is all of EGTEA Gaze+ there, and can it be used?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from regard.datasets.egtea.begaze import read_gaze
from regard.datasets.egtea.dataset import Egtea
from regard.datasets.egtea.labels import ClipLabel, read_list
from regard.datasets.egtea.names import NUM_CLIPS, NUM_SESSIONS, RATE_HZ, SPLIT_SIZES, parse_clip
from regard.datasets.root_check import RootCheck, Tell, broken, commands, expected, in_turn, listed
from regard.errors import RegardError
from regard.io.check import Finding
from regard.io.media.glance import Glance, glance
from regard.types import GazeTrack

KNOWN_WITHOUT_GAZE = 68
"""Clips after the end of their session's gaze file, as the dataset's readme lists them; one more loses it inside."""

RATE_TOLERANCE_HZ = 0.05
LATER_FRAMES = 48
"""Gaze that goes on two seconds after the video's end belongs to another video."""


def check_egtea(data: Egtea, tell: Tell = lambda _: None) -> RootCheck:
    """Look at the lists, the headers of all videos and every line of gaze; nothing is decoded."""
    findings = list(_lists(data))
    labels = _readable_lists(data)
    clips = {label.name.key: label for label in labels}
    if not clips:
        none = "no official list can be read, so nothing says which videos and gaze files there should be"
        findings.append(Finding(level="unusable", name="labels", text=none))
        return RootCheck(dataset="egtea", findings=tuple(findings), next_steps=_next(data, whole=False))
    sessions = sorted({label.name.session for label in labels})
    tracks, problems = _tracks(data, sessions, tell)
    findings += _videos(data, clips, sessions, tracks, tell)
    findings += expected("gaze files", sessions, data.gaze_files, extra="gaze files of unlisted sessions")
    findings += broken("gaze text", problems)
    findings += _gaze(labels, tracks) if tracks else ()
    tell(1.0)
    whole = all(f.level in ("ok", "note") for f in findings)
    return RootCheck(dataset="egtea", findings=tuple(findings), next_steps=_next(data, whole=whole))


def _lists(data: Egtea) -> Iterator[Finding]:
    for stem, size in SPLIT_SIZES.items():
        if stem not in data.texts:
            yield Finding(level="warning", name=stem, text=f"missing; it lists {size} clips")
            continue
        try:
            found = len(read_list(data.texts[stem]))
        except RegardError as problem:
            yield from broken(stem, [problem])
            continue
        level, hint = ("ok", "as published") if found == size else ("warning", f"the official list has {size}")
        yield Finding(level=level, name=stem, text=f"{found} clips, {hint}", value=float(found))
    names = [stem for stem in ("action_idx", "verb_idx", "noun_idx") if stem not in data.texts]
    yield from listed("note", "class names", "lists are missing, so classes are numbered", names)


def _readable_lists(data: Egtea) -> list[ClipLabel]:
    """The clips of all lists that can be read, each once."""
    found: dict[str, ClipLabel] = {}
    for stem in SPLIT_SIZES:
        try:
            found |= {label.name.key: label for label in read_list(data.texts[stem])}
        except (KeyError, RegardError):
            continue
    return list(found.values())


def _videos(
    data: Egtea, clips: Mapping[str, ClipLabel], sessions: list[str], tracks: Mapping[str, GazeTrack], tell: Tell
) -> Iterator[Finding]:
    listed_clips = [str(label.name) for label in clips.values()]
    if not data.clips and not data.sessions:
        text = f"neither trimmed clips nor whole sessions ({NUM_CLIPS} or {NUM_SESSIONS} videos)"
        yield Finding(level="unusable", name="videos", text=text)
        return
    if data.clips:
        here = {str(clips[key].name) if key in clips else path.stem for key, path in data.clips.items()}
        yield from expected("clips", listed_clips, here, extra="trimmed clips in no list")
        renamed = [p.stem for k, p in data.clips.items() if k in clips and str(clips[k].name) != p.stem]
        yield from listed("note", "frame numbers", "clips bear other frame numbers than the list gives them", renamed)
    else:
        yield Finding(level="note", name="clips", text="none; they are cut out of the whole sessions")
    if data.sessions:
        yield from expected("sessions", sessions, data.sessions, extra="videos of unlisted sessions")
    yield from _headers(data, clips, tracks, tell)


def _headers(
    data: Egtea, clips: Mapping[str, ClipLabel], tracks: Mapping[str, GazeTrack], tell: Tell
) -> Iterator[Finding]:
    wanted_frames = {path: parse_clip(path.stem).num_frames - 1 for path in data.clips.values()}
    for label in clips.values():
        if path := data.sessions.get(label.name.session):
            wanted_frames[path] = max(wanted_frames.get(path, 0), label.name.last_frame)
    looked, problems = _glances(list(wanted_frames), tell)
    yield from broken("video files", problems)
    other_rate = [p.stem for p, g in looked.items() if not abs(g.rate_hz - RATE_HZ) <= RATE_TOLERANCE_HZ]
    yield from listed("warning", "frame rate", f"videos are not of {RATE_HZ:g} Hz", other_rate)
    short = [p.stem for p, g in looked.items() if 0 < g.num_frames < wanted_frames[p]]
    yield from listed("warning", "short videos", "have fewer frames than their labels speak of", short)
    longer = [
        session
        for session, path in data.sessions.items()
        if session in tracks and path in looked and 0 < looked[path].num_frames < len(tracks[session]) - LATER_FRAMES
    ]
    text = "sessions whose gaze goes on after the video's end: is it another video's?"
    yield from listed("warning", "gaze and video", text, longer)


def _glances(paths: list[Path], tell: Tell) -> tuple[dict[Path, Glance], list[RegardError]]:
    looked: dict[Path, Glance] = {}
    problems: list[RegardError] = []
    for path in in_turn(paths, tell, start=0.3):
        try:
            looked[path] = glance(path)
        except RegardError as problem:
            problems.append(problem)
    return looked, problems


def _tracks(data: Egtea, sessions: list[str], tell: Tell) -> tuple[dict[str, GazeTrack], list[RegardError]]:
    tracks: dict[str, GazeTrack] = {}
    problems: list[RegardError] = []
    for session in in_turn([s for s in sessions if s in data.gaze_files], tell, end=0.3):
        try:
            tracks[session] = read_gaze(data.gaze_files[session])
        except RegardError as problem:
            problems.append(problem)
    return tracks, problems


def _gaze(labels: list[ClipLabel], tracks: Mapping[str, GazeTrack]) -> Iterator[Finding]:
    empty = [s for s, track in tracks.items() if not track.valid.any()]
    yield from listed("warning", "lost gaze", "sessions have no valid gaze at all", empty)
    without, cut = [], []
    for label in labels:
        track, name = tracks.get(label.name.session), label.name
        if track is None:
            continue
        if not track.valid[name.first_frame : name.last_frame + 1].any():
            without.append(str(name))
        elif name.last_frame >= len(track):
            cut.append(str(name))
    lost = 1 - np.concatenate([t.valid for t in tracks.values()]).mean()
    yield Finding(
        level="ok",
        name="gaze",
        text=f"{lost:.1%} of the frames of {len(tracks)} sessions without valid gaze",
        value=lost,
    )
    if without or cut:
        yield Finding(
            level="ok" if len(without) <= KNOWN_WITHOUT_GAZE + 1 else "warning",
            name="clips without gaze",
            text=f"{len(without)} clips have none, and {len(cut)} lose it before their end "
            f"({KNOWN_WITHOUT_GAZE} and 1 are known to); they are kept, masked",
            value=float(len(without)),
        )


def _next(data: Egtea, *, whole: bool) -> tuple[str, ...]:
    if whole:
        return commands("recipes/estimation_egtea_glc.yaml", data.root)
    return (
        "docs/datasets/egtea.md says where each archive comes from",
        "go on with what is there: set missing: leave_out (and gaze: none without gaze files) in the recipe",
    )
