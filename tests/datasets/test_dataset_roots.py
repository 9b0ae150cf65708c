"""`regard check` on whole dataset roots: what is missing, extra or broken, a line for each kind, and the exit code."""

from pathlib import Path

import fake_roots as fake
import pytest

from regard.cli import main
from regard.datasets import aria_everyday, ego4d_gaze
from regard.datasets.check import check_root, on_disk, recognise
from regard.datasets.egtea import check as egtea_check
from regard.datasets.egtea import names
from regard.datasets.held_out import hold_out
from regard.io.media.glance import glance
from regard.recipe.packaged import packaged

CLIP = "OP01-R01-PastaSalad-1400-1900-F000032-F000047"


@pytest.fixture
def small_egtea(monkeypatch) -> None:
    """The published sizes of the lists, made those of the fake root."""
    sizes = {stem: len(entries) for stem, entries in fake.EGTEA_LISTS.items()}
    monkeypatch.setattr(egtea_check, "SPLIT_SIZES", sizes)


@pytest.fixture
def egtea(tmp_path, small_egtea) -> Path:
    return fake.egtea(tmp_path / "egtea")


def levels(found) -> dict[str, str]:
    return {f.name: f.level for f in found.findings}


def test_a_whole_egtea_root_is_whole(egtea, capsys):
    found = check_root(egtea, "egtea")
    assert found.is_whole, found
    assert found["clips"].text == "6 of 6, none missing"
    assert found["train_split1"].text == "4 clips, as published"
    assert found["clips without gaze"].value == 1
    assert main(["check", str(egtea)]) == 0
    printed = capsys.readouterr().out
    assert "egtea: " in printed
    assert "whole" in printed
    assert "regard train estimation_egtea_glc" in printed


def test_what_an_egtea_root_lacks_has_too_much_or_broken_is_one_line_each(egtea, capsys):
    next(egtea.rglob(f"{CLIP}.mp4")).rename(egtea / "cropped_clips" / "OP09-R01-Soup-1-9-F000001-F000002.mp4")
    broken = next(egtea.rglob("P01-R02-TurkeySandwich-500-*.mp4"))
    broken.write_bytes(broken.read_bytes()[:600])
    gaze = egtea / "gaze_data" / "gaze_data"
    (gaze / "OP01-R01-PastaSalad.txt").write_text("cut off")
    (gaze / "P01-R02-TurkeySandwich.txt").rename(gaze / "P09-R02-TurkeySandwich.txt")
    (egtea / "action_annotation" / "test_split1.txt").write_text(f"{CLIP} 1 1 1\n")
    fake.film(next(egtea.rglob("OP01-*-400-1200-*.mp4")), num_frames=4, rate_hz=30)
    found = check_root(egtea, "egtea")
    assert not found.is_whole
    assert found["test_split1"].text == "1 clips, the official list has 2"
    assert found["clips"].text == f"4 of 5; missing are {CLIP}"
    assert "2 trimmed clips in no list: OP02-R03" in found["extra clips"].text
    assert found["video files"].value == 1
    assert "OP01-R01-PastaSalad-400-1200" in found["frame rate"].text
    assert found["short videos"].value == 1
    assert found["gaze files"].text.startswith("2 of 3; missing are P01-R02-TurkeySandwich")
    assert found["extra gaze files"].value == 1
    assert "no sample" in found["gaze text"].text
    assert main(["check", str(egtea), "--dataset", "egtea"]) == 1
    assert "docs/datasets/egtea.md" in capsys.readouterr().out


def test_gaze_that_outlasts_its_video_is_suspected(egtea):
    fake.film(egtea / "Raw_Videos" / "OP01-R01-PastaSalad.mp4", num_frames=30, rate_hz=24)
    found = check_root(egtea, "egtea")
    assert "OP01-R01-PastaSalad" in found["gaze and video"].text
    assert "OP01-R01-PastaSalad" in found["short videos"].text


def test_lists_without_videos_and_videos_without_lists(tmp_path, small_egtea):
    lists = fake.egtea(tmp_path / "lists", clips=False, sessions=False)
    assert levels(check_root(lists, "egtea"))["videos"] == "unusable"
    videos = tmp_path / "videos"
    fake.film(videos / f"{CLIP}.mp4", num_frames=2, rate_hz=24)
    assert levels(check_root(videos, "egtea"))["labels"] == "unusable"


def test_clips_with_other_frame_numbers_are_noted(egtea):
    path = next(egtea.rglob(f"{CLIP}.mp4"))
    path.rename(path.with_name(CLIP.replace("F000032-F000047", "F000028-F000051") + ".mp4"))
    found = check_root(egtea, "egtea")
    assert levels(found)["frame numbers"] == "note"
    assert found["clips"].level == "ok"


def test_ego4d_says_what_is_there_and_counts_its_clips(tmp_path, capsys):
    facts = ego4d_gaze.published()
    root = fake.ego4d(tmp_path / "root", [*list(facts.train)[:2], "4e07da0c-450f-4c37-95e9-e793cb5d8f7f"])
    next((root / "v2" / "gaze").glob("1e83*.csv")).write_text("norm_pos_x,confidence\n0,1\n")
    found = check_root(root, "ego4d_gaze")
    assert found["videos"].text.startswith("2 of 27; missing are ")
    assert "4e07da0c" in found["extra videos"].text
    assert "norm_pos_y" in found["unreadable"].text
    assert found["train clips"].text == f"{len(next(iter(facts.train.values())))} of 15310"
    assert found["test clips"].text == "0 of 5202"
    assert found["short videos"].level == "warning"
    assert main(["check", str(root)]) == 1
    printed = capsys.readouterr().out
    assert "ego4d_gaze: " in printed
    assert len(printed.splitlines()) < 60


