"""How fast FPN-RIM goes through a 5 s clip, against the form in which it was published: frame by frame, all of it.

150 frames of 224 x 224 at the published size (mobilenet_v3_large, 6 units of 400), one clip, random weights, answering
and in a training step (forward and backward). The literal form looks at each frame, makes every scale of the pyramid,
projects the frame's map and a row of zeros, multiplies what is fed back as often as it stands there, and attends to one
element; "features at once" is the same with the network and the pyramid over all frames together, as the thesis' code
does it. Both are computed from regard's own weights, and what they answer is compared.

    python benchmarks/fpn_rim.py [--threads 1] [--rounds 2]    # about 4 minutes of one core
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from forms import Form, asked, take_turns
from regard.models.feature_pyramid import started
from regard.models.fpn_rim import FPNRIM
from regard.models.rim_cell import KEY_WIDTH, TALK_HEADS, TALK_KEY_WIDTH, RIMCell, active_units

FRAMES, SIDE = 150, 224


class LiteralPyramid(nn.Module):
    """The backbone as it is, and all scales of the pyramid, of which the finest is read."""

    def __init__(self, model: FPNRIM) -> None:
        super().__init__()
        self.pyramid = model.pyramid
        self.unread = nn.ModuleList(started(nn.Conv2d(8, 8, 3, padding=1)) for _ in model.pyramid.cuts[1:])

    def forward(self, image: Tensor) -> Tensor:
        """The finest map of each picture, flat."""
        x, maps = image, []
        for name, part in self.pyramid.body.named_children():
            x = part(x)
            if name in self.pyramid.cuts:
                maps.append(x)
        merged, scales = None, []
        for layer, level in zip(reversed(self.pyramid.across), reversed(maps), strict=True):
            own = layer(level)
            merged = own if merged is None else own + functional.interpolate(merged, own.shape[-2:])
            scales.append(merged)
        finest, *_ = [
            layer(level) for layer, level in zip((*self.pyramid.smooth, *self.unread), reversed(scales), strict=True)
        ]
        return finest.flatten(1)


def units(x: Tensor, weight: Tensor) -> Tensor:
    """(b, u, i) through each unit's own matrix."""
    return torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)


def literal_step(cell: RIMCell, x: Tensor, hidden: Tensor, memory: Tensor, fed: Tensor) -> tuple[Tensor, Tensor]:
    """One moment of one layer, as the description goes; states are (b, u, h)."""
    b, u = hidden.shape[:2]
    rows = torch.cat([x[:, None], torch.zeros_like(x[:, None])], dim=1)
    key = cell.key(rows).unflatten(-1, (cell.heads, -1)).transpose(1, 2)
    value = cell.value(rows).unflatten(-1, (cell.heads, -1)).transpose(1, 2).mean(1)
    query = units(hidden, cell.query.weight).unflatten(-1, (cell.heads, -1)).transpose(1, 2)
    share = (query @ key.transpose(-2, -1) / math.sqrt(KEY_WIDTH)).mean(1).softmax(-1)
    mask = active_units(share[..., 1], cell.active)[..., None].float()
    inputs = torch.cat([share @ value * mask, fed.repeat(1, cell.copies)[:, None].expand(b, u, -1)], dim=-1)
    gates = units(inputs, cell.drive.weight) + units(hidden, cell.keep.weight)
    take, forget, give, candidate = gates.chunk(4, dim=-1)
    new_memory = forget.sigmoid() * memory + take.sigmoid() * candidate.tanh()
    new = give.sigmoid() * new_memory.tanh()
    new = new.detach() + mask * (new - new.detach())
    query, key, value = (
        units(new, layer.weight).unflatten(-1, (TALK_HEADS, -1)).transpose(1, 2)
        for layer in (cell.talk_query, cell.talk_key, cell.talk_value)
    )
    told = (query @ key.transpose(-2, -1) / math.sqrt(TALK_KEY_WIDTH)).softmax(-1) * mask[:, None] @ value
    talked = units(told.transpose(1, 2).flatten(2), cell.talk_merge.weight) + new
    return mask * talked + (1 - mask) * hidden, mask * new_memory + (1 - mask) * memory


class LiteralFPNRIM(nn.Module):
    """FPN-RIM frame by frame, with a model's weights; `at_once`: features of all frames together."""

    def __init__(self, model: FPNRIM, *, at_once: bool) -> None:
        super().__init__()
        self.at_once, self.cell, self.look = at_once, model.memory.cells[0], LiteralPyramid(model)
        self.size = (model.units, model.memory.hidden)
        width = model.memory.width
        self.attention = nn.MultiheadAttention(width, 2)
        self.attention.out_proj = model.head.out
        with torch.no_grad():
            self.attention.in_proj_weight[2 * width :] = model.head.value.weight
            self.attention.in_proj_bias[2 * width :] = model.head.value.bias

    def forward(self, video: Tensor) -> Tensor:
        """Gaze in normalised coordinates."""
        b, t = video.shape[:2]
        hidden = memory = video.new_zeros(b, *self.size)
        answer, answers = video.new_zeros(b, 2), []
        seen = self.look(video.flatten(0, 1)).unflatten(0, (b, t)) if self.at_once else None
        for i in range(t):
            x = self.look(video[:, i]) if seen is None else seen[:, i]
            hidden, memory = literal_step(self.cell, x, hidden, memory, answer)
            held = hidden.flatten(1)[None]
            answer = self.attention(held, held, held)[0][0].tanh()
            answers.append(answer)
        return (torch.stack(answers, dim=1) + 1) / 2


def answering(model: Callable[[Tensor], Tensor], video: Tensor) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode():
            return model(video)

    return answer


def training(model: Callable[[Tensor], Tensor], video: Tensor, weights: nn.Module) -> Callable[[], Tensor]:
    """A step; what is compared is the gradient of the first layer after the backbone's finest cut."""
    target = torch.full((*video.shape[:2], 2), 0.3)

    def step() -> Tensor:
        weights.zero_grad()
        functional.mse_loss(model(video), target).backward()
        return weights.pyramid.across[0].weight.grad

    return step


def steps_table(rounds: int) -> None:
    """Frames a second, each form against the literal one."""
    torch.manual_seed(0)
    model, video = FPNRIM(weights="random").train(), torch.randn(1, FRAMES, 3, SIDE, SIDE)
    forms = {"answering": answering, "training step": lambda form, clip: training(form, clip, model)}
    print("\n| FPN-RIM, a 5 s clip | form | wall s | CPU s | frames a CPU second | speed | difference |")
    print("|---|---|---|---|---|---|---|")
    for name, made in forms.items():
        ways = {
            "literal, frame by frame": LiteralFPNRIM(model, at_once=False).train(),
            "literal, features at once": LiteralFPNRIM(model, at_once=True).train(),
            "regard": lambda clip: model(clip)[0],
        }
        rows = [Form(name=way, answer=made(form, video)) for way, form in ways.items()]
        model.train()  # the literal forms' train() reached the backbone too
        take_turns(rows, rounds)
        for form in rows:
            print(
                f"| {name} | {form.name} | {form.wall:.2f} | {form.cpu:.2f} | {FRAMES / form.cpu:.1f} "
                f"| {rows[0].cpu / form.cpu:.1f}x | {form.difference(rows[0]):.0e} |",
                flush=True,
            )


if __name__ == "__main__":
    steps_table(asked(__doc__).rounds)
