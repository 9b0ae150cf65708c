"""What a recording lacks is made by what supplies it, which nobody names: beside the films, or to be asked once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from clip_films import film
from typing_extensions import override

from regard.batch import Field
from regard.errors import FileError
from regard.io import writing
from regard.prepare.film import Settings
from regard.prepare.flow import FlowSettings
from regard.prepare.folder import prepare, use_prepared
from regard.prepare.making import Making, Size, completed, planned
from regard.types import FaceTrack, MediaStream, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesBeside(Making):
    """Finds one face in every recording, in the middle."""

    what: ClassVar[str] = "faces"
    supplies: ClassVar[frozenset[Field]] = frozenset({"faces"})
    folder: ClassVar[str] = "middles"
    suffix: ClassVar[str] = ".txt"
    side: float = 0.5

    @classmethod
    @override
    def sized(cls, size: Size | None) -> "FacesBeside":
        return cls()

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        return not recording.faces

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        with writing(file) as part:
            part.write_text(str(self.side))
        return {"person": "ann"}

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        half = float(file.read_text()) / 2
        assert facts["settings"]["side"] == 2 * half
        box = np.array([[0.5 - half, 0.5 - half, 0.5 + half, 0.5 + half]])
        yes = np.ones(1, bool)
        face = FaceTrack(person=facts["person"], time_s=np.zeros(1), box=box, looking=yes, looking_known=yes)
        return replace(recording, faces=(face,))


def test_a_making_of_ones_own_is_kept_beside_the_films_and_made_where_it_is_lacking(tmp_path):
    seen = Recording(id="a/b", subject="s", video=MediaStream(path=film(tmp_path / "film.mp4", np.arange(3) / 30)))
    making = FacesBeside(side=0.25)
    assert making in planned(frozenset({"faces"}), None, [making])
    assert {type(m) for m in planned(frozenset({"video", "flow"}), 32)} == {Settings, FlowSettings}
    assert planned(frozenset({"video"}), None) == ()
    prepare([seen], tmp_path / "middles", making, workers=1)
    (after,) = use_prepared([seen], tmp_path, own=[making])
    assert after.video == seen.video
    assert after.faces[0].box.tolist() == [[0.375, 0.375, 0.625, 0.625]]
    other = replace(after, id="has its own")
    assert use_prepared([other], tmp_path, own=[making]) == (other,)
    with pytest.raises(FileError, match="no readable manifest"):
        use_prepared([seen], tmp_path, size=32, own=[making])
    whole = completed(seen, frozenset({"faces"}), tmp_path, size=None, own=[making])
    assert whole.faces[0].person == "ann"
    assert completed(other, frozenset({"faces"}), tmp_path, size=None, own=[making]) is other
