import pytest
import torch
from ego_rnn_golden import assert_matches, assert_norms_match, clips_first, drawn, load_some
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.conv_lstm import ConvLSTM, ConvLSTMState
from regard.models.ego_rnn import EgoRNN
from regard.models.ego_rnn_published import RGB_RULES
from regard.models.published import load_published, published_names

SMALL = {"actions": 5, "backbone": "resnet18", "stages": 2, "weights": "random", "hidden": 6}


def small(seed: int = 0) -> EgoRNN:
    torch.manual_seed(seed)
    return EgoRNN(**SMALL)


def clips(b: int = 2, t: int = 4) -> Tensor:
    return torch.randn(b, t, 3, 32, 48, generator=torch.Generator().manual_seed(b))


def test_the_memory_alone_is_the_published_one() -> None:
    golden = Golden.read("egornn_convlstm_cell")
    memory = ConvLSTM(6, 5)
    rules = ((r"^", "memory."), *RGB_RULES, (r"^lstm_cell\.", ""))
    load_published(memory, golden.state(), published_names(memory, rules), where="cell")
    begin = ConvLSTMState(drawn("egornn_cell_h0", 2, 5, 7, 9), drawn("egornn_cell_c0", 2, 5, 7, 9))
    states = memory(clips_first(drawn("egornn_cell_x", 4, 2, 6, 7, 9)), None, begin)
    assert_close_to_largest(torch.stack([state.hidden for state in states]), golden.arrays["h"])
    assert_close_to_largest(torch.stack([state.memory for state in states]), golden.arrays["c"])
    loss = states[-1].memory.square().mean() + states[-1].hidden.mean()
    assert loss.item() == pytest.approx(golden.about["loss"], rel=1e-6)
    loss.backward()
    assert_norms_match(memory, rules, golden)


def test_what_comes_after_the_trunk_is_the_published_network() -> None:
    golden = Golden.read("egornn_head")
    model = EgoRNN(backbone="resnet18", weights="random").eval()
    load_some(model, golden, RGB_RULES)
    after = drawn("egornn_head_feature_conv", 5, 3, 512, 7, 7).requires_grad_()
    before = drawn("egornn_head_feature_convNBN", 5, 3, 512, 7, 7).requires_grad_()
    likeliest = model.trunk.objects(after.mean(dim=(3, 4))).argmax(dim=2)
    assert likeliest.tolist() == golden.arrays["class_idx"].tolist()
    activation = model.trunk.activation(after.flatten(0, 1)).unflatten(0, (5, 3))
    states = []
    model.memory.register_forward_hook(lambda _module, _given, answer: states.extend(answer))
    attended = []
    model.memory.register_forward_pre_hook(lambda _module, given: attended.append(given[0]))
    answer = model.read(clips_first(before), clips_first(activation))
    assert_close_to_largest(activation, golden.arrays["cam"])
    assert_matches(golden, "attention", answer.attention)
    assert_matches(golden, "attended", attended[0])
    assert_matches(golden, "c", torch.stack([state.memory for state in states], dim=1))
    assert_matches(golden, "h", torch.stack([state.hidden for state in states], dim=1))
    assert_close_to_largest(answer.features, golden.arrays["feats"])
    assert_close_to_largest(answer.logits, golden.arrays["logits"])
    loss = functional.cross_entropy(answer.logits, torch.tensor(golden.about["inputs"]["labels"]))
    assert loss.item() == pytest.approx(golden.about["loss"], rel=1e-6)
    loss.backward()
    assert_norms_match(model, RGB_RULES, golden)
    for name, given in (("feature_conv", after), ("feature_convNBN", before)):
        assert given.grad is not None
        assert given.grad.norm().item() == pytest.approx(golden.about["grad_norms"][f"input {name}"], rel=5e-3)


def test_has_the_published_weights() -> None:
    with torch.device("meta"):
        model = EgoRNN(weights="random")
    assert sum(p.numel() for p in model.parameters()) == 40_728_466
    listed = [name.removeprefix("frameModel.") for name, _ in Golden.read("egornn_twostream").about["params"]]
    names = published_names(model, RGB_RULES)
    assert names.keys() <= set(listed)
    assert len(names) == 235 - 3


