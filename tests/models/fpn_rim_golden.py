"""FPN-RIM with the weights and the inputs of a golden."""

import re
from functools import cache

import numpy as np
import torch
from torch import Tensor

from golden_rule import Golden, filled, generator, golden_input
from regard.models.fpn_rim import FPNRIM


@cache
def weight(name: str, shape: tuple[int, ...], by_inputs: bool) -> Tensor:
    """By the rule; those of units in "fanin" goldens over the root of their inputs."""
    if not by_inputs:
        return filled(name, shape)
    return torch.from_numpy(np.asarray(generator(name).standard_normal(shape), np.float32)) / shape[1] ** 0.5


def golden_state(golden: Golden) -> dict[str, Tensor]:
    is_fanin = "3-D" in golden.about["fill"]
    return {n: weight(n, tuple(s), is_fanin and n.endswith(".w")) for n, s in golden.about["state_dict"]}


def of_golden(golden: Golden) -> FPNRIM:
    """The published model of the golden's sizes, with its weights."""
    said = golden.about["ctor"]
    options = {
        "backbone": said["backbone_model"],
        "channels": int(said["out_channels"]),
        "scales": "finest" if said["fpn_only_use_last_layer"] == "True" else "every",
        "attend": "channels" if said["channel_wise_attention"] == "True" else "map",
        "memory": said["mode"].lower(),
        "hidden": int(said["rim_hidden_size"]),
        "layers": int(said["rim_layers"]),
        "copies": int(said["n_teacher_vals"]),
        "phases": "squashed" if said["predict_em"] == "True" else "none",
    }
    build = lambda: FPNRIM(weights="random", **options)  # noqa: E731
    return FPNRIM.from_published(golden_state(golden), build=build).eval()


def golden_video(golden: Golden) -> Tensor:
    drawn = golden_input("scanpath.video").standard_normal((2, 3, 5, 224, 224)).astype(np.float32)
    return torch.from_numpy(drawn)[:, :, : golden.about["T"]].transpose(1, 2)


def golden_labels(golden: Golden) -> tuple[Tensor, Tensor]:
    """Gaze in [-1, 1], and the number of each frame's phase."""
    label = golden_input("scanpath.labels").uniform(-1, 1, (2, 5, 2)).astype(np.float32)
    rows = re.findall(r"\[([\d, ]+)\]", golden.about["inputs"]["em_phase"])
    return torch.from_numpy(label)[:, : golden.about["T"]], torch.tensor([[int(n) for n in r.split(",")] for r in rows])


GOLDENS = [
    *(f"fanin_{n}" for n in ("step1", "clip5", "em_teacher", "alllayers", "channelwise", "mnv3small_2layer")),
    *(f"full_{n}" for n in ("step1", "clip5", "lstm", "lstm_teacher")),
]
