"""GazeMixture: where gaze goes next, from somebody's own path alone; no picture is seen."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int8
from torch import Tensor, nn

from regard.ops.student_mixture import PARAMETERS, draw
from regard.types import GazeState

__all__ = ["GazeMixture"]

LAGS = (1, 2, 4)
"""Moments back to which the last steps are told."""
FINE = 400.0
"""Steps are told as asinh(FINE times their share of the width): linear below three thousandths, then by size."""
RECENT = 0.3
"""Weight of the newest measurement in the running mean."""
LONG = 30
"""Moments without gaze after which more of them change nothing."""
SCALES = (math.exp(-6.5), math.exp(-1.0))
"""Of the first and of the last component before training, in widths: from the noise of a still eye to the screen."""
STATES = (GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT)


class Next(NamedTuple):
    """The mixture of the next place, and what the eye then does (FIXATION, SACCADE, PURSUIT), by component."""

    mixture: Float[Tensor, "b t k 7"]
    state_logits: Float[Tensor, "b t k 3"]


class PathState(NamedTuple):
    """What the network keeps of a path: its memory, the last places in widths, their running mean, and for how long
    nothing has been measured."""

    memory: Float[Tensor, "1 b n"]
    recent: Float[Tensor, "b l 2"]
    mean: Float[Tensor, "b 2"]
    since: Float[Tensor, "b"]


class GazeMixture(nn.Module):
    """A recurrent network that reads gaze moment by moment and answers with a mixture of where it will be at the next.

    A quarter of the `components` lies about the middle of the picture, the others about the last measured place. Each
    also says what the eye will be doing if it goes there, so that paths can be drawn (`sample`). `aspect` is the
    picture's width over its height. `states` False reads places alone. `dropout` is of what is read and remembered.
    """

    def __init__(
        self,
        *,
        width: int = 192,
        components: int = 12,
        aspect: float = 16 / 9,
        states: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.components, self.aspect, self.states = components, aspect, states
        told = 2 + 3 * len(LAGS) + 2 + 2 + (len(GazeState) if states else 0)
        self.read = nn.Sequential(nn.Linear(told, width), nn.GELU(), nn.Dropout(dropout))
        self.recurrent = nn.GRU(width, width, batch_first=True)
        self.hidden = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, width), nn.GELU())
        self.place = nn.Linear(width, components * PARAMETERS)
        self.state = nn.Linear(width, components * len(STATES))
        self.about_middle = components // 4
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Components from narrow to wide, the narrow ones likelier: what an eye does that mostly stays."""
        nn.init.normal_(self.place.weight, std=0.02)
        bias = torch.zeros(self.components, PARAMETERS)
        bias[:, 0] = torch.linspace(1, -1, self.components)
        bias[:, 3] = bias[:, 4] = torch.linspace(math.log(SCALES[0]), math.log(SCALES[1]), self.components)
        bias[:, 6] = 1
        self.place.bias.copy_(bias.flatten())

    def forward(
        self,
        observed_point: Float[Tensor, "b t 2"],
        observed_valid: Bool[Tensor, "b t"],
        observed_state: Int8[Tensor, "b t"] | None = None,
        *,
        state: PathState | None = None,
    ) -> tuple[Next, PathState]:
        """What comes after each moment, and the state after the last, with which the next moments go on."""
        last, told, kept = self._told(observed_point, observed_valid, observed_state, state)
        read = self.read(told)
        remembered, memory = self.recurrent(read, None if state is None else state.memory)
        hidden = self.hidden(torch.cat([read, remembered], -1))
        state_logits = self.state(hidden).unflatten(-1, (self.components, len(STATES)))
        return Next(self._mixture(self.place(hidden), last), state_logits), kept._replace(memory=memory)

    @torch.no_grad()
    def sample(
        self, start: Float[Tensor, "b 2"], num_moments: int, *, generator: torch.Generator
    ) -> tuple[Float[Tensor, "b t 2"], Int8[Tensor, "b t"]]:
        """Paths that a person could have looked along, from places that are fixated; and what the eye did."""
        fixated = torch.full((len(start),), int(GazeState.FIXATION), dtype=torch.int8, device=start.device)
        points, kinds, state = [start], [fixated], None
        names = torch.tensor(STATES, dtype=torch.int8, device=start.device)
        for _ in range(num_moments - 1):
            measured = torch.ones_like(fixated, dtype=torch.bool)[:, None]
            answer, state = self(points[-1][:, None], measured, kinds[-1][:, None], state=state)
            point, component = draw(answer.mixture[:, 0], generator=generator)
            logits = answer.state_logits[torch.arange(len(start)), 0, component]
            points.append(point)
            kinds.append(names[torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]])
        return torch.stack(points, 1), torch.stack(kinds, 1)

    def _told(
        self,
        point: Float[Tensor, "b t 2"],
        valid: Bool[Tensor, "b t"],
        kind: Int8[Tensor, "b t"] | None,
        state: PathState | None,
    ) -> tuple[Float[Tensor, "b t 2"], Float[Tensor, "b t n"], PathState]:
        """The last measured place at each moment (before any, the middle), what the network is told, what is kept."""
        b, t = valid.shape
        widths = point.new_tensor([1.0, 1 / self.aspect])
        before = (0.5 * widths).expand(b, 2) if state is None else state.recent[:, -1]
        moment = torch.arange(t, device=point.device)
        newest = torch.where(valid, moment, -1).cummax(1).values
        held = (point.nan_to_num(0.5) * widths).gather(1, newest.clamp_min(0)[..., None].expand(-1, -1, 2))
        last = torch.where((newest >= 0)[..., None], held, before[:, None])
        recent = last[:, :1].expand(-1, max(LAGS), -1) if state is None else state.recent
        path = torch.cat([recent, last], 1)
        told = [2 * last / widths - 1]
        for lag in LAGS:
            step = last - path[:, max(LAGS) - lag : max(LAGS) - lag + t]
            told += [(FINE * step).asinh() / 4, (FINE * step.norm(dim=-1, keepdim=True)).asinh() / 4]
        mean = self._running_mean(last, last[:, 0] if state is None else state.mean)
        told.append((FINE * (mean - last)).asinh() / 4)
        waited = point.new_zeros(b) if state is None else state.since
        since = torch.where(newest >= 0, moment - newest, waited[:, None] + moment + 1).clamp_max(LONG)
        told += [valid[..., None].float(), since[..., None] / 10]
        if self.states:
            known = torch.zeros_like(valid, dtype=torch.long) if kind is None else kind.long()
            told.append(nn.functional.one_hot(torch.where(valid, known, 0), len(GazeState)).float())
        memory = point.new_zeros(1, b, self.recurrent.hidden_size)
        kept = PathState(memory=memory, recent=path[:, -max(LAGS) :], mean=mean[:, -1], since=since[:, -1])
        return last / widths, torch.cat(told, -1), kept

    @staticmethod
    def _running_mean(last: Float[Tensor, "b t 2"], before: Float[Tensor, "b 2"]) -> Float[Tensor, "b t 2"]:
        """An exponential mean of the places so far, in one product: each place fades as the newer ones come."""
        age = torch.arange(last.shape[1], device=last.device)
        kept = 1 - RECENT
        weight = torch.where(age[:, None] >= age, RECENT * kept ** (age[:, None] - age).clamp_min(0), 0.0)
        return weight @ last + kept ** (age[:, None] + 1) * before[:, None]

    def _mixture(self, raw: Float[Tensor, "b t n"], last: Float[Tensor, "b t 2"]) -> Float[Tensor, "b t k 7"]:
        weight, x, y, scale_x, scale_y, correlation, freedom = raw.unflatten(-1, (self.components, PARAMETERS)).unbind(
            -1
        )
        is_absolute = torch.arange(self.components, device=raw.device) < self.about_middle
        reach = torch.where(is_absolute, 0.3, 0.05)
        from_x, from_y = (torch.where(is_absolute, 0.5, last[..., axis, None]) for axis in (0, 1))
        return torch.stack(
            [
                weight.log_softmax(-1),
                from_x + reach * x,
                from_y + reach * y * self.aspect,
                scale_x.clamp(-9, 1).exp(),
                scale_y.clamp(-9, 1).exp() * self.aspect,
                0.98 * correlation.tanh(),
                2 + 3 * nn.functional.softplus(freedom),
            ],
            -1,
        )
