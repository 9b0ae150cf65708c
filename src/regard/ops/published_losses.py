"""The losses that GLC and CSTS were trained with, as they were: the way round of the divergence matters.

Source: BolinLai/CSTS@8b94eec and BolinLai/GLC@0025371.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

PUBLISHED_TEMPERATURE = 2.0
"""Logits are divided by this before every softmax over a frame's cells."""
FLOOR = 1e-10
"""Added inside both logarithms: a cell without any target costs ln(1e10) = 23 nats per unit of answer."""
CONTRAST_TEMPERATURE = 0.05
SHORTEST = 1e-8
"""An embedding is divided by its length, and by no less than this."""


def published_density(logits: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """Probability of each cell of a frame, at the published temperature of 2."""
    return (logits.flatten(-2) / PUBLISHED_TEMPERATURE).softmax(dim=-1).unflatten(-1, logits.shape[-2:])


def published_kl(logits: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(answer || target) over ln(number of cells), one value a frame; 0 is perfect.

    The answer comes first: the reverse of the usual direction. It asks for the answer to lie within the target, and
    not to cover it. The published loss is the mean over frames.
    """
    answer = published_density(logits)
    nats = (answer * ((answer + FLOOR).log() - (target + FLOOR).log())).sum(dim=(-2, -1))
    return nats / math.log(logits.shape[-2] * logits.shape[-1])


def similarity(a: Float[Tensor, "n c"], b: Float[Tensor, "m c"]) -> Float[Tensor, "n m"]:
    """Cosine of the angle between any two embeddings."""
    a, b = (x / x.norm(dim=1, keepdim=True).clamp_min(SHORTEST) for x in (a, b))
    return a @ b.T


def contrastive_loss(a: Float[Tensor, "n c"], b: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """How badly each embedding finds its partner among all n, in nats, the two directions added; lower is better.

    Not averaged over the directions, as published. 0 for a single pair; n partners found by chance give 2 ln n.
    """
    logits = similarity(a, b) / CONTRAST_TEMPERATURE
    own = torch.arange(len(a), device=a.device)
    return functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)
