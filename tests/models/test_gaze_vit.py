import pytest
import torch
from face_golden import assert_answers, assert_loss_and_gradients, assert_sample, faces, looking_loss
from gaze_golden import assert_close_to_largest
from pose_golden import golden_bins, seen_by
from torch import Tensor

from golden_rule import Golden
from regard.errors import RecipeError, WeightsError
from regard.models.face_trunk import read_window
from regard.models.gaze_pose import GazePose
from regard.models.gaze_vit import PUBLISHED_RULES, VIT_RULES, GazeViT
from regard.models.positions import sinusoids
from regard.models.published import published_names

SMALL = {"weights": "random", "face_width": 8, "hidden": 12, "pose_width": 16, "pose_depths": (1, 1)}
SMALL |= {"size": (32, 48), "width": 24, "depth": 2, "heads": 4}


def small(seed: int = 0, **changed) -> GazeViT:
    torch.manual_seed(seed)
    return GazeViT(**SMALL | changed).eval()


def track(b: int = 2, t: int = 7) -> Tensor:
    return torch.randn(b, t, 3, 32, 48, generator=torch.Generator().manual_seed(b + t))


def of_mmaction(model: GazeViT) -> dict[str, Tensor]:
    """A checkpoint of its trainer, with other numbers than the model's."""
    own = model.film.state_dict()
    state = {f"backbone.{n}": own[o] + 1 for n, o in published_names(model.film, VIT_RULES).items()}
    state["backbone.pos_embed"] = sinusoids(1568, 24)
    return state | {"cls_head.fc_cls.weight": torch.zeros(400, 24), "cls_head.fc_cls.bias": torch.zeros(400)}


def test_the_model_and_its_gradients_are_the_published_ones() -> None:
    golden = Golden.read("lam_gazevit")
    state = golden.state() | {"vit.pos_embed": sinusoids(588, 384)}
    model = GazeViT.from_published({"state_dict": {f"module.{n}": v for n, v in state.items()}}).eval()
    assert_sample(golden, "vit_pos_embed", model.film.positions, 4)
    with torch.no_grad():
        vector, middle = seen_by(model)
        cells, place = model.questions.cells(middle)
        fusion = model.questions.merge(model.questions.answers(cells, place, golden_bins()).flatten(1))
    assert_close_to_largest(fusion, golden.arrays["fusion"])
    read = read_window(model.lstm, vector)
    assert_close_to_largest(read, golden.arrays["lstm_mid"])
    patches = model.film.patched(faces())
    assert_sample(golden, "vit_tokens0", patches, 9)
    cells = model.film.cells(patches)
    assert_sample(golden, "vit_map", cells.unflatten(1, (3, 14, 14)).flatten(0, 1).permute(0, 3, 1, 2), 9)
    film = model.film.norm(cells.mean(dim=1))
    assert_close_to_largest(film, golden.arrays["vit_feat"])
    logits = model.classify(model.combine(torch.cat([read, fusion, film], dim=1)))
    assert_answers(golden, logits)
    assert_loss_and_gradients(golden, model, looking_loss(logits), PUBLISHED_RULES)
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == golden.about["n_trainable_effective"]
    assert sum(p.numel() for p in model.film.parameters()) == golden.about["vit_params"]


def still_parts(model: GazeViT) -> dict[str, Tensor]:
    return {n: v.clone() for n, v in model.state_dict().items() if n.startswith(("trunk.", "questions."))}


@pytest.mark.parametrize(("branch", "moves"), [("still", False), ("published", True)])
def test_the_branch_that_does_not_learn_stands_still_but_for_the_published_ones_statistics(
    branch: str, moves: bool
) -> None:
    model = small(branch=branch, dropout=0.5).train()
    before = still_parts(model)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    looking_loss(model(track())[:, 0]).backward()
    optimizer.step()
    changed = {n for n, v in still_parts(model).items() if not torch.equal(v, before[n])}
    assert bool(changed) == moves
    assert all("running" in n or "num_batches" in n for n in changed)
    assert all(m.training == moves for m in model.questions.modules())
    assert model.film.training


