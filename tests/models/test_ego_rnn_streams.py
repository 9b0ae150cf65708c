import pytest
import torch
from ego_rnn_golden import DEEP, assert_norms_match, clips_first, drawn, golden_state
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden
from regard.errors import RecipeError, WeightsError
from regard.models.ego_rnn import EgoRNN
from regard.models.ego_rnn_flow import EgoRNNFlow
from regard.models.ego_rnn_published import FLOW_RULES, TWO_STREAM_RULES
from regard.models.ego_rnn_two_stream import EgoRNNTwoStream

SMALL = {"actions": 5, "backbone": "resnet18", "stages": 2, "weights": "random"}


def stack_of(golden: Golden) -> Tensor:
    """(2, 5, 2, 224, 224); the golden's channels are x0, y0, x1, y1, ..."""
    return drawn("egornn_flow", *golden.about["inputs"]["egornn_flow"]).unflatten(1, (5, 2))


def stepped(logits: Tensor, golden: Golden, name: str) -> None:
    loss = functional.cross_entropy(logits, torch.tensor(golden.about["inputs"]["labels"]))
    assert loss.item() == pytest.approx(golden.about[name], rel=2e-6)
    loss.backward()


def test_the_flow_stream_is_the_published_one_and_so_are_its_losses_and_gradients() -> None:
    golden = Golden.read("egornn_flow")
    model, stack = EgoRNNFlow.from_published(golden_state(golden)).eval(), stack_of(golden)
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_params"]
    assert len(model.state_dict()) == golden.about["n_state"]
    answer = model(stack)
    assert_close_to_largest(answer.logits, golden.arrays["logits"])
    assert_close_to_largest(answer.features, golden.arrays["feats"])
    stepped(answer.logits, golden, "loss")
    assert_norms_match(model, FLOW_RULES, golden)

    model.zero_grad()
    model.train().dropout.p = 0.0
    answer = model(stack)
    assert_close_to_largest(answer.logits, golden.arrays["train_logits"], within=DEEP)
    assert_close_to_largest(answer.features, golden.arrays["train_feats"], within=DEEP)
    stepped(answer.logits, golden, "train_loss")
    assert_norms_match(model, FLOW_RULES, golden, "train_grad_norms")
    kept = dict(model.maps.named_buffers())
    for name in ("bn1.running_mean", "bn1.running_var", "layer4.2.bn2.running_mean", "layer4.2.bn2.running_var"):
        assert_close_to_largest(kept[name], golden.arrays[f"train_{name}"])


def test_both_streams_are_the_published_model_and_so_are_its_losses_and_gradients() -> None:
    golden = Golden.read("egornn_twostream")
    model = EgoRNNTwoStream.from_published(golden_state(golden)).eval()
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_params"]
    assert len(model.state_dict()) == golden.about["n_state"] - 5
    video = clips_first(drawn("egornn_video", 4, 2, 3, 224, 224)[:3])
    features = []
    model.flow.register_forward_hook(lambda _module, _given, answer: features.append(answer.features))
    model.rgb.register_forward_hook(lambda _module, _given, answer: features.append(answer.features))
    answer = model(video, stack_of(golden))
    for found, name in (
        (answer.logits, "logits"),
        (answer.flow_logits, "flow_logits"),
        (answer.rgb_logits, "rgb_logits"),
        (features[0], "flow_feats"),
        (features[1], "rgb_feats"),
    ):
        assert_close_to_largest(found, golden.arrays[name])
    stepped(answer.logits, golden, "loss")
    unread = [golden.about["grad_norms"].get(n, "absent") for n in ("flowModel.fc_action.weight", "frameModel.fc.bias")]
    assert set(unread) <= {None, "absent"}
    assert_norms_match(model, TWO_STREAM_RULES, golden)

    model.zero_grad()
    model.flow.maps.layer4.train()
    answer = model(video, stack_of(golden))
    assert_close_to_largest(answer.logits, golden.arrays["stage3_logits"], within=DEEP)
    assert_close_to_largest(features[2], golden.arrays["stage3_flow_feats"], within=DEEP)
    stepped(answer.logits, golden, "stage3_loss")
    assert_norms_match(model, TWO_STREAM_RULES, golden, "stage3_grad_norms")


def test_imagenets_first_layer_is_spread_over_the_channels_of_flow() -> None:
    model = EgoRNNFlow(**SMALL | {"stages": 4, "flow_frames": 3})
    imagenet = {n: v.clone() for n, v in EgoRNN(**SMALL | {"stages": 4}).trunk.maps.state_dict().items()}
    model.init_from(imagenet | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)})
    assert model.maps.conv1.weight.shape == (64, 6, 7, 7)
    mean = imagenet["conv1.weight"].mean(dim=1)
    assert all(torch.equal(model.maps.conv1.weight[:, i], mean) for i in range(6))
    assert torch.equal(model.maps.layer4[1].conv2.weight, imagenet["layer4.1.conv2.weight"])


def test_the_joint_model_starts_from_its_streams() -> None:
    torch.manual_seed(3)
    rgb, flow = EgoRNN(**SMALL, hidden=6), EgoRNNFlow(**SMALL)
    model = EgoRNNTwoStream(**SMALL, hidden=6)
    model.init_from(rgb=rgb.state_dict(), flow=flow.state_dict())
    video, stack = torch.randn(2, 3, 3, 32, 48), torch.randn(2, 5, 2, 32, 48)
    answer = model.eval()(video, stack)
    torch.testing.assert_close(answer.rgb_logits, rgb.eval()(video).logits)
    torch.testing.assert_close(answer.flow_logits, flow.eval()(stack).logits)
    other = EgoRNNTwoStream(**SMALL, hidden=6)
    other.init_from(model.state_dict())
    assert torch.equal(other.classify.weight, model.classify.weight)


def test_a_stream_that_is_not_given_or_is_the_other_one_is_explained() -> None:
    model = EgoRNNTwoStream(**SMALL, hidden=6)
    rgb, flow = EgoRNN(**SMALL, hidden=6).state_dict(), EgoRNNFlow(**SMALL).state_dict()
    with pytest.raises(WeightsError, match="nothing for flow"):
        model.init_from(rgb=rgb)
    with pytest.raises(WeightsError, match=r"(?s)EgoRNN\n  found:  the weights of EgoRNNFlow"):
        model.init_from(rgb=flow, flow=rgb)
    with pytest.raises(WeightsError, match="the weights of EgoRNN, another"):
        EgoRNNFlow.from_published({"lstm_cell.conv_i_xx.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"missing conv1\.weight"):
        EgoRNNFlow.from_published({"fc_action.weight": torch.zeros(106, 512)})


def test_flow_of_another_length_is_explained() -> None:
    with pytest.raises(RecipeError, match=r"(?s)ego-rnn: flow.*1 frames.*wanted: +5 successive"):
        EgoRNNFlow(**SMALL)(torch.zeros(1, 1, 2, 32, 48))
    with pytest.raises(RecipeError, match="25 frames"):
        EgoRNNTwoStream(**SMALL, hidden=6)(torch.zeros(1, 25, 3, 32, 48), torch.zeros(1, 25, 2, 32, 48))
