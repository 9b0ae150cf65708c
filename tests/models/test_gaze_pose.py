import numpy as np
import pytest
import torch
from face_golden import assert_answers, assert_loss_and_gradients, looking_loss
from gaze_golden import assert_close_to_largest
from pose_golden import golden_bins, published_layout, seen_by
from torch import Tensor

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.face_priors import (
    PLACES,
    PUBLISHED_ROW,
    about_eyes,
    angle_bins,
    landmark_bins,
    own_bins,
    published_bins,
)
from regard.models.face_trunk import read_window
from regard.models.gaze_pose import PUBLISHED_RULES, GazePose
from regard.models.gaze_vit import GazeViT
from regard.models.positions import grid_waves
from regard.transforms import FacePriors, GazePosePriors, Normalise

SMALL = {"weights": "random", "face_width": 8, "hidden": 12, "width": 16, "depths": (1, 2)}


def small(seed: int = 0, **changed) -> GazePose:
    torch.manual_seed(seed)
    return GazePose(**SMALL | changed).eval()


def track(b: int = 2, t: int = 7) -> Tensor:
    return torch.randn(b, t, 3, 64, 64, generator=torch.Generator().manual_seed(b + t))


def known(b: int = 2, t: int = 7) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    head = 60 * torch.rand(b, t, 3, generator=draw) - 30
    return {"head_pose": head, "landmarks": torch.rand(b, t, 5, 3, generator=draw)}


def test_the_model_and_its_gradients_are_the_published_ones() -> None:
    golden = Golden.read("lam_gazepose")
    model = GazePose.from_published({"state_dict": golden.state()}).eval()
    bins, questions = golden_bins(), model.questions
    assert_close_to_largest(questions.tables.landmarks(bins), golden.arrays["landmark_query"])
    assert_close_to_largest(grid_waves(7, 7, 512).permute(2, 0, 1)[None], golden.arrays["pos_embed_sine"])
    vector, middle = seen_by(model)
    assert_close_to_largest(vector.flatten(0, 1), golden.arrays["frame_feat"])
    assert_close_to_largest(middle, golden.arrays["layer4_mid"])
    cells, place = questions.cells(middle)
    assert_close_to_largest(cells.transpose(1, 2).unflatten(2, (7, 7)), golden.arrays["encoder_memory"])
    answers = questions.answers(cells, place, bins)
    assert_close_to_largest(answers[None], golden.arrays["decoder_hs"])
    fusion, read = questions.merge(answers.flatten(1)), read_window(model.lstm, vector)
    assert_close_to_largest(fusion, golden.arrays["fusion"])
    assert_close_to_largest(read, golden.arrays["lstm_mid"])
    logits = model.classify(model.combine(torch.cat([read, fusion], dim=1)))
    assert_answers(golden, logits)
    assert_loss_and_gradients(golden, model, looking_loss(logits), PUBLISHED_RULES)
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]


def test_bins_are_the_published_ones() -> None:
    golden = Golden.read("lam_data_ops").arrays
    place, visibility = landmark_bins(published_layout(torch.from_numpy(golden["bins__head2d"])), row=PUBLISHED_ROW)
    np.testing.assert_array_equal(torch.stack([place, visibility], dim=-1), golden["bins__index"])
    about = about_eyes(torch.from_numpy(golden["kp__in"])[None].float())
    np.testing.assert_allclose(about[0].T.flatten(), golden["kp__head2d"], atol=1e-6)
    np.testing.assert_array_equal(
        angle_bins(torch.from_numpy(golden["angle__deg"])).clamp(max=90), np.minimum(golden["angle__bin"], 90)
    )


def test_a_head_turned_beyond_90_degrees_counts_as_turned_by_90() -> None:
    assert angle_bins(torch.tensor([-99.0, 90.9, 91.0, -1.5])).tolist() == [90, 90, 90, 1]


def test_two_places_share_a_bin_only_as_published() -> None:
    grid = torch.cartesian_prod(torch.arange(PLACES), torch.arange(PLACES)) * 0.1 - 1.95
    marks = torch.cat([grid.clamp(-2, 2), torch.ones(len(grid), 1)], dim=1)[:, None].expand(-1, 5, -1)
    assert landmark_bins(marks, row=PLACES)[0][:, 0].unique().numel() == PLACES * PLACES
    assert landmark_bins(marks, row=PUBLISHED_ROW)[0].max() == 840


