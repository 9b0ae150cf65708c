import pytest
import torch
from ego_rnn_golden import DEEP, assert_matches, assert_norms_match, clips_first, drawn, golden_state, load_some
from gaze_golden import CLOSE, assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.ego_rnn_published import LSTA_RULES
from regard.models.lsta import LSTA, Attention, LSTACell, Memory, Read
from regard.models.published import load_published, published_names

SMALL = {"actions": 5, "backbone": "resnet18", "stages": 2, "weights": "random", "pooled": 7}


def small(seed: int = 0) -> LSTA:
    torch.manual_seed(seed)
    return LSTA(**SMALL)


def clips(b: int = 2, t: int = 4) -> Tensor:
    return torch.randn(b, t, 3, 32, 48, generator=torch.Generator().manual_seed(b))


def stacked(moments: list, name: str) -> Tensor:
    """(b, t, ...)"""
    return torch.stack([getattr(moment, name) for moment in moments], dim=1)


def assert_reads_as(golden: Golden, read: Read, *, within: float = CLOSE) -> None:
    """Every map and choice of the cell, over all moments."""
    found = {
        "a": stacked(read.attention, "memory"),
        "s": stacked(read.attention, "hidden"),
        "u": read.share[:, :, None],
        "x_att": read.attended,
        "c": stacked(read.states, "memory"),
        "o": stacked(read.states, "give"),
        "c_logits": read.pooled,
    }
    for name, value in found.items():
        assert_matches(golden, name, value, within=within)
    assert clips_first(read.pooled.argmax(dim=2)).tolist() == golden.arrays["cidx"].tolist()


def test_the_cell_alone_is_the_published_one_with_and_without_another_stream() -> None:
    golden = Golden.read("lsta_cell")
    golden.about["samples"] = {}
    cell = LSTACell(6, 5)
    rules = ((r"^", "cell."), *LSTA_RULES, (r"^lsta_cell\.", ""))
    load_published(cell, golden.state(), published_names(cell, rules), where="cell")
    begin = {
        "attention": Attention(drawn("lsta_cell_a0", 3, 1, 7, 7), drawn("lsta_cell_s0", 3, 1, 7, 7)),
        "state": Memory(drawn("lsta_cell_c0", 3, 6, 7, 7), drawn("lsta_cell_o0", 3, 6, 7, 7).sigmoid()),
    }
    features = clips_first(drawn("lsta_cell_x", 4, 3, 6, 7, 7))
    activation = clips_first(drawn("lsta_cell_cam", 4, 3, 1, 7, 7))[:, :, 0]
    read = cell(features, activation, **begin)
    assert_reads_as(golden, read)
    loss = sum(
        part.mean() for part in (read.states[-1].memory.square(), read.states[-1].give, read.attention[-1].memory)
    )
    assert loss.item() == pytest.approx(golden.about["loss"], rel=1e-6)
    loss.backward()
    assert_norms_match(cell, rules, golden)

    other = torch.stack([clips_first(drawn(f"lsta_cell_flow_{gate}", 4, 3, 6, 7, 7)) for gate in "ifc"], dim=2)
    read = cell(features, activation, **begin, driven_by=other)
    assert_matches(golden, "c_flow", stacked(read.states, "memory"))
    assert_matches(golden, "o_flow", stacked(read.states, "give"))
    assert clips_first(read.pooled.argmax(dim=2)).tolist() == golden.arrays["cidx_flow"].tolist()


def test_what_comes_after_the_trunk_is_the_published_network() -> None:
    golden = Golden.read("lsta_head")
    model = LSTA(backbone="resnet18", weights="random").eval()
    load_some(model, golden, LSTA_RULES)
    after = drawn("lsta_head_feature_conv", 5, 3, 512, 7, 7).requires_grad_()
    before = drawn("lsta_head_feature_convNBN", 5, 3, 512, 7, 7).requires_grad_()
    likeliest = model.trunk.objects(after.mean(dim=(3, 4))).argmax(dim=2)
    assert likeliest.tolist() == golden.arrays["class_idx"].tolist()
    activation = model.trunk.activation(after.flatten(0, 1)).unflatten(0, (5, 3))
    read = model.cell(clips_first(before), clips_first(activation))
    answer = model.answer(read)
    assert_close_to_largest(activation, golden.arrays["cam"])
    assert_reads_as(golden, read)
    assert_close_to_largest(read.states[-1].memory.mean(dim=(2, 3)), golden.arrays["feats"])
    assert_close_to_largest(answer.logits, golden.arrays["logits"])
    loss = functional.cross_entropy(answer.logits, torch.tensor(golden.about["inputs"]["labels"]))
    assert loss.item() == pytest.approx(golden.about["loss"], rel=1e-6)
    loss.backward()
    assert_norms_match(model, LSTA_RULES, golden)
    for name, given in (("feature_conv", after), ("feature_convNBN", before)):
        assert given.grad is not None
        assert given.grad.norm().item() == pytest.approx(golden.about["grad_norms"][f"input {name}"], rel=5e-3)


def test_the_whole_is_the_published_model_and_so_are_its_losses_and_gradients() -> None:
    golden = Golden.read("lsta_rgb")
    state = {"epoch": 3, "model_state_dict": golden_state(golden), "optimizer_state_dict": {}, "best_acc": 0.5}
    model = LSTA.from_published(state).eval()
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_params"]
    assert len(model.state_dict()) == golden.about["n_state"] - 2
    maps, reads = [], []
    model.trunk.register_forward_hook(lambda _module, _given, answer: maps.append(answer))
    model.cell.register_forward_hook(lambda _module, _given, answer: reads.append(answer))
    answer = model(clips_first(drawn("lsta_video", 4, 2, 3, 224, 224)))
    assert_matches(golden, "feature_convNBN", maps[0].features.unflatten(0, (2, 4)))
    assert_matches(golden, "cam", maps[0].activation.unflatten(0, (2, 4))[:, :, None])
    assert_reads_as(golden, reads[0], within=DEEP)
    assert_close_to_largest(answer.logits, golden.arrays["logits"])
    loss = functional.cross_entropy(answer.logits, torch.tensor(golden.about["inputs"]["labels"]))
    assert loss.item() == pytest.approx(golden.about["loss"], rel=1e-6)
    loss.backward()
    assert_norms_match(model, LSTA_RULES, golden)
    with torch.no_grad():
        answer = model(clips_first(drawn("lsta_video25", 25, 1, 3, 224, 224)))
    assert_close_to_largest(answer.logits, golden.arrays["logits_t25"])
    assert clips_first(reads[1].pooled.argmax(dim=2)).tolist() == golden.arrays["cidx_t25"].tolist()


def test_a_checkpoint_of_another_model_is_explained() -> None:
    with pytest.raises(WeightsError, match=r"(?s)weights of EgoRNN,.*give the file to EgoRNN"):
        LSTA.from_published({"lstm_cell.conv_i_xx.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"missing resNet\.conv1\.weight"):
        LSTA.from_published({"model_state_dict": {"lsta_cell.conv_i_x.weight": torch.zeros(512, 512, 3, 3)}})
    with pytest.raises(WeightsError, match="not tensors"):
        LSTA.from_published({"model_state_dict": {"lsta_cell.conv_i_x.weight": 3}})
    other = small(1)
    other.init_from(small().state_dict())
    assert torch.equal(other.cell.pool.weight, small().cell.pool.weight)
