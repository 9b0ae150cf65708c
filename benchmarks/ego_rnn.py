"""How fast ego-rnn and LSTA answer and train on a CPU, against the literal form: frame by frame through trunk and cell.

One clip of 25 frames of 224x224 at the published size, random weights whose normalisation is that of noise. In the
literal form each frame goes through the whole ResNet by itself and then through the cell's eight convolutions (LSTA's:
eight, and eight small ones); both forms are computed from regard's own weights. A training step of stage 1 trains the
cell and the classifier, one of stage 2 the trunk's last layers too. Then OpenVINO's form, and the memory of a training
step at batch 8, each in a process of its own: as it is, and with the trunk's last layers computed anew on the way back.

    python benchmarks/ego_rnn.py [--threads 1] [--rounds 3]    # about 6 minutes of one core; OpenVINO if it is there
"""

import multiprocessing
import os
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from forms import Form, asked, openvino_forms, peak_gb, take_turns
from regard.models import LSTA, EgoRNN
from regard.models.object_maps import ObjectTrunk

FRAMES, SIDE, BATCH = 25, 224, 8
Name = Literal["EgoRNN", "LSTA"]
Stage = Literal[1, 2]


def look(trunk: ObjectTrunk, frame: Tensor) -> tuple[Tensor, Tensor]:
    """One frame as published: the maps before the last normalisation, and the class activation map."""
    *layers, last_stage = trunk.maps.children()
    *blocks, last = last_stage.children()
    x = frame
    for part in (*layers, *blocks):
        x = part(x)
    change = last.conv2(functional.relu(last.bn1(last.conv1(x))))
    after = functional.relu(last.bn2(change) + x)
    weight = trunk.objects.weight[trunk.objects(after.mean((2, 3))).argmax(1)]
    return change + x, (weight[:, :, None, None] * after).sum(1)


def literal_ego_rnn(model: EgoRNN, video: Tensor) -> Tensor:
    """The logits, frame by frame."""
    drive, keep = model.memory.drive, model.memory.keep
    hidden = memory = None
    for frame in video.unbind(1):
        features, activation = look(model.trunk, frame)
        x = features * activation.flatten(1).softmax(1).view_as(activation)[:, None]
        if hidden is None:
            hidden = memory = torch.zeros_like(drive["i"](x))
        take, forget, candidate = (drive[gate](x) + keep[gate](hidden) for gate in "ifc")
        memory = candidate.tanh() * take.sigmoid() + memory * forget.sigmoid()
        hidden = (drive["o"](x) + keep["o"](hidden)).sigmoid() * memory.tanh()
    return model.classify(model.dropout(memory.mean((2, 3))))


def literal_lsta(model: LSTA, video: Tensor) -> Tensor:
    """The logits, frame by frame."""
    cell, state = model.cell, None
    for frame in video.unbind(1):
        features, activation = look(model.trunk, frame)
        activation = activation[:, None]
        if state is None:
            state = (*(torch.zeros_like(activation) for _ in range(2)), *(torch.zeros_like(features) for _ in range(2)))
        tracked, hidden, memory, give = state
        told = give * memory.tanh()
        ways = {g: cell.attend_keep[g](hidden) + cell.attend_drive[g](activation) for g in "ifao"}
        tracked = ways["f"].sigmoid() * tracked + ways["i"].sigmoid() * ways["a"].tanh()
        hidden = ways["o"].sigmoid() * tracked.tanh()
        x = features * (hidden + activation).flatten(1).softmax(1).view_as(activation)
        take, forget, candidate = (cell.keep[gate](told) + cell.drive[gate](x) for gate in "ifc")
        memory = forget.sigmoid() * memory + take.sigmoid() * candidate.tanh()
        votes = cell.pool(memory.mean((2, 3))) + cell.couple(x.mean((2, 3)))
        pooled = cell.pool.weight[votes.argmax(1)][:, :, None, None] * memory
        state = tracked, hidden, memory, (cell.give_hidden(told) + cell.give_pooled(pooled)).sigmoid()
    return model.classify(model.dropout(memory.mean((2, 3))))


LITERAL: dict[str, Callable[..., Tensor]] = {"EgoRNN": literal_ego_rnn, "LSTA": literal_lsta}