@torch.no_grad()
@pytest.mark.parametrize("priors", ["own", "published"])
def test_runs_without_priors_and_with_what_is_known_near_the_middle(priors: str) -> None:
    model, film, given = small(priors=priors), track(), known()
    without = model(film)
    unknown = {name: torch.full_like(value, torch.nan) for name, value in given.items()}
    torch.testing.assert_close(model(film, **unknown), without)
    assert without.isfinite().all()
    assert not torch.allclose(model(film, **given), without, atol=1e-4)
    gap = {name: value.clone() for name, value in given.items()}
    for value in gap.values():
        value[:, 3] = torch.nan
    moved = {name: value[:, [0, 1, 2, 2, 4, 5, 6]] for name, value in given.items()}
    torch.testing.assert_close(model(film, **gap), model(film, **moved))


def test_a_landmark_that_is_missing_leaves_the_others_known_unless_it_is_an_eye() -> None:
    landmarks = torch.rand(2, 5, 3)
    landmarks[0, 0] = landmarks[1, 2] = torch.nan
    known = own_bins(torch.zeros(2, 3), landmarks).known
    assert known is not None
    assert known.tolist() == [[True] * 3 + [False] + [True] * 4, [True] * 3 + [False] * 5]
    published = published_bins(torch.full((2, 3), torch.nan), landmarks)
    assert published.place.tolist() == [[20 * 20 + 20] * 5] * 2
    assert published.angle.tolist() == [[90] * 3] * 2


@torch.no_grad()
def test_a_mirror_image_of_a_mirror_image_is_answered_as_the_pictures() -> None:
    model, told = small(), {"video": track(), **known()}
    once = model.mirrored(told)
    assert not torch.allclose(model(**once), model(**told), atol=1e-4)
    torch.testing.assert_close(model(**model.mirrored(once)), model(**told))


@pytest.mark.parametrize(
    "made", [small, lambda **kw: GazeViT(weights="random", pose_width=16, pose_depths=(1, 1), depth=1, **kw)]
)
def test_priors_read_as_published_stay_unmirrored_beside_a_mirrored_picture(made) -> None:
    told = {"video": track(), **known()}
    for priors, step in (("own", FacePriors), ("published", GazePosePriors)):
        model = made(priors=priors)
        assert [type(s) for s in model.preprocess] == [Normalise, step]
        turned = model.mirrored(told)
        torch.testing.assert_close(turned["video"], told["video"].flip(-1))
        for name in ("head_pose", "landmarks"):
            assert torch.equal(turned[name], told[name]) == (priors == "published")


@torch.no_grad()
def test_nothing_depends_on_what_is_not_known() -> None:
    model, bins = small(), own_bins(torch.tensor([[10.0, torch.nan, 3.0]]), torch.rand(1, 5, 3))
    cells, place = model.questions.cells(torch.randn(1, 512, 2, 2))
    answers = model.questions.answers(cells, place, bins)
    changed = model.questions.answers(cells, place, bins._replace(angle=bins.angle + torch.tensor([0, 40, 0])))
    torch.testing.assert_close(changed, answers)
    assert answers[0, 1].abs().max() == 0


@torch.no_grad()
def test_a_track_asked_everywhere_is_answered_as_in_seven_fold_windows_and_one_as_among_others() -> None:
    model, film, given = small(), track(b=2, t=9), known(b=2, t=9)
    once = model(film, asked=torch.arange(9).expand(2, -1), **given)
    for moment in (0, 4, 8):
        near = [min(max(moment + i, 0), 8) for i in range(-3, 4)]
        window = {name: value[:1, near] for name, value in given.items()}
        torch.testing.assert_close(once[:1, moment], model(film[:1, near], **window)[:, 0], rtol=1e-5, atol=1e-5)


def test_only_the_published_vectors_of_landmarks_stay_as_they_were_drawn() -> None:
    for priors, learns in (("own", True), ("published", False)):
        model = small(priors=priors)
        looking_loss(model(track(), **known())[:, 0]).backward()
        assert (model.questions.tables.place.weight.grad is not None) == learns
        assert model.questions.tables.yaw.weight.grad is not None


def test_starts_from_gaze360_and_says_what_a_checkpoint_lacks() -> None:
    gaze360, model = Golden.read("lam_gaze360").state(), GazePose(weights="random", depths=(1, 1))
    model.init_from({"state_dict": {f"module.{n}": v for n, v in gaze360.items()}})
    torch.testing.assert_close(model.trunk.narrow.weight, gaze360["base_model.fc2.weight"])
    own = {n: torch.empty(s, device="meta") for n, s in Golden.read("lam_gazepose").about["params"]}
    with pytest.raises(WeightsError, match="missing headpos_emeb"):
        GazePose.from_published({n: v for n, v in own.items() if n != "headpos_emeb"})


def test_learns_two_faces_by_heart() -> None:
    model, film, given = small(dropout=0.0).train(), track()[..., :32, :32], known()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        loss = looking_loss(model(film, **given)[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
