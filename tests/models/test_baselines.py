"""The baselines against hand-worked cases, scipy's Gaussian, and real recordings."""

import csv

import av
import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from regard.models.baselines import CentrePrior, GazeStays, Saliency


def peak(logits: torch.Tensor) -> tuple[float, float]:
    """(x, y) of the most likely cell's centre."""
    h, w = logits.shape
    best = int(logits.argmax())
    return (best % w + 0.5) / w, (best // w + 0.5) / h


def textured(frames: int, *, size: int = 96, seed: int = 0) -> torch.Tensor:
    """The same smooth random picture, repeated: [1, frames, 3, size, size]."""
    noise = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    picture = torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1) * 0.1 + 0.4
    return picture[:, None].repeat(1, frames, 1, 1, 1)


def test_centre_prior_is_the_gaussian_of_scipy_at_every_cell():
    logits = CentrePrior(size=(48, 64))(torch.zeros(2, 3))
    assert logits.shape == (2, 3, 48, 64)
    y, x = np.mgrid[0:48, 0:64] + 0.5
    wanted = multivariate_normal([0.504, 0.703], np.diag([0.132, 0.187]) ** 2).pdf(np.stack([x / 64, y / 48], -1))
    np.testing.assert_allclose(logits[1, 2].exp(), wanted / wanted.sum(), rtol=1e-4, atol=1e-9)


def test_a_coloured_spot_stands_out():
    video = textured(1)
    video[..., 24:34, 60:70] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    x, y = peak(Saliency(prior_weight=0.0)(video)[0, 0])
    assert abs(x - 65 / 96) < 0.06
    assert abs(y - 29 / 96) < 0.06


def test_what_moves_against_a_moving_picture_stands_out():
    scene = textured(1, size=160)[0, 0]
    spot = textured(1, size=160, seed=1)[0, 0][:, :14, :14]
    frames = []
    for k in range(3):
        frame = scene[:, 2 * k : 2 * k + 128, 3 * k : 3 * k + 128].clone()
        frame[:, 50 : 50 + 14, 80 + 4 * k : 80 + 4 * k + 14] = spot
        frames.append(frame)
    logits = Saliency(prior_weight=0.0, still_weight=0.0)(torch.stack(frames)[None])[0]
    x, y = peak(logits[2])
    assert abs(x - 93 / 128) < 0.08
    assert abs(y - 57 / 128) < 0.08
    assert torch.equal(logits[0], torch.full((64, 64), logits[0, 0, 0].item()))


def test_the_head_s_own_motion_is_taken_out():
    scene = textured(1, size=160)[0, 0]
    video = torch.stack([scene[:, 2 * k : 2 * k + 128, 3 * k : 3 * k + 128] for k in range(3)])[None]
    still = textured(3, size=128)
    moved = Saliency(prior_weight=0.0, still_weight=0.0, motion_weight=1.0)
    torch.testing.assert_close(moved(still), moved(still)[:, :1].expand(1, 3, 64, 64), atol=1e-3, rtol=0)
    wobble = video.clone()
    wobble[0, 1:, :, 60:75, 60:75] = 0.9
    assert peak(moved(wobble)[0, 1]) != peak(moved(video)[0, 1])
    x, y = peak(moved(wobble)[0, 1])
    assert abs(x - 67 / 128) < 0.1
    assert abs(y - 67 / 128) < 0.1


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_flat_picture_leaves_the_prior(grey: float):
    logits = Saliency()(torch.full((1, 3, 3, 40, 60), grey))
    prior = CentrePrior()(torch.zeros(1, 3))
    torch.testing.assert_close(logits, prior, atol=0.02, rtol=0)


def test_grey_pictures_have_no_ghost_in_the_corner():
    video = textured(1).mean(2, keepdim=True).repeat(1, 1, 3, 1, 1)
    video[..., 40:50, 40:50] = 0.95
    x, y = peak(Saliency(prior_weight=0.0)(video)[0, 0])
    assert abs(x - 45 / 96) < 0.06
    assert abs(y - 45 / 96) < 0.06


def test_later_frames_change_nothing_earlier():
    video = torch.rand(2, 5, 3, 32, 48, generator=torch.Generator().manual_seed(3))
    changed = video.clone()
    changed[:, 3:] = 1 - changed[:, 3:]
    a, b = Saliency()(video), Saliency()(changed)
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.equal(a[:, 3:], b[:, 3:])