@torch.no_grad()
def test_one_window_a_track_and_missing_frames_are_answered_alike() -> None:
    model, film = small(), track(b=2, t=9)
    once = model(film, asked=torch.arange(9).expand(2, -1))
    for moment in (0, 4, 8):
        near = [min(max(moment + i, 0), 8) for i in range(-3, 4)]
        torch.testing.assert_close(once[:1, moment], model(film[:1, near])[:, 0], rtol=1e-5, atol=1e-5)
    valid = torch.ones(1, 7, dtype=torch.bool)
    valid[0, [1, 3]] = False
    holed = film[:1, :7].clone()
    holed[0, ~valid[0]] = torch.nan
    torch.testing.assert_close(model(holed, frame_valid=valid), model(film[:1, [0, 2, 2, 2, 4, 5, 6]]))
    assert model(holed, frame_valid=torch.zeros_like(valid)).isfinite().all()


@torch.no_grad()
def test_a_films_last_frame_is_not_seen_as_published() -> None:
    model, film = small(), track(b=1)
    changed = film.clone()
    changed[:, 6] += 1
    torch.testing.assert_close(model.film(changed), model.film(film))


def test_a_stock_checkpoint_of_mmaction_is_loaded_whole_or_refused() -> None:
    model = small()
    state = of_mmaction(model)
    model.init_from({"meta": {}, "state_dict": state})
    torch.testing.assert_close(model.film.blocks[1].narrow.weight, state["backbone.blocks.1.mlp.layers.1.weight"])
    without = {n: v for n, v in state.items() if n != "backbone.fc_norm.bias"}
    with pytest.raises(WeightsError, match=r"missing fc_norm\.bias"):
        model.init_from({"state_dict": without})
    with pytest.raises(WeightsError, match=r"left over decoder\.weight"):
        model.init_from({"state_dict": state | {"backbone.decoder.weight": torch.zeros(2)}})
    with pytest.raises(WeightsError, match="not the table of sines of its length"):
        model.init_from({"state_dict": state | {"backbone.pos_embed": torch.randn(1, 12, 24)}})


def test_starts_from_gazepose_but_for_its_last_layers_and_takes_either_number_of_heads() -> None:
    state = Golden.read("lam_gazepose").state()
    model = GazeViT(weights="random", heads=6, depth=1)
    model.init_from(state)
    torch.testing.assert_close(model.questions.start, state["headpos_emeb"])
    torch.testing.assert_close(model.lstm.bias_hh_l1, state["lstm.bias_hh_l1"])
    with pytest.raises(WeightsError, match=r"left over base_model\.extra"):
        model.init_from(state | {"base_model.extra": torch.zeros(1)})


def test_both_its_files_go_in_by_name_and_the_gazepose_may_be_a_run_of_ours() -> None:
    torch.manual_seed(1)
    faces = {k: v for k, v in SMALL.items() if k in {"weights", "face_width", "hidden"}}
    pose, model = GazePose(**faces, width=16, depths=(1, 1)), small()
    film = of_mmaction(model)
    model.init_from(pose=pose.state_dict(), film={"state_dict": film})
    torch.testing.assert_close(model.questions.start, pose.questions.start)
    torch.testing.assert_close(model.film.blocks[0].narrow.weight, film["backbone.blocks.0.mlp.layers.1.weight"])
    with pytest.raises(WeightsError, match=r"missing base_model\.conv1"):
        model.init_from(pose=film)


def test_a_film_of_another_size_and_heads_that_do_not_divide_are_explained() -> None:
    with pytest.raises(RecipeError, match=r"(?s)7 frames of 32x32.*wanted: 7 frames of 32x48"):
        small()(track()[..., :32])
    with pytest.raises(RecipeError, match="24 channels for 7 heads"):
        small(heads=7)


def test_learns_two_faces_by_heart() -> None:
    model, film = small(dropout=0.0).train(), track()
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = looking_loss(model(film)[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
