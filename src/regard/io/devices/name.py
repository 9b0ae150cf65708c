"""What a recording is called, by its folder's name or those above; and who wore the glasses."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDERS = re.compile(r"\d{1,6}|raw|exports?|data|recordings?|session|segments?|out(put)?", re.IGNORECASE)
FILES = re.compile(r"\d{1,6}|world|videos?|recording|scene(video)?|fullstream|preview(_rgb)?", re.IGNORECASE)
"""Names that many files and folders bear, such as Neon's A/raw and B/raw or Core's exports/000."""

MOST = 4

BLANKED = "00000000-0000-0000-0000-000000000000"
"""Of an id that was taken out."""


def recording_id(path: Path) -> str:
    """The name of a file (without suffix) or folder; parents' names stand before it while it says nothing."""
    path = path.resolve()
    names, says_nothing = ([path.name], FOLDERS) if path.is_dir() else ([path.stem], FILES)
    for parent in path.parents:
        if not says_nothing.fullmatch(names[0]) or not parent.name or len(names) == MOST:
            break
        names.insert(0, parent.name)
        says_nothing = FOLDERS
    return "-".join(names)


def wearer_in(about: Mapping[str, Any], name: object = None) -> str:
    """Who wore Pupil Labs' glasses, by name or id: as info.json says, else this name; "unknown" without either."""
    wearer = str(about.get("wearer_name") or name or about.get("wearer_id") or BLANKED)
    return "unknown" if wearer == BLANKED else wearer
