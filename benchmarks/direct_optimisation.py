"""What direct optimisation through argmax costs: the losses of all draws, and its share of a training step.

At batch 8, against all 147 candidate attention maps of a clip put through the published head at once, and against 147
calls of that head; random weights, the published size.

    python benchmarks/direct_optimisation.py [--threads 1] [--rounds 5]    # part of action_models.py
"""

import torch
from torch import Tensor
from torch.nn import functional

from forms import Form, asked, take_turns
from regard.models.gaze_attention import GazeAttention
from regard.ops.direct_optimisation import HeadWeights, candidate_losses, direct_loss, gumbel_noise, hard_sample

BATCH, CLASSES, CHANNELS, GRID = 8, 106, 1024, (3, 7, 7)
CELLS = GRID[0] * GRID[1] * GRID[2]


def published_head(sample: Tensor, features: Tensor, head: HeadWeights) -> Tensor:
    """Attention head as published: features times attention, mean, plus the features' mean, one linear layer."""
    attention = torch.sigmoid(functional.linear(sample.flatten(1), head.attention_weight, head.attention_bias))
    attended = (features * attention.view(-1, 1, *GRID)).mean(dim=(2, 3, 4))
    return functional.linear(attended + features.mean(dim=(2, 3, 4)), head.class_weight, head.class_bias)


@torch.no_grad()
def losses_at_once(sample: Tensor, features: Tensor, label: Tensor, head: HeadWeights) -> Tensor:
    """All candidates of a clip as one batch, clip by clip: 147 maps, 147 times its features."""
    candidates = candidates_of(sample)
    losses = [
        functional.cross_entropy(
            published_head(candidates[i], features[i].expand(CELLS, -1, -1, -1, -1), head),
            label[i].expand(CELLS),
            reduction="none",
        )
        for i in range(len(sample))
    ]
    return torch.stack(losses).view_as(sample)


@torch.no_grad()
def losses_by_calls(sample: Tensor, features: Tensor, label: Tensor, head: HeadWeights) -> Tensor:
    """One candidate of every clip at a time: 147 calls, and nothing computed twice but the attended mean."""
    candidates, flat, mean = candidates_of(sample), features.flatten(2), features.mean(dim=(2, 3, 4))
    losses = []
    for k in range(CELLS):
        drawn = functional.linear(candidates[:, k].flatten(1), head.attention_weight, head.attention_bias)
        attended = torch.bmm(flat, torch.sigmoid(drawn)[..., None])[..., 0] / CELLS
        logits = functional.linear(attended + mean, head.class_weight, head.class_bias)
        losses.append(functional.cross_entropy(logits, label, reduction="none"))
    return torch.stack(losses, dim=1).view_as(sample)


def candidates_of(sample: Tensor) -> Tensor:
    """(b, 147, 3, 7, 7): the draws that differ from a clip's own in one slot at most."""
    b, slots, h, w = sample.shape
    one_hot = torch.eye(h * w).view(h * w, h, w)
    candidates = sample[:, None, None].expand(b, slots, h * w, *GRID).clone()
    for slot in range(slots):
        candidates[:, slot, :, slot] = one_hot
    return candidates.flatten(1, 2)


def direct_case(b: int) -> tuple[Tensor, Tensor, Tensor, HeadWeights]:
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(b, *GRID, generator=g) + gumbel_noise(torch.rand(b, *GRID, generator=g))
    features = torch.randn(b, CHANNELS, *GRID, generator=g).relu()
    head = HeadWeights(
        torch.randn(CELLS, CELLS, generator=g),
        torch.randn(CELLS, generator=g),
        torch.randn(CLASSES, CHANNELS, generator=g) / 8,
        torch.randn(CLASSES, generator=g),
    )
    return scores, features, torch.randint(CLASSES, (b,), generator=g), head


def direct_table(rounds: int) -> None:
    """Twice as many rounds as elsewhere."""
    scores, features, label, head = direct_case(BATCH)
    sample = hard_sample(scores)
    forms = [
        Form(name="147 maps at once", answer=lambda: losses_at_once(sample, features, label, head)),
        Form(name="147 head calls", answer=lambda: losses_by_calls(sample, features, label, head)),
        Form(name="regard", answer=lambda: candidate_losses(sample, features, label, head)),
        Form(
            name="regard, mixed as published",
            answer=lambda: candidate_losses(sample, features, label, head, pairing="published"),
        ),
    ]
    take_turns(forms, 2 * rounds)
    print(f"\n| candidate losses, batch {BATCH} | wall ms | CPU ms | speed over at once | over calls | difference |")
    print("|---|---|---|---|---|---|")
    for form in forms:
        differs = "by design" if "mixed" in form.name else f"{form.difference(forms[0]):.0e}"
        print(
            f"| {form.name} | {1e3 * form.wall:.1f} | {1e3 * form.cpu:.1f} | {forms[0].cpu / form.cpu:.0f}x "
            f"| {forms[1].cpu / form.cpu:.1f}x | {differs} |"
        )


def training_step(b: int, *, half: bool) -> tuple[Form, Form]:
    """A whole step on b clips without the direct term, and that term with its gradient, on what the model made."""
    torch.manual_seed(0)
    model = GazeAttention().train()
    video, flow = torch.randn(b, 24, 3, 224, 224), torch.randn(b, 24, 2, 224, 224)
    label, target = torch.arange(b), torch.full((b, *GRID), 1 / 49)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    kept: list[tuple[Tensor, Tensor]] = []

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            answer = model(video, flow, gumbel_noise(torch.rand(b, *GRID)))
        kept[:] = [(answer.perturbed.detach(), answer.features.detach())]
        kl = -(target * answer.gaze_logits.flatten(2).log_softmax(2).view_as(target)).sum()
        loss = functional.cross_entropy(answer.logits.float(), label) + kl
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def direct() -> Tensor:
        perturbed = kept[0][0].requires_grad_()
        loss = direct_loss(perturbed, kept[0][1], label, model.head.weights(), epsilon=10.0).mean()
        (gradient,) = torch.autograd.grad(loss, perturbed)
        return gradient

    return Form(name="bf16" if half else "fp32", answer=step), Form(name="direct term", answer=direct)


def share_table(rounds: int) -> None:
    b = 2
    print(f"\n| training step, batch {b} | CPU s | direct term, CPU ms | its share |")
    print("|---|---|---|---|")
    for half in (False, True):
        step, direct = training_step(b, half=half)
        take_turns([step, direct], rounds)
        share = direct.cpu / (step.cpu + direct.cpu)
        print(f"| GazeAttention, {step.name} | {step.cpu:.2f} | {1e3 * direct.cpu:.2f} | {100 * share:.2f} % |")


if __name__ == "__main__":
    rounds = asked(__doc__).rounds
    direct_table(rounds)
    share_table(rounds)
