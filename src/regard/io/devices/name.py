"""What a recording is called: its folder's name, with those above where the name alone says nothing."""

import re
from pathlib import Path

FOLDERS = re.compile(r"\d{1,6}|raw|exports?|data|recordings?|session|segments?|out(put)?", re.IGNORECASE)
FILES = re.compile(r"\d{1,6}|world|videos?|recording|scene(video)?|fullstream|preview(_rgb)?", re.IGNORECASE)
"""Names that many files and folders bear, such as Neon's A/raw and B/raw or Core's exports/000."""

MOST = 4


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