def test_only_what_is_trained_of_the_trunk_gets_gradients_and_the_rest_is_looked_at_in_pieces(monkeypatch) -> None:
    model, video = small().eval(), clips(t=5)
    whole = model(video)
    monkeypatch.setattr("regard.models.object_maps.FRAMES_AT_ONCE", 3)
    model.trunk.requires_grad_(False)
    answer = model(video)
    torch.testing.assert_close(answer, whole)
    model.trunk.maps.layer2[0].conv1.weight.requires_grad_(True)
    answer = model(video)
    torch.testing.assert_close(answer, whole)
    answer.logits.sum().backward()
    assert [n for n, p in model.trunk.named_parameters() if p.grad is not None] == ["maps.layer2.0.conv1.weight"]


def published_rgb(model: EgoRNN) -> dict[str, Tensor]:
    """A model's weights as the authors' script would have stored them."""
    own = model.state_dict()
    state = {published: own[ours].clone() for published, ours in published_names(model, RGB_RULES).items()}
    state |= {"weight_softmax": state["resNet.fc.weight"], "fc.weight": state["classifier.1.weight"]}
    return state | {"fc.bias": state["classifier.1.bias"]}


def test_a_later_stage_starts_from_an_earlier_one_of_any_kind() -> None:
    torch.manual_seed(1)
    first = EgoRNN(**SMALL | {"stages": 4})
    state = first.state_dict()
    for given in (
        published_rgb(first),
        {f"module.{name}": value for name, value in published_rgb(first).items()},
        dict(state),
    ):
        second = EgoRNN(**SMALL | {"stages": 4})
        second.init_from(given)
        assert all(torch.equal(value, state[name]) for name, value in second.state_dict().items())


def test_a_first_stage_starts_from_imagenets_resnet_by_torchvisions_names() -> None:
    torch.manual_seed(2)
    model, other = EgoRNN(**SMALL | {"stages": 4}), EgoRNN(**SMALL | {"stages": 4})
    imagenet = {n.replace("maps.", "").replace("objects.", "fc."): v for n, v in other.trunk.state_dict().items()}
    classify = model.classify.weight.clone()
    model.init_from(imagenet)
    assert torch.equal(model.trunk.objects.weight, other.trunk.objects.weight)
    assert torch.equal(model.trunk.maps.conv1.weight, other.trunk.maps.conv1.weight)
    assert torch.equal(model.classify.weight, classify)
    with pytest.raises(WeightsError, match=r"(?s)ResNet of ImageNet.*missing layer1\.0\.conv1"):
        model.init_from({name: value for name, value in imagenet.items() if "layer1" not in name})


def test_a_checkpoint_of_another_stream_model_or_size_is_explained() -> None:
    with pytest.raises(WeightsError, match=r"(?s)weights of EgoRNNFlow.*give the file to EgoRNNFlow"):
        EgoRNN.from_published({"conv1.weight": torch.zeros(64, 10, 7, 7), "fc_action.weight": torch.zeros(5, 512)})
    with pytest.raises(WeightsError, match="weights of LSTA"):
        small().init_from({"lsta_cell.conv_i_x.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match="weights of EgoRNNTwoStream"):
        small().init_from({"flow.maps.conv1.weight": torch.zeros(1)})
    state = published_rgb(EgoRNN(**SMALL | {"stages": 4}))
    with pytest.raises(WeightsError, match=r"classifier\.1\.weight is \(5, 6\) and not \(7, 6\)"):
        EgoRNN(**SMALL | {"stages": 4, "actions": 7}).init_from(state)
    del state["classifier.1.bias"]
    with pytest.raises(WeightsError, match=r"missing classifier\.1\.bias; left over fc\.bias"):
        EgoRNN(**SMALL | {"stages": 4}).init_from(state)
    with pytest.raises(WeightsError, match="not tensors"):
        EgoRNN.from_published({"epoch": 3})
