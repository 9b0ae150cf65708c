"""What the command line says before it does anything, and the verbs that write nothing or pictures only."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.cli import VERBS, main
from regard.cli.options import command, file_stem
from regard.errors import FileError
from regard.io import Sound, Video

REGARD = Path(sys.executable).with_name("regard")


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys; from regard.cli import main; assert main(['--help']) == 0; "
        "print([m for m in ('torch', 'pandas', 'av', 'rich', 'lightning', 'pyarrow') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *overview, loaded = run.stdout.splitlines()
    assert loaded == "[]"
    assert all(any(line.split()[:1] == [verb] for line in overview) for verb in VERBS)


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_without_a_verb_the_overview_is_printed(words, capsys):
    assert main(words) == 0
    assert "usage: regard VERB" in capsys.readouterr().out


def test_the_version_is_the_package_s(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == regard.__version__


def test_an_unknown_verb_shows_the_known_ones(capsys):
    assert main(["predikt", "film.mp4"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("regard: no verb 'predikt'; did you mean predict?\n")
    assert all(verb in printed.err for verb in VERBS)
    assert not printed.out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["events", "film.mp4", "--no-lok"], "did you mean --no_look?"),
        (["predict", "film.mp4", "--modle", "saliency"], "did you mean --model?"),
        (["check", "film.mp4", "--colour"], "take it out, or correct it"),
        (["info", "film.mp4"], "take it out, or correct it"),
    ],
)
def test_a_misspelt_option_is_answered_with_the_one_that_was_meant(words, meant, refused):
    assert refused(*words).do == meant


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_its_options(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "-h"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: regard {verb}")
    assert VERBS[verb] in " ".join(text.split())
    assert "--debug" in text


@pytest.mark.parametrize("words", [["check"], ["show", "a", "--min_confidence", "high"]])
def test_a_missing_path_or_a_value_of_another_kind_shows_the_usage(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"usage: regard {words[0]}")


def test_an_option_that_only_recipes_have_is_refused_for_a_recording(refused, tiny_world):
    error = refused("evaluate", tiny_world, "--task.model.width", "3")
    assert error.where == "--task.model.width 3"


def test_info_names_versions_and_devices(say):
    said = say("info")
    assert said.code == 0
    facts = dict(line.split(maxsplit=1) for line in said.out.splitlines())
    assert facts["regard"] == regard.__version__
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["numpy"] == np.__version__
    assert facts["devices"].startswith("cpu")


def test_check_of_a_good_recording_says_so_and_ends_with_0(say, world):
    said = say("check", world)
    assert said.code == 0
    lines = said.out.splitlines()
    assert "usable" in lines
    assert lines[-1] == f"next: regard show '{world}'"
    assert not list(Path.cwd().iterdir())


def test_a_thorough_check_tells_whether_gaze_and_video_are_in_step(say, world):
    assert "gaze and video" not in say("check", world).out
    assert "gaze and video" in say("check", world, "--thorough").out


def test_check_of_a_recording_whose_gaze_is_all_lost_ends_with_1(say, world, gaze_table):
    gaze_table.assign(valid=0).to_csv(world / "gaze.csv", index=False)
    said = say("check", world)
    assert said.code == 1
    assert "not usable" in said.out.splitlines()
    assert "400 samples, none valid" in said.out
    assert not said.err


def test_show_writes_a_film_and_a_report_where_it_was_told(say, tiny_world):
    said = say("show", tiny_world, "--out", "pictures")
    assert said.code == 0
    assert {p.name for p in Path("pictures").iterdir()} >= {"gaze.mp4", "report.html", ".recording"}
    with Video("pictures/gaze.mp4") as film, Video(tiny_world / "video.mp4") as video:
        np.testing.assert_allclose(film.times_s, video.times_s, atol=1e-4)
    assert Sound("pictures/gaze.mp4").duration_s > 1.5
    page = Path("pictures/report.html").read_text()
    assert "regard show" in page
    assert "400 measurements" in page
    assert "pictures/gaze.mp4" in said.out
    assert said.out.splitlines()[-1] == f"next: regard predict {tiny_world} --model saliency"


def test_without_out_the_recording_names_the_folder(say, silent_video):
    assert say("show", silent_video).code == 0
    assert {p.name for p in Path("regard-out/walk").iterdir()} >= {"gaze.mp4", "report.html", ".recording"}
    with pytest.raises(FileError, match="no sound stream"):
        _ = Sound("regard-out/walk/gaze.mp4").duration_s


def test_a_command_that_is_suggested_survives_a_shell():
    assert command("show", Path("my film.mp4"), "--model", "$x") == "regard show 'my film.mp4' --model '$x'"


def test_files_of_a_run_are_named_after_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert file_stem("runs/first/") == "first"
    assert file_stem("saliency") == "saliency"
    assert file_stem(".") == tmp_path.name


def test_an_interrupted_command_says_that_nothing_is_left_half_written(say, tiny_world, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("regard.viz.draw.Moments.draw", stop)
    said = say("show", tiny_world)
    assert said.code == 130
    assert "nothing half-written" in said.err
    assert not [p for p in Path("regard-out").rglob("*") if p.is_file()]


def test_a_reader_that_goes_away_is_no_error():
    run = subprocess.run(f"{REGARD} --help | true", shell=True, capture_output=True, text=True, check=False)
    assert run.stderr == ""
