"""FPN-RIM: where somebody who watches a video looks, frame by frame, as one path: a feature pyramid and a memory.

An ImageNet network that does not learn looks at each frame; a feature pyramid makes a fine map of what it gives; a
stack of Recurrent Independent Mechanisms (or an LSTM) reads the map and is fed the model's own last answer; two linear
layers answer. Pictures, and all that needs only them, are computed for all frames at once.

Source: spreeni/thesis_gaze_prediction@63eb1dc (master thesis on GazeCom, 2022; its result tables are not public). Its
output attention has one element to attend to, so that of it only the two linear layers are left, which are one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.backbones import Weights
from regard.models.feature_pyramid import BackboneName, Pyramid, TrunkState, published_names_of
from regard.models.path_head import PathHead, from_line, onto_line
from regard.models.plain_memory import PLAIN_RULES, PlainMemory
from regard.models.published import Rules, bare_state, built_from
from regard.models.rim import RIM, RIMState, published_rules
from regard.models.rim_cell import CellName
from regard.tracks import PHASES
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["FPNRIM", "FPNRIMState"]

SEEDS = 2**63
"""How many seeds a torch generator tells apart."""


class FPNRIMState(NamedTuple):
    """All that the model keeps of the frames it has seen, for each of b videos."""

    memory: RIMState
    fed: Float[Tensor, "u b k"]
    """What each unit is fed beside the next frame."""
    point: Float[Tensor, "b 2"]
    """Where the last answer was, in the model's own terms; 0 before the first frame."""
    taught: Float[Tensor, "b 2"]
    """Where the gaze truly was then, likewise; NaN where nobody said."""


