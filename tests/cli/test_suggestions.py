"""The command that each one ends with can be run, and following them comes to an end."""

import shlex
from collections.abc import Callable
from pathlib import Path


def followed(say: Callable, *words: object) -> list[list[str]]:
    """Each command that is suggested after the one before, up to one that says nothing more, or trains for long."""
    done: list[list[str]] = []
    now = [str(word) for word in words]
    while now not in done:
        done.append(now)
        if now[0] == "train":
            return done
        said = say(*now)
        assert said.code == 0, said.err
        suggested = [line.removeprefix("next: ") for line in said.out.splitlines() if line.startswith("next: ")]
        if not suggested:
            return done
        verb, *now = shlex.split(suggested[-1])
        assert verb == "regard"
    raise AssertionError(f"a circle: {[*done, now]}")


def test_what_is_suggested_for_a_recording_leads_to_a_comparison_with_the_baseline(say, tiny_world: Path):
    ways = followed(say, "check", tiny_world)
    assert [words[0] for words in ways] == ["check", "show", "predict", "evaluate", "evaluate", "compare"]
    assert [words[2:] for words in ways[3:5]] == [["--model", "saliency"], ["--model", "centre-prior"]]
    assert [Path(file).name for file in ways[5][1:]] == ["centre-prior_items.parquet", "saliency_items.parquet"]


def test_a_baseline_is_first_in_a_comparison_also_in_a_folder_of_ones_own(say, tiny_world: Path, tmp_path: Path):
    ways = followed(say, "evaluate", tiny_world, "--model", "centre-prior", "--out", tmp_path / "own")
    assert [words[0] for words in ways] == ["evaluate", "evaluate", "compare"]
    assert ways[2][1:] == [str(tmp_path / "own" / f"{model}_items.parquet") for model in ("centre-prior", "saliency")]


def test_what_is_suggested_after_a_look_ahead_leads_to_training(say, tiny_world: Path):
    options = ["--model", "gaze-stays", "--horizon_s", "0.25"]
    ways = followed(say, "predict", tiny_world, *options)
    assert [words[0] for words in ways] == ["predict", "evaluate", "recipes", "train"]
    assert ways[1][2:] == options, "the model is asked the same"


def test_what_is_suggested_for_a_plain_video_leads_to_training(say, silent_video: Path):
    verbs = [words[0] for words in followed(say, "demo", silent_video)]
    assert verbs == ["demo", "predict", "recipes", "train"]


def test_what_is_suggested_about_weights_is_to_get_them(say):
    said = say("weights")
    assert said.out.splitlines()[-1] == "next: regard weights get glc_ego4d"