def test_a_masked_frame_is_not_looked_at_even_when_it_is_nan():
    video = torch.rand(1, 4, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    valid = torch.tensor([[True, False, True, True]])
    spoilt = video.clone()
    spoilt[:, 1] = float("nan")
    a, b = Saliency()(video, valid), Saliency()(spoilt, valid)
    assert torch.equal(a, b)
    torch.testing.assert_close(a[0, 1], CentrePrior()(torch.zeros(1, 1))[0, 0])


def test_saliency_is_a_density_of_the_asked_size():
    logits = Saliency(size=(32, 56))(torch.rand(2, 2, 3, 30, 50, generator=torch.Generator().manual_seed(5)))
    assert logits.shape == (2, 2, 32, 56)
    torch.testing.assert_close(logits.exp().sum((-1, -2)), torch.ones(2, 2))


def test_saliency_sees_more_than_the_prior_on_a_real_recording(real_data):
    with (real_data / "neon_window" / "frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    with av.open(str(real_data / "neon_window" / "scene_640x480.mp4")) as file:
        frames = [f.to_ndarray(format="rgb24", width=160, height=120) for f in file.decode(video=0)][60:120]
    video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)[None].float() / 255
    gaze = torch.tensor([[float(r["gaze_x_px"]) / 1600, float(r["gaze_y_px"]) / 1200] for r in rows[60:120]])

    def nss(logits: torch.Tensor) -> float:
        density = logits.exp()
        z = (density - density.mean((-1, -2), keepdim=True)) / density.std((-1, -2), keepdim=True)
        cell = (gaze * 64).long().clamp(0, 63)
        return z[torch.arange(len(z)), cell[:, 1], cell[:, 0]].mean().item()

    salient, prior = nss(Saliency()(video)[0]), nss(CentrePrior()(torch.zeros(1, 60))[0])
    assert salient > prior + 0.3


def test_gaze_stays_peaks_at_the_last_valid_gaze():
    point = torch.tensor([[[0.2, 0.3], [0.7, 0.4], [float("nan"), float("nan")]]])
    logits = GazeStays()(point, torch.tensor([[True, True, False]]), torch.tensor([[0.0, 0.25, 2.0]]))
    assert logits.shape == (1, 3, 64, 64)
    assert logits.isfinite().all()
    for k in range(2):
        x, y = peak(logits[0, k])
        assert abs(x - 0.7) <= 1 / 64
        assert abs(y - 0.4) <= 1 / 64


def test_gaze_stays_spreads_as_the_question_lies_farther_ahead():
    ahead = torch.tensor([[0.0, 0.1, 0.3, 1.0, 5.0]])
    logits = GazeStays()(torch.tensor([[[0.5, 0.2]]]), torch.ones(1, 1, dtype=torch.bool), ahead)
    entropy = -(logits.exp() * logits).sum((-1, -2))[0]
    assert (entropy.diff() > 0).all()
    torch.testing.assert_close(logits.exp().sum((-1, -2)), torch.ones(1, 5))


def test_gaze_stays_keeps_its_share_worked_by_hand():
    """With a prior far away, the mass near the gaze is the share of the law: 0.57 + 0.32 exp(-h / 0.2)."""
    model = GazeStays(prior_mean=(0.5, 0.95), prior_spread=(0.02, 0.02))
    logits = model(torch.tensor([[[0.5, 0.25]]]), torch.ones(1, 1, dtype=torch.bool), torch.tensor([[0.0, 0.2, 9.0]]))
    near = logits.exp()[0, :, :40].sum((-1, -2))
    torch.testing.assert_close(near, torch.tensor([0.89, 0.57 + 0.32 / np.e, 0.57]), atol=1e-3, rtol=0)


def test_without_any_gaze_the_prior_answers():
    point = torch.full((2, 3, 2), float("nan"))
    point[0, 0] = 0.5
    valid = torch.zeros(2, 3, dtype=torch.bool)
    valid[0, 0] = True
    logits = GazeStays()(point, valid, torch.ones(2, 4))
    torch.testing.assert_close(logits[1], CentrePrior()(torch.ones(1, 4))[0])
    assert not torch.equal(logits[0], logits[1])


def test_off_screen_gaze_weighs_on_the_nearest_edge():
    logits = GazeStays()(torch.tensor([[[1.4, 0.5]]]), torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1))
    x, y = peak(logits[0, 0])
    assert x == 63.5 / 64
    assert abs(y - 0.5) <= 1 / 64


def test_gaze_stays_is_worth_more_than_the_prior_on_real_gaze(real_data):
    table = np.load(real_data / "egtea_gaze" / "egtea_gaze.npz")
    gaze = table["gaze_u16"]
    clips = np.flatnonzero(table["split"][:, 0] == 1)[:400]
    starts, ends = table["offsets"][clips], table["offsets"][clips + 1]
    pairs = np.concatenate(
        [np.stack([gaze[a : e - 12 : 12], gaze[a + 12 : e : 12]], 1)
         for a, e in zip(starts, ends, strict=True) if e - a > 12]
    )  # fmt: skip
    pairs = torch.from_numpy(pairs[(pairs != 0).any(-1).all(1)] / np.float32(65535))
    logits = GazeStays()(pairs[:, :1], torch.ones(len(pairs), 1, dtype=torch.bool), torch.full((len(pairs), 1), 0.5))
    cell = (pairs[:, 1] * 64).long().clamp(0, 63)
    rows = torch.arange(len(pairs))
    gained = logits[rows, 0, cell[:, 1], cell[:, 0]] - CentrePrior()(torch.zeros(1, 1))[0, 0][cell[:, 1], cell[:, 0]]
    assert len(pairs) > 1000
    assert gained.mean() > 0.8