class FPNRIM(nn.Module):
    """Gaze at every frame, from that frame and those before it. 49.3 million parameters, 46.3 of which learn.

    `video` is RGB normalised by ImageNet's mean and standard deviation, frames of `size` (height, width).
    - `trunk` is what training does to the `backbone` (see `TrunkState`); the pyramid has `channels`.
    - `scales`: the finest map is read, or every. `attend`: units attend to the map as a whole, or to its channels.
      `places` adds to the maps a learned map of each place: once, or twice, as in the published branch.
    - `memory`: a RIM of `layers` with `units` of `hidden` numbers, of which `active` go on at a time, or an LSTM of
      `hidden` numbers. It begins with zeros (`begins`), or with random numbers, as the published LSTM does.
    - `copies`: how many times the last answer is fed back (0: not at all).
    - `answers`: points, or the steps from one to the next, as in a published branch.
    - `phases`: also scores of PHASES; "squashed" to [-1, 1], as published.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)
    exported: ClassVar[str] = "advance"

    def __init__(
        self,
        *,
        backbone: BackboneName = "mobilenet_v3_large",
        weights: Weights = "imagenet",
        trunk: TrunkState = "frozen",
        size: tuple[int, int] = (224, 224),
        channels: int = 8,
        scales: Literal["finest", "every"] = "finest",
        attend: Literal["map", "channels"] = "map",
        places: Literal["none", "once", "twice"] = "none",
        memory: Literal["rim", "lstm"] = "rim",
        cell: CellName = "lstm",
        hidden: int = 400,
        units: int = 6,
        active: int = 4,
        layers: int = 1,
        heads: int = 2,
        input_dropout: float = 0.0,
        talk_dropout: float = 0.0,
        copies: int = 50,
        answers: Literal["points", "steps"] = "points",
        phases: Literal["none", "scores", "squashed"] = "none",
        begins: Literal["zeros", "random"] = "zeros",
    ) -> None:
        super().__init__()
        if attend == "channels" and (scales == "every" or memory == "lstm"):
            raise RecipeError(
                "FPNRIM",
                found=f"attend: channels, with {'scales: every' if scales == 'every' else 'memory: lstm'}",
                wanted="one map, and units that attend to its channels",
                do="take scales: finest and memory: rim, or attend: map",
            )
        self.size = (size[0], size[1])
        self.backbone: BackboneName = backbone
        self.cell: CellName = cell
        self.attend, self.places_count = attend, ("none", "once", "twice").index(places)
        self.steps, self.phases, self.begins, self.copies = answers == "steps", phases, begins, copies
        self.pyramid = Pyramid(
            backbone, weights=weights, trunk=trunk, size=size, channels=channels, every=scales == "every"
        )
        grids = self.pyramid.sizes
        self.places = nn.ParameterList(torch.randn(channels, h, w) for h, w in grids if self.places_count)
        numbers = sum(h * w for h, w in grids) * (1 if attend == "channels" else channels)
        self.width = 2 if phases == "none" else 2 + len(PHASES)
        self.memory = (
            PlainMemory(numbers, hidden=hidden, fed=self.width, copies=copies)
            if memory == "lstm"
            else RIM(
                numbers,
                hidden=hidden,
                units=units,
                active=active,
                layers=layers,
                cell=cell,
                heads=heads,
                fed=self.width,
                copies=copies,
                input_dropout=input_dropout,
                talk_dropout=talk_dropout,
            )
        )
        self.head = PathHead(self.memory.width, self.width)

    @property
    def units(self) -> int:
        """How many units are fed each on its own; 1 for an LSTM."""
        return self.memory.units

    def forward(
        self,
        video: Float[Tensor, "b t 3 h w"],
        *,
        state: FPNRIMState | None = None,
        teacher: Float[Tensor, "b t j"] | None = None,
        taught: Bool[Tensor, "b t u"] | None = None,
    ) -> tuple[Float[Tensor, "b t k"], FPNRIMState]:
        """Gaze in normalised image coordinates (and then the phase scores), and the state after the last frame.

        `teacher` is the true gaze of these frames (and then 1 for its phase, 0 for the others), NaN where unknown: of
        each frame, it is fed beside the next one in place of the model's own answer. `taught` is True for the units
        that are told it; all, where nothing is said.
        """
        seen = self.memory.read(self._rows(video))
        state = self.begin(len(video)) if state is None else state
        label = None if teacher is None else self._in_own_terms(teacher, state.taught)
        answers, memory, fed = [], state.memory, state.fed
        weight, bias = self.head.folded()
        step: Any = self.memory.step
        for i, now in enumerate(seen):
            held, _, memory = step(now, memory, fed)
            answer = self._finished(torch.addmm(bias, held, weight.T))
            answers.append(answer)
            fed = self._fed(answer).expand(self.units, -1, -1)
            if label is not None:
                is_told = ~label[:, i].isnan()
                is_told = is_told if taught is None else is_told & taught[:, i].T[..., None]
                fed = torch.where(is_told, label[:, i].nan_to_num(), fed)
        answer = torch.stack(answers, dim=1)
        point = answer[..., :2] if not self.steps else state.point[:, None] + answer[..., :2].cumsum(dim=1)
        gaze = from_line(point) if self.steps else (point + 1) / 2
        true = torch.full_like(point[:, -1], torch.nan) if teacher is None else self._placed(teacher[:, -1, :2])
        return torch.cat([gaze, answer[..., 2:]], dim=-1), FPNRIMState(memory, fed, point[:, -1], true)

    def begin(self, b: int = 1, *, seeds: Sequence[int] | None = None, twin: bool = False) -> FPNRIMState:
        """Before the first frame of b videos.

        `seeds`, one for each, draw what the first layer begins with (the branch "seeding_hidden_state"; see
        `observer_seed`); `twin`: an LSTM's own memory begins with the same numbers, as published.
        """
        memory = self.memory.begin(b)
        hidden, own = memory
        if seeds is not None:
            drawn = _drawn(hidden[0], seeds, parts=1 if own is None or twin else 2)
            memory = RIMState((drawn[0], *hidden[1:]), None if own is None else (drawn[-1], *own[1:]))
        elif self.begins == "random":
            others = None if own is None else tuple(map(torch.randn_like, own))
            memory = RIMState(tuple(map(torch.randn_like, hidden)), others)
        zeros = self.head.out.weight.new_zeros(b, self.width)
        return FPNRIMState(memory, zeros.expand(self.units, -1, -1), zeros[:, :2], zeros[:, :2])

    def step(self, frame: Float[Tensor, "b 3 h w"], state: FPNRIMState) -> tuple[Float[Tensor, "b k"], FPNRIMState]:
        """The answer about the next frame: equal to that of all frames at once."""
        answer, fed, point, *memory = self.advance(frame, state.fed.transpose(0, 1), state.point, *state.memory.parts())
        unknown = torch.full_like(point, torch.nan)
        return answer, FPNRIMState(RIMState.of(memory), fed.transpose(0, 1), point, unknown)

    def advance(
        self,
        frame: Float[Tensor, "b 3 h w"],
        fed: Float[Tensor, "b u k"],
        point: Float[Tensor, "b 2"],
        *memory: Float[Tensor, "b cells u n"],
    ) -> tuple[Tensor, ...]:
        """The same of a state that is given in parts: the answer, and the next `fed`, `point` and `memory`."""
        state = FPNRIMState(RIMState.of(memory), fed.transpose(0, 1), point, torch.full_like(point, torch.nan))
        answer, after = FPNRIM.forward(self, frame[:, None], state=state)
        return answer[:, 0], after.fed.transpose(0, 1), after.point, *after.memory.parts()

    @classmethod
    def from_published(
        cls, checkpoint: Mapping[str, object], *, build: Callable[[], "FPNRIM"] | None = None
    ) -> "FPNRIM":
        """The model with a published state, or Lightning checkpoint, by its names; `build` makes one of its sizes.

        Of the output attention the query and key rows are left out, which nothing depends on, and so are the 3x3
        convolutions of scales that are not read. Raises WeightsError that lists what does not fit.
        """
        with torch.device("meta"):
            like = cls(weights="random") if build is None else build()
        content = checkpoint.get("state_dict", checkpoint)
        state = bare_state(content if isinstance(content, Mapping) else checkpoint, where="FPNRIM")
        unread = tuple(f"fpn.fpn.layer_blocks.{i}." for i in range(len(like.pyramid.sizes), len(like.pyramid.cuts)))
        state = {name: value for name, value in state.items() if not name.startswith(unread)}
        for name in ("multihead_attn.in_proj_weight", "multihead_attn.in_proj_bias"):
            if name in state and len(state[name]) == 3 * like.memory.width:
                state[name] = state[name][2 * like.memory.width :]
        return built_from(lambda: like, state, like.published_rules, where="FPNRIM")

    @property
    def published_rules(self) -> Rules:
        """From the names of this model's tensors to the published ones."""
        return (
            *published_names_of(self.backbone),
            (r"^places\.(\d)$", r"fpn.pos_encoding.\1"),
            (r"^memory\.cells\.", "rim.cells."),
            *PLAIN_RULES,
            *published_rules(self.cell),
            (r"^head\.value\.", "multihead_attn.in_proj_"),
            (r"^head\.out\.", "multihead_attn.out_proj."),
        )

    def _rows(self, video: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b t r i"]:
        """What the memory reads of each frame: the maps as one row, or a row for each channel of the map."""
        if video.shape[-2:] != self.size or not video.shape[1]:
            raise RecipeError(
                "FPNRIM",
                found=f"{video.shape[1]} frames of {video.shape[-2]}x{video.shape[-1]}",
                wanted=f"at least one of {self.size[0]}x{self.size[1]} (height x width)",
                do="scale the clips so (Resize), or build the model with their size",
            )
        maps = self.pyramid(video.flatten(0, 1))
        if self.places_count:
            maps = [level + self.places_count * place for level, place in zip(maps, self.places, strict=True)]
        rows = maps[0].flatten(2) if self.attend == "channels" else torch.cat([m.flatten(1) for m in maps], 1)[:, None]
        return rows.unflatten(0, video.shape[:2])

    def _finished(self, answer: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """What the linear layers give, with what is bounded brought between -1 and 1."""
        bounded = (not self.steps, self.phases == "squashed")
        parts = answer.tensor_split([2], dim=-1)
        return torch.cat([part.tanh() if b else part for part, b in zip(parts, bounded, strict=True)], dim=-1)

    def _fed(self, answer: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """The answer as it is fed back: phases as a distribution, as the teacher says them, where scores are free."""
        if self.phases != "scores":
            return answer
        return torch.cat([answer[:, :2], answer[:, 2:].softmax(dim=-1)], dim=-1)

    def _placed(self, gaze: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
        """Gaze in the model's own terms."""
        return onto_line(gaze) if self.steps else 2 * gaze - 1

    def _in_own_terms(self, teacher: Float[Tensor, "b t j"], before: Float[Tensor, "b 2"]) -> Float[Tensor, "b t k"]:
        """What a teacher says, as the model would answer; phases that it does not say are unknown."""
        point = self._placed(teacher[..., :2])
        if self.steps:
            point = point.diff(dim=1, prepend=before[:, None])
        told = torch.cat([point, teacher[..., 2:]], dim=-1)
        return functional.pad(told, (0, self.width - told.shape[-1]), value=torch.nan)


def observer_seed(observer: str, frame: int) -> int:
    """The published seed of a clip: the character codes of the observer's name, one after the other as one number, and
    the number of the clip's first frame added."""
    return int("".join(str(ord(letter)) for letter in observer) or "0") + frame


def _drawn(like: Float[Tensor, "u b h"], seeds: Sequence[int], *, parts: int) -> list[Float[Tensor, "u b h"]]:
    """Normal numbers from each video's own seed; torch's own generator is left as it is."""
    u, b, h = like.shape
    if len(seeds) != b:
        raise ValueError(f"{len(seeds)} seeds for {b} videos")
    generators = [torch.Generator().manual_seed(seed % SEEDS) for seed in seeds]
    drawn = torch.stack([torch.randn(parts, u, h, generator=g) for g in generators], dim=2)
    return list(drawn.to(like))