@torch.no_grad()
def built(name: Name) -> nn.Module:
    """The published size in eval mode, with normalisation statistics of noise."""
    torch.manual_seed(0)
    model = {"EgoRNN": EgoRNN, "LSTA": LSTA}[name](weights="random")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model.train()(torch.randn(2, 2, 3, SIDE, SIDE))
    return model.eval()


def train_at(model: nn.Module, stage: Stage) -> nn.Module:
    """Let it train what a stage trains."""
    model.trunk.requires_grad_(False)
    if stage == 2:
        model.trunk.objects.requires_grad_(True)
        for name, parameter in model.trunk.maps.layer4.named_parameters():
            parameter.requires_grad_(".conv" in name)
    return model


class LogitsOnly(nn.Module):
    """What OpenVINO converts: a model's first answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, video: Tensor) -> Tensor:
        """Class logits."""
        return self.model(video)[0]


def answering(model: Callable[[Tensor], Tensor], video: Tensor) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode():
            return model(video)

    return answer


def stepping(
    forward: Callable[[Tensor], Tensor], video: Tensor, model: nn.Module, stage: Stage
) -> Callable[[], Tensor]:
    """Forward and backward; what is compared is the gradient of the cell's first convolution."""
    cell = model.memory if isinstance(model, EgoRNN) else model.cell

    def step() -> Tensor:
        train_at(model, stage).zero_grad()
        functional.cross_entropy(forward(video), torch.tensor([3])).backward()
        return cell.drive["i"].weight.grad

    return step


def speed_table(rounds: int, threads: int) -> None:
    print(
        f"\n| one clip of {FRAMES} frames | model | form | wall s | CPU s | clips a CPU second | speed | difference |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in ("EgoRNN", "LSTA"):
        model, video = built(name), torch.randn(1, FRAMES, 3, SIDE, SIDE)
        ways = {"literal": lambda clip: LITERAL[name](model, clip), "regard": LogitsOnly(model)}  # noqa: B023 - this round's
        tables = {
            "answering": [Form(name=way, answer=answering(form, video)) for way, form in ways.items()]
            + openvino_forms(LogitsOnly(model), (video,), threads),
            "training step, stage 1": [Form(name=w, answer=stepping(f, video, model, 1)) for w, f in ways.items()],
            "training step, stage 2": [Form(name=w, answer=stepping(f, video, model, 2)) for w, f in ways.items()],
        }
        for what, forms in tables.items():
            take_turns(forms, rounds)
            for form in forms:
                print(
                    f"| {what} | {name} | {form.name} {form.precision} | {form.wall:.2f} | {form.cpu:.2f} "
                    f"| {1 / form.cpu:.2f} | {forms[0].cpu / form.cpu:.2f}x | {form.difference(forms[0]):.0e} |",
                    flush=True,
                )


class Recomputed(nn.Module):
    """A part whose insides are computed anew on the way back."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """The same."""
        return checkpoint(self.part, x, use_reentrant=False)


def peak_of_gb(name: Name, recomputed: bool, literal: bool) -> float:
    """Largest resident memory of a process that does a training step of stage 2, weights and Adam's memory included."""
    torch.set_num_threads(1)
    model, video = train_at(built(name), 2), torch.randn(BATCH, FRAMES, 3, SIDE, SIDE)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-4)
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    if recomputed:
        *blocks, last = model.trunk.maps.layer4.children()
        model.trunk.maps.layer4 = nn.Sequential(*map(Recomputed, blocks), last)
    forward = (lambda clip: LITERAL[name](model, clip)) if literal else LogitsOnly(model)
    functional.cross_entropy(forward(video), torch.arange(BATCH)).backward()
    optimizer.step()
    return peak_gb()


def memory_table() -> None:
    print(f"\n| peak memory of a step of stage 2 at batch {BATCH}, GB | literal | regard | regard, recomputing |")
    print("|---|---|---|---|")
    for name in ("EgoRNN", "LSTA"):
        peaks = []
        for recomputed, literal in ((False, True), (False, False), (True, False)):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                peaks.append(pool.apply(peak_of_gb, (name, recomputed, literal)))
        print(f"| {name} | " + " | ".join(f"{peak:.2f}" for peak in peaks) + " |", flush=True)


def main() -> None:
    options = asked(__doc__)
    speed_table(options.rounds, options.threads)
    memory_table()
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
