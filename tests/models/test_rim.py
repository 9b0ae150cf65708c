"""The RIM module alone, against what the published one computes, and what holds of any."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, filled, golden_input
from regard.errors import RecipeError
from regard.models.published import load_published, published_names
from regard.models.rim import RIM, RIMState, published_mask_order, published_rules
from regard.models.rim_cell import active_units

SMALL = {"hidden": 5, "units": 4, "active": 2, "value_width": 6}


def published_rim(golden: Golden, cell: str, **more) -> RIM:
    model = RIM(48, hidden=20, cell=cell, **more).eval()
    names = published_names(model, published_rules(cell))
    state = {name: filled(name, shape) for name, shape in golden.about["state_dict"]}
    load_published(model, state, names, where="RIM")
    return model


def drawn(golden: str, name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(golden_input(f"{golden}.{name}").standard_normal(shape).astype(np.float32))


def units_first(flat: Tensor) -> Tensor:
    """(b, units*hidden) as published to (units, b, hidden)."""
    return flat.unflatten(-1, (6, 20)).transpose(0, 1)


@pytest.mark.parametrize("name", ["rim_lstm", "rim_gru", "rim_lstm_teacher", "rim_lstm_channelwise"])
def test_a_stack_is_the_published_one_with_its_masks_loss_and_gradients(name: str) -> None:
    golden, cell = Golden.read(name), "gru" if "gru" in name else "lstm"
    fed, more = None, {}
    x = drawn(name, "x", tuple(int(n) for n in golden.about["inputs"]["x"].split("[")[1][:-1].split(","))).transpose(
        0, 1
    )
    b, t = x.shape[:2]
    if "teacher" in name:
        label = golden_input(f"{name}.y_prev").uniform(-1, 1, (1, b, 2)).astype(np.float32)
        fed, more = torch.from_numpy(label)[0, :, None, None].expand(b, t, 6, 2), {"fed": 2, "copies": 5}
    model = published_rim(golden, cell, **more)
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_params"]
    start = [units_first(drawn(name, part, (1, b, 120))[0]) for part in ("h", "c")]
    x = (x if x.ndim == 4 else x[:, :, None]).requires_grad_()
    out, mask, state = model(x, state=RIMState((start[0],), (start[1],) if cell == "lstm" else None), fed=fed)
    wanted = golden.arrays
    np.testing.assert_array_equal(mask.numpy(), wanted["mask"].transpose(1, 0, 2) > 0)
    np.testing.assert_allclose(out.detach().numpy(), wanted["out"].transpose(1, 0, 2), atol=2e-6)
    np.testing.assert_allclose(state.hidden[0].detach(), units_first(torch.from_numpy(wanted["h_n"][0])), atol=2e-6)
    if state.memory is not None:
        np.testing.assert_allclose(state.memory[0].detach(), units_first(torch.from_numpy(wanted["c_n"][0])), atol=2e-6)
    (loss_wanted,) = golden.about["loss"].values()
    loss = functional.mse_loss(out.transpose(0, 1), drawn(name, "target", (t, b, 120)))
    assert loss.item() == pytest.approx(loss_wanted, rel=1e-6)
    loss.backward()
    own, names = dict(model.named_parameters()), published_names(model, published_rules(cell))
    for parameter, norm in golden.about["grad_norms"].items():
        assert own[names[parameter]].grad.norm().item() == pytest.approx(norm, rel=1e-4), parameter
    assert x.grad.norm().item() == pytest.approx(golden.about["grad_norm_input_x"], rel=1e-4)


def small(**changed) -> RIM:
    torch.manual_seed(0)
    return RIM(7, **SMALL | changed).eval()


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"cell": "gru", "layers": 2, "fed": 3, "copies": 2}], ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_moment_by_moment_is_the_whole(options: dict, rows: int) -> None:
    model, x = small(**options), torch.randn(2, 6, rows, 7)
    fed = torch.randn(2, 6, 4, 3) if "fed" in options else None
    out, mask, state = model(x, fed=fed)
    now, outs, masks = model.begin(2), [], []
    if len(model.cells) > 1:
        for t in range(6):
            seen = model.read(x[:, t : t + 1])[0]
            step_out, step_mask, now = model.step(seen, now, None if fed is None else fed[:, t].transpose(0, 1))
            outs.append(step_out)
            masks.append(step_mask)
    else:
        for seen in model.read(x):
            step_out, step_mask, now = model.step(seen, now)
            outs.append(step_out)
            masks.append(step_mask)
    torch.testing.assert_close(torch.stack(outs, 1), out)
    assert torch.equal(torch.stack(masks, 1), mask)
    torch.testing.assert_close(now.hidden[-1], state.hidden[-1])
    assert (mask.sum(-1) == 2).all()


@torch.no_grad()
def test_units_that_are_not_active_keep_what_they_had() -> None:
    model, x = small(), torch.randn(2, 6, 1, 7)
    out, mask, _ = model(x)
    held = out.unflatten(-1, (4, 5))
    before = torch.cat([torch.zeros_like(held[:, :1]), held[:, :-1]], dim=1)
    assert torch.equal(held[~mask], before[~mask])
    assert not (held[mask] == before[mask]).any()


@torch.no_grad()
def test_a_bidirectional_stack_reads_from_both_ends_and_its_masks_stand_at_their_moments() -> None:
    model, x = small(bidirectional=True), torch.randn(2, 6, 1, 7)
    out, mask, _ = model(x)
    assert out.shape == (2, 6, 40)
    assert mask.shape == (2, 6, 8)
    swapped = RIM(7, **SMALL, bidirectional=True).eval()
    swapped.load_state_dict(
        {n.replace("0.", "x", 1).replace("1.", "0.", 1).replace("x", "1.", 1): v for n, v in model.state_dict().items()}
    )
    other, other_mask, _ = swapped(x.flip(1))
    torch.testing.assert_close(other[..., :20].flip(1), out[..., 20:])
    assert torch.equal(other_mask[..., :4].flip(1), mask[..., 4:])
    published = published_mask_order(mask, 4)
    assert torch.equal(published[..., :4], mask[..., :4])
    assert torch.equal(published[..., 4:], other_mask[..., :4]), "in the order in which the backward cell read"
    changed = x.clone()
    changed[:, 3:] = 0
    assert torch.equal(model(changed)[0][:, :3, :20], out[:, :3, :20])
    assert not torch.equal(model(changed)[0][:, :3, 20:], out[:, :3, 20:])


def test_a_unit_that_is_not_active_learns_nothing_from_being_heard() -> None:
    model, x = small(), torch.randn(1, 1, 1, 7)
    out, mask, _ = model(x)
    out.sum().backward()
    of_unit = model.cells[0].drive.weight.grad.abs().sum(dim=(1, 2)) > 0
    assert torch.equal(of_unit, mask[0, 0])


def test_dropout_is_of_training_alone_and_of_the_attention_it_is_called_by() -> None:
    x = torch.randn(2, 4, 1, 7)
    for name in ("input_dropout", "talk_dropout"):
        model = small(**{name: 0.5})
        assert torch.equal(model(x)[0], small()(x)[0])
        model.train()
        assert not torch.equal(model(x)[0], model(x)[0])


def test_all_of_equal_units_cannot_be_more_than_there_are() -> None:
    assert active_units(torch.zeros(2, 6), 4).sum(-1).tolist() == [4, 4]
    assert active_units(torch.tensor([[0.3, 0.1, 0.2]]), 1).tolist() == [[False, True, False]]
    for options in ({"active": 0}, {"active": 5}, {"layers": 0}):
        with pytest.raises(RecipeError, match="active"):
            small(**options)
