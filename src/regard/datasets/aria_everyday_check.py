"""Is all of Aria Everyday Activities there, and can it be used?"""

from regard.datasets.aria_everyday import AriaEveryday
from regard.datasets.root_check import RootCheck, Tell, broken, commands, expected, in_turn, listed
from regard.errors import MissingExtraError, RegardError
from regard.io.check import Finding
from regard.io.devices.aria import is_aria
from regard.types import Recording


def check_aria_everyday(data: AriaEveryday, tell: Tell = lambda _: None) -> RootCheck:
    """Open every sequence's header, calibration and gaze; nothing is decoded. Raises MissingExtraError."""
    facts = {**data.published.train, **data.published.test}
    findings = list(expected("sequences", list(facts), data.folders, extra="sequences outside the release"))
    lacking = {name: what for name, folder in data.folders.items() if name in facts and (what := data.lacks(folder))}
    for what in sorted(set(lacking.values())):
        names = [name for name, lack in lacking.items() if lack == what]
        findings += listed("warning", "incomplete sequences", f"without {what}", names)
    recordings: list[Recording] = []
    problems: list[RegardError] = []
    for name in in_turn([n for n in facts if n in data.folders and n not in lacking], tell):
        try:
            recordings.append(data.recording(name))
        except MissingExtraError:
            raise
        except RegardError as problem:
            problems.append(problem)
    findings += broken("unreadable sequences", problems)
    previews = [r.id for r in recordings if not is_aria(data.folders[r.id])]
    findings += listed("note", "previews", "sequences have no VRS: their gaze may be 0.1 s off the pictures", previews)
    silent = [r.id for r in recordings if r.audio is None]
    findings += listed("note", "sound", "sequences have no sound", silent)
    empty = [r.id for r in recordings if r.gaze is None or not r.gaze.valid.any()]
    findings += listed("warning", "lost gaze", "sequences have no valid gaze at all", empty)
    usable = {r.id for r in recordings}
    for split in ("train", "test"):
        clips = {name: data.num_clips(name) for name in getattr(data.published, split)}
        total, here = sum(clips.values()), sum(n for name, n in clips.items() if name in usable)
        findings.append(
            Finding(
                level="ok" if here == total else "warning",
                name=f"{split} clips",
                text=f"{here} of {total} of 5 s",
                value=float(here),
            )
        )
    whole = all(f.level in ("ok", "note") for f in findings)
    return RootCheck(dataset="aria_everyday", findings=tuple(findings), next_steps=_next(data, whole=whole))


def _next(data: AriaEveryday, *, whole: bool) -> tuple[str, ...]:
    if whole:
        return commands("recipes/estimation_aria_glc.yaml", data.root)
    return (
        "docs/datasets/aria_everyday.md says how to download what is missing",
        "go on with what is there: set missing: leave_out in the recipe",
    )
