"""What EGTEA Gaze+ alone has to be asked: are its lists the official ones, do names, gaze and videos fit together?"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from regard.datasets import findings
from regard.datasets.egtea.labels import ClipLabel, read_list
from regard.datasets.egtea.names import NUM_CLIPS, NUM_SESSIONS, RATE_HZ, SPLIT_SIZES, parse_clip
from regard.datasets.findings import Tell
from regard.errors import RegardError
from regard.io.check import Finding
from regard.io.media.glance import glance
from regard.types import GazeTrack

KNOWN_WITHOUT_GAZE = 68
"""Clips after the end of their session's gaze file, as the dataset's readme lists them; one more loses it inside."""

LATER_S = 2.0
"""Gaze that goes on for longer after the video's end belongs to another video."""

Tracks = Mapping[str, GazeTrack]


def lists(files: Mapping[str, Path]) -> Iterator[Finding]:
    """A line for each official list, and the names of the classes."""
    for stem, size in SPLIT_SIZES.items():
        if stem not in files:
            yield Finding(level="warning", name=stem, text=f"missing; it lists {size} clips")
            continue
        try:
            found = len(read_list(files[stem]))
        except RegardError as problem:
            yield from findings.broken(stem, [problem])
            continue
        level, hint = ("ok", "as published") if found == size else ("warning", f"the official list has {size}")
        yield Finding(level=level, name=stem, text=f"{found} clips, {hint}", value=float(found))
    names = [stem for stem in ("action_idx", "verb_idx", "noun_idx") if stem not in files]
    yield from findings.listed("note", "class names", "lists are missing, so classes are numbered", names)


def listed_clips(files: Mapping[str, Path]) -> dict[str, ClipLabel]:
    """The clips of all lists that can be read, by the key of their names."""
    found: dict[str, ClipLabel] = {}
    for stem in SPLIT_SIZES:
        try:
            found |= {label.name.key: label for label in read_list(files[stem])}
        except (KeyError, RegardError):
            continue
    return found


def names_of(listed: Mapping[str, ClipLabel], clips: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """The clips on the disk as the lists call them, and those of them that bear other frame numbers there."""
    names = {p.stem: str(listed[key].name) if key in listed else p.stem for key, p in clips.items()}
    return list(names.values()), [stem for stem, name in names.items() if stem != name]


def no_videos() -> Finding:
    """There is nothing to look at."""
    text = f"neither trimmed clips nor whole sessions ({NUM_CLIPS} or {NUM_SESSIONS} videos)"
    return Finding(level="unusable", name="videos", text=text)


def headers(
    listed: Mapping[str, ClipLabel], clips: Mapping[str, Path], sessions: Mapping[str, Path], tracks: Tracks, tell: Tell
) -> Iterator[Finding]:
    """Whether all videos open, last as long as their labels, and end with their gaze."""
    until_s = {p.stem: parse_clip(p.stem).num_frames / RATE_HZ for p in clips.values()}
    for label in listed.values():
        if (name := label.name).session in sessions:
            until_s[name.session] = max(until_s.get(name.session, 0.0), (name.last_frame + 1) / RATE_HZ)
    paths = {path.stem: path for path in (*clips.values(), *sessions.values())}
    looked, problems = findings.opened(until_s, lambda stem: glance(paths[stem]), tell, start=0.3)
    yield from findings.broken("video files", problems)
    yield from findings.videos(looked, until_s, rate_hz=RATE_HZ, other="warning")
    longer = [s for s, track in tracks.items() if s in looked and len(track) / RATE_HZ - looked[s].duration_s > LATER_S]
    text = "sessions whose gaze goes on after the video's end: is it another video's?"
    yield from findings.listed("warning", "gaze and video", text, longer)


def clips_without_gaze(listed: Mapping[str, ClipLabel], tracks: Tracks) -> Iterator[Finding]:
    """How many clips have no gaze, or lose it, against how many are known to."""
    names = [label.name for label in listed.values() if label.name.session in tracks]
    without = [n for n in names if not tracks[n.session].valid[n.first_frame : n.last_frame + 1].any()]
    cut = [n for n in names if n not in without and n.last_frame >= len(tracks[n.session])]
    if without or cut:
        yield Finding(
            level="ok" if len(without) <= KNOWN_WITHOUT_GAZE + 1 else "warning",
            name="clips without gaze",
            text=f"{len(without)} clips have none, and {len(cut)} lose it before their end "
            f"({KNOWN_WITHOUT_GAZE} and 1 are known to); they are kept, masked",
            value=float(len(without)),
        )
