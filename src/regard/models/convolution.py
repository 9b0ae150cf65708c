"""Convolutions over time and space in the forms that are fastest, equal to a rounding: for whole networks of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def convolved(
    x: Float[Tensor, "b i t h w"],
    convolution: nn.Conv3d,
    norm: nn.BatchNorm3d | None = None,
    *,
    padding: Sequence[int] | None = None,
) -> Float[Tensor, "b o t2 h2 w2"]:
    """A convolution, and what a normalisation makes of it, on tensors whose channels lie last in memory.

    Where the normalisation goes by its running statistics, it is multiplied into the weights. A convolution of one
    place is a matrix product, which torch's is not on a CPU. `padding` in place of the convolution's own.
    """
    weight, bias = convolution.weight, convolution.bias
    if norm is not None and not norm.training:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = -norm.running_mean if bias is None else bias - norm.running_mean
        weight, bias, norm = weight * scale[:, None, None, None, None], norm.bias + shift * scale, None
    ends = convolution.padding if padding is None else padding
    if convolution.kernel_size == (1, 1, 1) and not any(ends):
        t, h, w = convolution.stride
        seen = x[:, :, ::t, ::h, ::w].permute(0, 2, 3, 4, 1)
        answer = functional.linear(seen, weight.flatten(1), bias).permute(0, 4, 1, 2, 3)
    else:
        answer = functional.conv3d(x, weight, bias, stride=convolution.stride, padding=ends, groups=convolution.groups)
        answer = answer.contiguous(memory_format=torch.channels_last_3d)  # for one short clip, torch forgets it
    return answer if norm is None else norm(answer)
