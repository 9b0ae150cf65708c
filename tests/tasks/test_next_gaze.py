import numpy as np
import pytest
import torch

from regard.clips.collate import collate
from regard.clips.dataset import ClipDataset
from regard.clips.sampling.successive import SuccessiveMoments
from regard.models.gaze_mixture import GazeMixture
from regard.tasks.scanpath.next_gaze import NextGaze
from regard.types import GazeState, GazeTrack, Recording


def recording(name: str, n: int) -> Recording:
    """A gaze that looks at three places in turn, lost for a moment and off the picture for another."""
    rng = np.random.default_rng(len(name))
    place = np.repeat(rng.uniform(0.2, 0.8, (-(-n // 8), 2)), 8, axis=0)[:n] + rng.normal(0, 0.003, (n, 2))
    state = np.full(n, GazeState.FIXATION, np.int8)
    state[::8] = GazeState.SACCADE
    state[5] = GazeState.LOST
    place[5], place[6] = np.nan, 1.5
    return Recording(id=name, subject=name, gaze=GazeTrack(time_s=np.arange(n) / 30, point=place, state=state))


@pytest.fixture
def task() -> NextGaze:
    torch.manual_seed(0)
    return NextGaze(GazeMixture(width=16, components=8))


def test_runs_cover_every_moment_and_ask_about_the_one_after():
    whole = recording("a", 50)
    assert whole.gaze is not None
    rng = np.random.default_rng(0)
    clips = SuccessiveMoments(num_moments=20).clips(whole, times_s=whole.gaze.time_s, rng=rng)
    assert [len(c.frame_s) for c in clips] == [20, 20, 20]
    asked = np.unique(np.concatenate([c.gaze_s for c in clips]))
    np.testing.assert_array_equal(asked, whole.gaze.time_s[1:])
    (one,) = SuccessiveMoments().clips(whole, times_s=whole.gaze.time_s, rng=rng)
    np.testing.assert_array_equal(one.gaze_s, whole.gaze.time_s[1:])
    assert SuccessiveMoments().clips(whole, times_s=whole.gaze.time_s[:1], rng=rng) == ()
    counts = {
        len(SuccessiveMoments(num_moments=20, shifted=True).clips(whole, times_s=whole.gaze.time_s, rng=rng))
        for _ in range(9)
    }
    assert counts == {3}


def test_loss_falls_and_scores_leave_lost_and_off_screen_gaze_out(task: NextGaze):
    data = ClipDataset((recording("a", 40), recording("bb", 25)), SuccessiveMoments(), needs=task.needs)
    batch = collate([data[0], data[1]])
    before = task.score(task.answer(batch), batch)
    optimiser = torch.optim.Adam(task.model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = task.loss(task.answer(batch), batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 1
    after = task.score(task.answer(batch), batch)
    assert len(after) == 39 + 24
    lost = after[(after["recording"] == "a") & np.isclose(after["time_s"], 5 / 30)]
    outside = after[(after["recording"] == "bb") & np.isclose(after["time_s"], 6 / 30)]
    assert lost["nats"].isna().all()
    assert outside["nats"].isna().all()
    assert after["nats"].mean() > before["nats"].mean()
    table = task.summarise(after).set_index("score")["value"]
    assert table["nats_saccade"] < table["nats_fixation"]


def test_batch_without_known_gaze_teaches_nothing(task: NextGaze):
    nothing = recording("a", 12)
    assert nothing.gaze is not None
    lost = Recording(id="l", subject="l", gaze=GazeTrack.lost(nothing.gaze.time_s))
    data = ClipDataset((lost,), SuccessiveMoments(), needs=task.needs)
    batch = collate([data[0]])
    loss = task.loss(task.answer(batch), batch)["loss"]
    assert float(loss.detach()) == 0
    loss.backward()
