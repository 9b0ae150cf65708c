"""The command that each one ends with can be run, and following them comes to an end."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest


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


@pytest.mark.parametrize("first", [["check"], ["predict", "--model", "gaze-stays", "--horizon_s", "0.25"]])
def test_what_is_suggested_for_a_recording_leads_to_training(say, tiny_world: Path, first: list[str]):
    verb, *options = first
    ways = followed(say, verb, tiny_world, *options)
    verbs = [words[0] for words in ways]
    assert verbs == ["check", "show", "predict", "evaluate", "recipes", "train"][-len(verbs) :]
    assert ways[-3][2:] == (options or ["--model", "saliency"]), "the model is asked the same"


def test_what_is_suggested_for_a_plain_video_leads_to_training(say, silent_video: Path):
    verbs = [words[0] for words in followed(say, "demo", silent_video)]
    assert verbs == ["demo", "predict", "recipes", "train"]


def test_what_is_suggested_about_weights_is_to_get_them(say):
    said = say("weights")
    assert said.out.splitlines()[-1] == "next: regard weights get glc_ego4d"
