import pytest

from regard.io.devices.name import recording_id


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("kitchen", "kitchen"),
        ("A/raw", "A-raw"),
        ("p1/exports/000", "p1-exports-000"),
        ("p1/Exports/001", "p1-Exports-001"),
        ("2024-10-10_10-10-10-1a2b3c4d", "2024-10-10_10-10-10-1a2b3c4d"),
        ("s1/video.mp4", "s1-video"),
        ("s1/walk.mp4", "walk"),
        ("s1/000/world.mp4", "s1-000-world"),
        ("s1/world", "world"),
        ("a/b/raw/exports/data/000", "raw-exports-data-000"),
    ],
)
def test_a_name_that_says_nothing_stands_behind_its_parents(tmp_path, path, expected):
    (tmp_path / path).mkdir(parents=True) if "." not in path else (tmp_path / path).parent.mkdir(parents=True)
    assert recording_id(tmp_path / path) == expected
