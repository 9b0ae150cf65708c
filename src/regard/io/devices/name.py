"""What a recording is called: its folder's name, with those above where the name alone says nothing."""

import re
from pathlib import Path

SAYS_NOTHING = re.compile(
    r"\d{1,6}|raw|exports?|data|recordings?|rec|videos?|world|scene(video)?|fullstream|session|out(put)?", re.I
)
"""Names that the folders and files of many recordings bear, such as Neon's A/raw and B/raw or Core's exports/000."""

MOST = 4


def recording_id(path: Path) -> str:
    """The name of a file (without suffix) or folder; parents' names stand before it while it says nothing."""
    path = path.resolve()
    names = [path.name if path.is_dir() else path.stem]
    for parent in path.parents:
        if not SAYS_NOTHING.fullmatch(names[0]) or not parent.name or len(names) == MOST:
            break
        names.insert(0, parent.name)
    return "-".join(names)
