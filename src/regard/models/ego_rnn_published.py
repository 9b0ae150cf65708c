"""What the checkpoints of ego-rnn and LSTA call their tensors, and what a training of these may start from.

Source: swathikirans/ego-rnn@5467276 and swathikirans/LSTA@46f3a2a.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from regard.errors import WeightsError
from regard.models.object_maps import IMAGENET_RULES
from regard.models.published import Rules, bare_state, load_published, published_names

TRUNK_RULES: Rules = ((r"^trunk\.maps\.", "resNet."), (r"^trunk\.objects\.", "resNet.fc."))
RGB_RULES: Rules = (
    *TRUNK_RULES,
    (r"^memory\.drive\.(\w)\.", r"lstm_cell.conv_\1_xx."),
    (r"^memory\.keep\.(\w)\.", r"lstm_cell.conv_\1_hh."),
    (r"^classify\.", "classifier.1."),
)
FLOW_RULES: Rules = ((r"^maps\.", ""), (r"^classify\.", "fc_action."))
TWO_STREAM_RULES: Rules = (
    *((ours.replace("^", r"^rgb\."), f"frameModel.{published}") for ours, published in RGB_RULES),
    *((ours.replace("^", r"^flow\."), f"flowModel.{published}") for ours, published in FLOW_RULES),
    (r"^classify\.", "classifier.1."),
)
LSTA_RULES: Rules = (
    *TRUNK_RULES,
    (r"^cell\.attend_drive\.(\w)\.", r"lsta_cell.conv_\1_cam."),
    (r"^cell\.attend_keep\.(\w)\.", r"lsta_cell.conv_\1_s."),
    (r"^cell\.drive\.(\w)\.", r"lsta_cell.conv_\1_x."),
    (r"^cell\.keep\.(\w)\.", r"lsta_cell.conv_\1_c."),
    (r"^cell\.give_hidden\.", "lsta_cell.conv_o_x."),
    (r"^cell\.give_pooled\.", "lsta_cell.conv_o_c."),
    (r"^cell\.pool\.", "lsta_cell.c_classifier."),
    (r"^cell\.couple\.", "lsta_cell.coupling_fc."),
    (r"^classify\.", "classifier.1."),
)

RGB_TWINS = {
    "weight_softmax": "resNet.fc.weight",
    "fc.weight": "classifier.1.weight",
    "fc.bias": "classifier.1.bias",
}
"""Tensors that the checkpoints hold under two names -> the name that counts, which stands later in them."""
TWO_STREAM_TWINS = {f"frameModel.{name}": f"frameModel.{twin}" for name, twin in RGB_TWINS.items()} | {
    "fc2.weight": "classifier.1.weight",
    "fc2.bias": "classifier.1.bias",
}
LSTA_TWINS = {name: twin for name, twin in RGB_TWINS.items() if name != "weight_softmax"}

KNOWN_BY = {
    "EgoRNN": ("lstm_cell.conv_i_xx.weight", "memory.drive.i.weight"),
    "EgoRNNFlow": ("fc_action.weight", "maps.conv1.weight"),
    "EgoRNNTwoStream": ("flowModel.conv1.weight", "flow.maps.conv1.weight"),
    "LSTA": ("lsta_cell.conv_i_x.weight", "cell.drive.i.weight"),
}
"""By which names, published and ours, the checkpoint of each of the four models is known."""


def state_of(checkpoint: Mapping[str, object], twins: Mapping[str, str], *, of: str) -> dict[str, Tensor]:
    """A checkpoint's tensors, each under one name. Raises WeightsError for the checkpoint of another of the models."""
    inner = checkpoint.get("model_state_dict", checkpoint)  # LSTA's training script calls it so
    state = bare_state(inner if isinstance(inner, Mapping) else checkpoint, where=of)
    others = [model for model, names in KNOWN_BY.items() if model != of and any(name in state for name in names)]
    if others:
        raise WeightsError(
            of,
            found=f"the weights of {others[0]}, another stream or model",
            wanted=f"weights of {of}",
            do=f"give the file to {others[0]}, or take one of {of}",
        )
    return {name: value for name, value in state.items() if twins.get(name) not in state}


def rows(state: Mapping[str, Tensor], name: str, otherwise: int) -> int:
    """How many a published weight has, and `otherwise` where it is missing, of which the loading then tells."""
    return len(state[name]) if name in state else otherwise


def is_imagenets(state: Mapping[str, Tensor]) -> bool:
    """Whether a state is torchvision's ResNet with its classifier of ImageNet's objects."""
    return {"conv1.weight", "fc.weight"} <= state.keys()


def start(model: nn.Module, state: Mapping[str, Tensor], rules: Rules) -> None:
    """Put the state of an earlier stage into a model, by our names or the published ones.

    Raises WeightsError that lists what does not fit.
    """
    own = {name: name for name in model.state_dict()}
    names = own if own.keys() & state.keys() else published_names(model, rules)
    load_published(model, state, names, where=type(model).__name__)


def start_with_objects(model: nn.Module, state: Mapping[str, Tensor], rules: Rules) -> None:
    """The same, but that a ResNet of ImageNet goes into the model's `trunk` alone."""
    if not is_imagenets(state):
        return start(model, state, rules)
    trunk = model.get_submodule("trunk")
    names = published_names(trunk, IMAGENET_RULES)
    return load_published(trunk, state, names, where=f"{type(model).__name__}, ResNet of ImageNet")
