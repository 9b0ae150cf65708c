"""Direct optimisation through argmax: which way a gaze distribution should move so that its draws help to recognise.

A draw from a distribution is the argmax of its logits plus Gumbel noise, which has no gradient. Direct optimisation
draws a second time from scores that the loss has been taken off, and moves probability from the first draw to the
second: G = (first - second) / epsilon. That needs the loss of every draw that differs in one slot, 147 at 3 slots of
7x7 cells; because the head is linear in its attention map, all of them are one matrix product.
Source: Min & Corso, Integrating human gaze into attention for egocentric activity recognition, WACV 2021, after Song et
al., Training deep neural networks via direct loss minimization, ICML 2016; MichiganCOG/Gaze-Attention@def72a1.
"""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

FLOOR = 1e-10
"""Added inside both logarithms of the noise, as published: it stays below 23.03."""

Pairing = Literal["own", "published"]
"""Whose features a draw is tried on: see `candidate_losses`."""


class HeadWeights(NamedTuple):
    """A classifier that attends by a drawn gaze: m cells in all slots, c channels, k classes.

    Its answer is class_weight (mean of features x (1 + attention)) + class_bias, where attention is
    sigmoid(attention_weight draw + attention_bias) and a draw is 1 in one cell of each slot.
    """

    attention_weight: Float[Tensor, "m m"]
    attention_bias: Float[Tensor, "m"]
    class_weight: Float[Tensor, "k c"]
    class_bias: Float[Tensor, "k"]


def gumbel_noise(uniform: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Noise whose addition to logits makes their argmax a draw from their softmax, from numbers uniform in [0, 1)."""
    return -(FLOOR - (uniform + FLOOR).log()).log()


def hard_sample(scores: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """1 in the highest cell of each map (the first of equals), 0 elsewhere; no gradient."""
    flat = scores.detach().flatten(-2)
    return torch.zeros_like(flat).scatter_(-1, flat.argmax(-1, keepdim=True), 1.0).unflatten(-1, scores.shape[-2:])


@torch.no_grad()
def candidate_losses(
    sample: Float[Tensor, "b s h w"],
    features: Float[Tensor, "b c s h w"],
    label: Int64[Tensor, "b"],
    head: HeadWeights,
    *,
    pairing: Pairing = "own",
) -> Float[Tensor, "b s h w"]:
    """Cross-entropy, in nats, of each clip's class if the draw of one slot were in that cell and the others stayed.

    `sample` is 1 in one cell of each slot. "own" tries each clip's draws on its own features. "published" repeats an
    error: the draws of clip i for slot j are tried on the features of clip (i s + j) mod b, so it is right for b = 1.
    In full precision whatever the features' type: rounding would decide which draw is best.
    """
    with torch.autocast(features.device.type, enabled=False):
        head = HeadWeights(*(weight.float() for weight in head))
        per_cell = head.class_weight @ features.float().flatten(2) / sample[0].numel()  # b k m
        attention = torch.sigmoid(_moved(sample.float(), head))  # b s cells m
        b, slots, cells, m = attention.shape
        at_once = per_cell.sum(dim=-1) + head.class_bias
        if pairing == "own":
            logits = torch.bmm(attention.flatten(1, 2), per_cell.transpose(1, 2)) + at_once[:, None]
        else:
            whose = torch.arange(b * slots, device=features.device) % b
            logits = torch.bmm(attention.reshape(-1, cells, m), per_cell[whose].transpose(1, 2)) + at_once[whose, None]
        losses = functional.cross_entropy(
            logits.reshape(b * slots * cells, -1), label.repeat_interleave(slots * cells), reduction="none"
        )
    return losses.view_as(sample)


def direct_gradient(
    perturbed: Float[Tensor, "b s h w"], losses: Float[Tensor, "b s h w"], *, epsilon: float
) -> Float[Tensor, "b s h w"]:
    """By how much more each cell should lose than win: 1/epsilon at the draw, -1/epsilon at the better one, else 0.

    `perturbed` are logits plus noise. The smaller `epsilon`, the larger must a loss be to pull the draw away from it,
    and the less biased is the gradient; its variance grows.
    """
    return (hard_sample(perturbed) - hard_sample(perturbed.detach() - epsilon * losses)) / epsilon


def direct_loss(
    perturbed: Float[Tensor, "b s h w"],
    features: Float[Tensor, "b c s h w"],
    label: Int64[Tensor, "b"],
    head: HeadWeights,
    *,
    epsilon: float,
    pairing: Pairing = "own",
) -> Float[Tensor, "b"]:
    """A value for each clip whose gradient by `perturbed` is the direct one; nothing flows to features or head."""
    losses = candidate_losses(hard_sample(perturbed), features, label, head, pairing=pairing)
    return (direct_gradient(perturbed, losses, epsilon=epsilon) * perturbed).sum(dim=(1, 2, 3))


def published_epsilon(step: int) -> float:
    """Epsilon after so many steps: from 1000 down to 0.1 (from step 9,300 on), renewed every 100 steps."""
    return max(0.1, 1000 * math.exp(-1e-3 * (step // 100 * 100)))


def _moved(sample: Float[Tensor, "b s h w"], head: HeadWeights) -> Float[Tensor, "b s cells m"]:
    """What the attention's sigmoid gets, for each slot and each cell that its draw could be moved to."""
    slots = sample.shape[1]
    drawn = functional.linear(sample.flatten(1), head.attention_weight, head.attention_bias)
    column = head.attention_weight.T.unflatten(0, (slots, -1))  # slots, cells, m: what a draw there adds
    added = torch.einsum("bsc,scm->bsm", sample.flatten(2), column)
    return (drawn[:, None] - added)[:, :, None] + column