def test_a_whole_ego4d_root_lacks_nothing_but_length_and_sound(tmp_path):
    facts = ego4d_gaze.published()
    found = check_root(fake.ego4d(tmp_path / "root", [*facts.train, *facts.test]), "ego4d_gaze")
    assert {f.name for f in found.findings if f.level not in ("ok", "note")} == {"short videos", "silent videos"}
    assert found["sound"].value == 2
    assert found["test clips"].text == "5202 of 5202"


def test_aria_says_which_sequences_lack_what(tmp_path, capsys):
    pytest.importorskip("projectaria_tools", reason="needs extra 'aria'")
    names = [*aria_everyday.published().test][:3]
    root = fake.aria_previews(tmp_path / "root", [*names, "loc9_script9_seq9_rec9"])
    (root / names[1] / "preview_rgb.mp4").unlink()
    (root / names[2] / "mps" / "slam" / "online_calibration.jsonl").write_text("nonsense")
    found = check_root(root, "aria_everyday")
    assert found["sequences"].text.startswith("3 of 143; missing are ")
    assert found["extra sequences"].value == 1
    assert (
        f"1 without pictures with a calibration (a .vrs, or one mp4 with mps/slam/online_calibration.jsonl): {names[1]}"
        in (found["incomplete sequences"].text)
    )
    assert names[2] in found["unreadable sequences"].text
    assert found["previews"].value == 1
    assert found["test clips"].value == aria_everyday.num_clips(names[0])
    assert main(["check", str(root)]) == 1
    assert "aria_everyday: " in capsys.readouterr().out


def test_a_root_is_recognised_by_names_and_other_folders_are_not(tmp_path, egtea):
    assert recognise(egtea) == "egtea"
    assert recognise(fake.ego4d(tmp_path / "ego", [next(iter(ego4d_gaze.published().train))])) == "ego4d_gaze"
    (tmp_path / "aria" / "loc1_script1_seq1_rec1").mkdir(parents=True)
    assert recognise(tmp_path / "aria") == "aria_everyday"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.mp4").write_bytes(b"")
    assert recognise(tmp_path / "other") is None


def test_what_lies_in_a_root_and_is_not_read_is_named(egtea):
    (egtea / "Raw_Videos" / "hands.zip").write_bytes(b"")
    (egtea / "again").mkdir()
    (egtea / "gaze_data" / "gaze_data" / "P01-R02-TurkeySandwich.txt").rename(egtea / "P01-R02-TurkeySandwich.txt")
    (egtea / "again" / "P01-R02-TurkeySandwich.txt").write_text("a second one of this name")
    found = check_root(egtea, "egtea")
    assert found["not read"].text == "2 other files: Raw_Videos/hands.zip, again/P01-R02-TurkeySandwich.txt"
    assert found.is_whole, "what is not read does no harm"


def test_a_dataset_is_known_by_being_exported_and_others_are_refused(egtea, capsys):
    known = on_disk()
    assert known.keys() >= {"aria_everyday", "ego4d_gaze", "egtea"}
    assert main(["check", str(egtea), "--dataset", "egtee"]) == 2
    assert f"one of {', '.join(known)}" in capsys.readouterr().err


def test_every_dataset_has_a_first_recipe_and_a_page():
    for name, dataset in on_disk().items():
        assert dataset.recipe in packaged()
        assert (Path(__file__).parents[2] / "docs" / "datasets" / f"{name}.md").exists()


def test_a_single_recording_is_still_checked_as_one(tiny_world, capsys, tmp_path):
    assert main(["check", str(tiny_world)]) == 0
    assert "usable" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["check", str(tmp_path / "empty")]) == 2
    assert "an empty folder" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "nowhere"), "--dataset", "egtea"]) == 2
    assert "docs/datasets/egtea.md" in capsys.readouterr().err


def test_held_out_groups_follow_from_names_alone():
    names_ = [f"session-{n}" for n in range(20)]
    out = hold_out(names_, 0.1)
    assert len(out) == 2
    assert hold_out(reversed(names_ * 2), 0.1) == out
    assert len(hold_out(names_[:19], 0.1) & out) >= 1
    assert hold_out(names_, 0.0) == hold_out(["one"], 0.5) == frozenset()


def test_a_glance_tells_rate_length_and_truncation(tmp_path):
    about = glance(fake.film(tmp_path / "a.mp4", num_frames=30, rate_hz=24))
    assert about.rate_hz == pytest.approx(24, abs=0.01)
    assert (about.num_frames, about.size, about.has_sound) == (30, fake.SIZE, False)
    assert about.duration_s == pytest.approx(30 / 24, abs=0.05)


def test_the_published_sizes_add_up():
    assert all(
        names.SPLIT_SIZES[f"train_split{s}"] + names.SPLIT_SIZES[f"test_split{s}"] == names.NUM_CLIPS for s in (1, 2, 3)
    )
