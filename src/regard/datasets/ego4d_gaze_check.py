"""Is all of Ego4D's gaze benchmark there, and can it be used?"""

from collections.abc import Iterator

from regard.datasets.ego4d_gaze import Ego4DGaze
from regard.datasets.frame_labels import EGO4D
from regard.datasets.root_check import RootCheck, Tell, broken, commands, expected, in_turn, listed
from regard.errors import RegardError
from regard.io.check import Finding
from regard.io.media.glance import Glance, glance
from regard.types import Recording

WITHOUT_SOUND = ("0d271871-c8ba-4249-9434-d39ce0060e58", "7d8b9b9f-7781-4357-a695-c88f7c7f7591")
"""The two videos that have none; CSTS's authors publish it as wav files."""

RATE_TOLERANCE_HZ = 0.05
CLIP_S = 5.0


def check_ego4d_gaze(data: Ego4DGaze, tell: Tell = lambda _: None) -> RootCheck:
    """Look at the videos' headers and at every line of gaze; nothing is decoded."""
    facts = data.published
    wanted = [*facts.train, *facts.test]
    findings = [
        *expected("videos", wanted, data.videos, extra="videos outside the benchmark"),
        *expected("gaze tables", wanted, data.tables, extra="gaze tables outside the benchmark"),
    ]
    looked: dict[str, Glance] = {}
    recordings: list[Recording] = []
    bad_videos: list[RegardError] = []
    bad_gaze: list[RegardError] = []
    for uid in in_turn([uid for uid in wanted if uid in data.videos], tell):
        try:
            looked[uid] = glance(data.videos[uid])
        except RegardError as problem:
            bad_videos.append(problem)
            continue
        try:
            if uid in data.tables:
                recordings.append(data.recording(uid))
        except RegardError as problem:
            bad_gaze.append(problem)
    findings += [*broken("video files", bad_videos), *broken("gaze text", bad_gaze)]
    findings += [*_videos(data, looked), *_gaze(recordings), *_clips(data)]
    whole = all(f.level in ("ok", "note") for f in findings)
    return RootCheck(dataset="ego4d_gaze", findings=tuple(findings), next_steps=_next(data, whole=whole))


def _videos(data: Ego4DGaze, looked: dict[str, Glance]) -> Iterator[Finding]:
    rate = [u for u, about in looked.items() if not abs(about.rate_hz - EGO4D.rate_hz) <= RATE_TOLERANCE_HZ]
    yield from listed("note", "frame rate", f"videos are not of {EGO4D.rate_hz:g} Hz", rate)
    facts = {**data.published.train, **data.published.test}
    short = [u for u, about in looked.items() if about.duration_s < max(facts[u]) + CLIP_S - 1 / EGO4D.rate_hz]
    yield from listed("warning", "short videos", "end before their last clip does", short)
    silent = [u for u, about in looked.items() if not about.has_sound and u not in data.sounds]
    known = [u for u in silent if u in WITHOUT_SOUND]
    yield from listed("note", "sound", "of the two videos known to be without sound have no wav beside them", known)
    yield from listed("warning", "silent videos", "have no sound, and should", [u for u in silent if u not in known])


def _gaze(recordings: list[Recording]) -> Iterator[Finding]:
    tracks = {r.id: r.gaze for r in recordings if r.gaze is not None}
    empty = [uid for uid, track in tracks.items() if not track.valid.any()]
    yield from listed("warning", "lost gaze", "videos have no valid gaze at all", empty)
    if tracks:
        samples, valid = (sum(n) for n in zip(*((len(t), int(t.valid.sum())) for t in tracks.values()), strict=True))
        lost = 1 - valid / max(samples, 1)
        yield Finding(level="ok", name="gaze", text=f"{lost:.1%} of {samples} samples are lost", value=lost)


def _clips(data: Ego4DGaze) -> Iterator[Finding]:
    for split, clips in (("train", data.published.train), ("test", data.published.test)):
        total = sum(map(len, clips.values()))
        here = sum(len(starts) for uid, starts in clips.items() if uid in data.videos and uid in data.tables)
        level = "ok" if here == total else "warning"
        yield Finding(level=level, name=f"{split} clips", text=f"{here} of {total} of 5 s", value=float(here))


def _next(data: Ego4DGaze, *, whole: bool) -> tuple[str, ...]:
    if whole:
        return commands("recipes/estimation_ego4d_glc.yaml", data.root)
    return (
        "docs/datasets/ego4d_gaze.md says how to download what is missing",
        "go on with what is there: set missing: leave_out in the recipe",
    )
