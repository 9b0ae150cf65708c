"""Which dataset a folder holds, by the names of what lies in it, and whether all of it is there."""

from itertools import islice
from pathlib import Path
from typing import Literal

from regard.datasets import aria_everyday, ego4d_gaze
from regard.datasets.aria_everyday import AriaEveryday
from regard.datasets.aria_everyday_check import check_aria_everyday
from regard.datasets.ego4d_gaze import Ego4DGaze
from regard.datasets.ego4d_gaze_check import check_ego4d_gaze
from regard.datasets.egtea.check import check_egtea
from regard.datasets.egtea.dataset import Egtea
from regard.datasets.egtea.names import SPLIT_SIZES, is_clip, is_session
from regard.datasets.on_disk import entries_below
from regard.datasets.root_check import RootCheck, Tell

Name = Literal["aria_everyday", "ego4d_gaze", "egtea"]

ENOUGH = 20_000
"""Names that are looked at before giving up: a home folder is no dataset."""


def recognise(root: Path) -> Name | None:
    """The dataset whose names are found in the folder or below, at a glance; None where it is none that is known."""
    facts = ego4d_gaze.published()
    uids = {*facts.train, *facts.test, *facts.untracked}
    for entry in islice(entries_below(root), ENOUGH):
        stem, suffix = Path(entry.name).stem, Path(entry.name).suffix
        if suffix in (".txt", ".mp4", ".avi") and (is_session(stem) or is_clip(stem) or stem in SPLIT_SIZES):
            return "egtea"
        if suffix in (".csv", ".mp4") and stem in uids:
            return "ego4d_gaze"
        if aria_everyday.SEQUENCE.fullmatch(entry.name) and entry.is_dir():
            return "aria_everyday"
    return None


def check_root(root: str, dataset: Name, tell: Tell = lambda _: None) -> RootCheck:
    """What of a dataset is there, missing, extra or broken; `tell` hears how far it has come."""
    if dataset == "aria_everyday":
        return check_aria_everyday(AriaEveryday(root), tell)
    if dataset == "ego4d_gaze":
        return check_ego4d_gaze(Ego4DGaze(root), tell)
    return check_egtea(Egtea(root), tell)
