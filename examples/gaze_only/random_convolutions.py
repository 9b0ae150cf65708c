"""Random convolutions: many fixed filters of a time series, and how often and how strongly each responds."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import conv1d

DILATIONS = (1, 2, 4, 8, 16, 32)
TAPS = 9
NUM_POOLS = 6
LEAST_SHARE = 0.02
"""Keeps the mean of responses finite where there are hardly any."""
MAX_CALIBRATION = 20_000
"""Samples that tell a filter's quantiles well enough."""


class RandomConvolutions(nn.Module):
    """`num_kernels` filters at each of six dilations that are drawn once and never trained.

    Each reads one to three of the channels; most ignore a constant. A filter's threshold is a random quantile of its
    responses to the trajectories that `calibrate` is shown. Of each filter come the share of samples above threshold
    (over the whole and each third), the mean of those responses and the highest.
    Source: Dempster et al., ROCKET, 2020, and MiniRocket, KDD 2021; the thirds and the choice of channels are ours.
    """

    weight: Tensor
    quantile: Tensor
    threshold: Tensor
    is_calibrated: Tensor

    def __init__(self, num_channels: int, num_kernels: int) -> None:
        super().__init__()
        shape = (len(DILATIONS), num_kernels)
        weight = torch.randn(*shape, num_channels, TAPS)
        is_centred = torch.rand(*shape, 1, 1) < 0.7
        weight = weight - weight.mean(dim=-1, keepdim=True) * is_centred
        rank = torch.rand(*shape, num_channels).argsort(dim=-1).argsort(dim=-1)
        count = torch.randint(1, 4, (*shape, 1))
        weight = weight * (rank < count)[..., None] / (TAPS * count[..., None]).sqrt()
        self.register_buffer("weight", weight)
        self.register_buffer("quantile", 0.1 + 0.8 * torch.rand(shape))
        self.register_buffer("threshold", torch.zeros(shape))
        self.register_buffer("is_calibrated", torch.tensor(False))
        self.num_features = len(DILATIONS) * num_kernels * NUM_POOLS

    @torch.no_grad()
    def calibrate(self, seen: Float[Tensor, "b c t"], real: Bool[Tensor, "b t"]) -> None:
        """Set the thresholds from these trajectories."""
        for i in range(len(DILATIONS)):
            responses = self._responses(seen, i).transpose(1, 2)[real]
            responses = responses[:: 1 + len(responses) // MAX_CALIBRATION].sort(dim=0).values
            at = (self.quantile[i] * (len(responses) - 1)).round().long()
            self.threshold[i] = responses.gather(0, at[None])[0]
        self.is_calibrated.fill_(True)

    @torch.no_grad()
    def forward(
        self, seen: Float[Tensor, "b c t"], real: Bool[Tensor, "b t"], weights: Float[Tensor, "b t 4"]
    ) -> Float[Tensor, "b k"]:
        """Six numbers a filter; `weights` are those of means over the whole and its thirds, 0 where not `real`."""
        found = []
        for i in range(len(DILATIONS)):
            above = self._responses(seen, i) - self.threshold[i, :, None]
            shares = (above > 0).to(seen.dtype) @ weights
            mean = above.clamp(min=0) @ weights[..., :1] / (shares[..., :1] + LEAST_SHARE)
            highest = above.masked_fill(~real[:, None], -torch.inf).amax(dim=2, keepdim=True)
            found.append(torch.cat([shares, mean, highest], dim=2).flatten(1))
        return torch.cat(found, dim=1)

    def _responses(self, seen: Float[Tensor, "b c t"], i: int) -> Float[Tensor, "b n t"]:
        return conv1d(seen, self.weight[i], padding=TAPS // 2 * DILATIONS[i], dilation=DILATIONS[i])
