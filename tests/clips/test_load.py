import random
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from clip_films import film, grey_of

from regard.batch import Batch, Sample
from regard.clips import ClipDataset, EveryClip, FirstFrames, KapidisGazeFrames, RandomClip, SoundWindows, load, loader
from regard.errors import FileError, RecipeError
from regard.transforms import HorizontalFlip, Transform
from regard.types import MediaStream, Recording, Segment

NEEDS = frozenset({"video", "gaze"})
EVERY = EveryClip(num_frames=3, interval_s=0.2, hop_s=0.5, short="leave_out")
RANDOM = RandomClip(num_frames=3, interval_s=0.2, num_clips=4)


@dataclass(frozen=True)
class Dim(Transform):
    """A user's transform that draws from the global generators as well, as it should not."""

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        drawn = [random.random(), np.random.rand(), float(torch.rand(()))]
        return replace(sample, observed_point=torch.tensor([drawn[:2], [drawn[2], 0.0]]))


@pytest.fixture
def recordings(recording) -> tuple[Recording, ...]:
    return tuple(recording(f"r{k}") for k in range(3))


def dataset(recordings, sampler=RANDOM, **changes) -> ClipDataset:
    return ClipDataset(recordings, sampler, **{"needs": NEEDS, "transforms": (HorizontalFlip(),), "seed": 5, **changes})


def same(a: Batch, b: Batch) -> bool:
    return (
        torch.equal(a.video, b.video)
        and torch.equal(a.gaze_point.nan_to_num(-1), b.gaze_point.nan_to_num(-1))
        and [str(c) for c in a.clips] == [str(c) for c in b.clips]
    )


def test_an_example_shows_the_frames_and_the_gaze_of_its_moments(recordings):
    data = dataset(recordings, EVERY, transforms=(), needs=frozenset({"video", "gaze", "observed_gaze"}))
    assert len(data) == 3 * 10
    sample = data[3]
    assert sample.video.shape == (3, 3, 48, 64)
    assert sample.video.dtype == torch.uint8
    assert grey_of(sample.video).tolist() == [15, 17, 19]
    np.testing.assert_allclose(sample.gaze_point[0], [0.2 + 0.6 * 0.3, 0.3 + 0.4 * 0.3], atol=1e-6)
    assert sample.gaze_valid.tolist() == [True, True, True]
    assert data[4].gaze_valid.tolist() == [False, False, False]
    assert torch.equal(sample.observed_point, sample.gaze_point)
    assert sample.label is None


def test_no_gaze_is_known_at_a_shown_frame_that_nothing_is_asked_about(recordings):
    recording = replace(recordings[0], segments=(Segment(start_s=0.2, end_s=1.4, kind="action"),))
    data = dataset((recording,), KapidisGazeFrames(), transforms=())
    clip = data.clip(1)
    assert len(data) == 2
    assert np.isnan(clip.gaze_s).any()
    sample = data[1]
    assert len(sample.video) == len(sample.gaze_valid) == 16
    np.testing.assert_array_equal(sample.gaze_valid, ~np.isnan(clip.gaze_s))
    assert sample.gaze_point[~sample.gaze_valid].isnan().all()


def test_frames_come_scaled_to_the_asked_short_side(recordings):
    assert dataset(recordings, EVERY, decode_size=24)[0].video.shape[-2:] == (24, 32)


def test_a_moment_just_before_a_rounded_frame_time_means_that_frame(recording, tmp_path):
    times_s = np.round(np.arange(48) / 24, 3)
    rounded = recording(video=MediaStream(path=film(tmp_path / "milliseconds.mp4", times_s)), segments=())
    data = dataset([rounded], EveryClip(num_frames=48, interval_s=1 / 24, hop_s=9.0), transforms=())
    assert grey_of(data[0].video).tolist() == list(range(48))


def test_gaze_may_be_interpolated_and_the_allowed_gap_chosen(recording):
    sampler = EveryClip(num_frames=1, interval_s=0.1, hop_s=0.105)
    nearest = dataset([recording()], sampler, transforms=())
    between = dataset([recording()], sampler, transforms=(), gaze="interpolated")
    strict = dataset([recording()], sampler, transforms=(), max_gap_s=1e-4)
    assert float((nearest[1].gaze_point - between[1].gaze_point).abs().max()) > 1e-4
    np.testing.assert_allclose(between[1].gaze_point[0], [0.2 + 0.6 * 0.105 / 5, 0.3 + 0.4 * 0.105 / 5], atol=1e-6)
    assert not strict[1].gaze_valid.any()


def test_examples_depend_on_seed_epoch_and_number_and_on_nothing_else(recordings):
    one, other = dataset(recordings), dataset(recordings)
    torch.rand(3)
    assert torch.equal(one[5].video, other[5].video)
    clips = {str(one.clip((epoch, 5))) for epoch in range(4)}
    assert len(clips) == 4
    other.set_epoch(2)
    assert str(other.clip(5)) == str(one.clip((2, 5)))
    assert str(dataset(recordings, seed=6).clip(5)) != str(one.clip(5))


def test_workers_change_nothing(recordings):
    alone, helped = (list(loader(dataset(recordings), batch_size=4, shuffle=True, num_workers=n)) for n in (0, 2))
    assert len(alone) == len(helped) == 3
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert helped[0].clips[0].recording.gaze is not None


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_exactly_where_its_state_was_taken(recordings, workers):
    def fresh():
        return loader(dataset(recordings), batch_size=2, shuffle=True, num_workers=workers, seed=3)

    first = fresh()
    first.batch_sampler.sampler.set_epoch(7)
    running = iter(first)
    list(islice(running, 2))
    state = first.state_dict()
    remaining = list(running)
    resumed = fresh()
    resumed.load_state_dict(state)
    again = list(resumed)
    assert len(again) == len(remaining) == 4
    assert all(same(a, b) for a, b in zip(again, remaining, strict=True))
    first.batch_sampler.sampler.set_epoch(8)
    resumed.batch_sampler.sampler.set_epoch(8)
    whole = list(first), list(resumed)
    assert len(whole[0]) == len(whole[1]) == 6
    assert all(same(a, b) for a, b in zip(*whole, strict=True))
    assert not same(whole[0][0], remaining[0])


def test_global_generators_differ_between_workers_and_epochs(recordings):
    batches = loader(
        dataset(recordings, transforms=(Dim(),), needs=frozenset({"gaze"})), batch_size=1, shuffle=False, num_workers=2
    )
    first = torch.cat([b.observed_point for b in batches]).flatten(1)[:, :3]
    assert len({float(v) for v in first.flatten()}) == first.numel()


def break_in_the_middle(path: Path, source: Path) -> Path:
    data = bytearray(source.read_bytes())
    start = data.find(b"mdat") + (len(data) - data.find(b"mdat")) // 3
    end = start + (len(data) - start) // 2
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return path


@pytest.fixture
def damaged(recording, tmp_path) -> Recording:
    rng = np.random.default_rng(0)
    from regard.io import FilmWriter

    with FilmWriter(tmp_path / "whole.mp4", size=(48, 64)) as writer:
        for k in range(50):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), k / 10)
    return recording(
        "damaged", video=MediaStream(path=break_in_the_middle(tmp_path / "damaged.mp4", tmp_path / "whole.mp4"))
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_video_stops_the_loader_naming_file_and_time(recording, damaged, workers):
    batches = loader(dataset([recording(), damaged], EVERY), batch_size=4, shuffle=False, num_workers=workers)
    with pytest.raises(FileError, match=r"damaged\.mp4") as caught:
        list(batches)
    assert " s" in caught.value.found
    del caught  # it holds this frame, and so the workers


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_video_is_skipped_counted_and_listed_on_request(recording, damaged, workers):
    data = dataset([recording(), damaged], EVERY, on_error="skip")
    batches = list(loader(data, batch_size=4, shuffle=False, num_workers=workers))
    skipped = [line for b in batches for line in b.skipped]
    assert sum(map(len, batches)) + len(skipped) == len(data)
    assert skipped
    assert all(line.startswith("damaged [") and "damaged.mp4" in line for line in skipped)


def test_a_video_that_cannot_be_opened_is_named_at_once_or_listed(recording, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no film")
    wrong = recording("wrong", video=MediaStream(path=tmp_path / "text.mp4"))
    with pytest.raises(FileError, match=r"text\.mp4"):
        dataset([recording(), wrong])
    assert "text.mp4" in dataset([recording(), wrong], on_error="skip").unusable[0]


def test_a_video_that_shows_no_frame_is_named(recording, monkeypatch):
    class Empty:
        times_s = np.zeros(0)

    monkeypatch.setattr("regard.clips.dataset.open_video", lambda stream: Empty())
    with pytest.raises(FileError, match="shows no frame"):
        dataset([recording()])


def test_a_missing_field_is_named_with_its_recording_before_anything_runs(recording):
    with pytest.raises(RecipeError, match=r"blind\n.*no gaze"):
        dataset([recording(), recording("blind", gaze=None)])
    with pytest.raises(RecipeError, match=r"kitchen\n.*label"):
        dataset([recording()], needs=frozenset({"label"}))
    with pytest.raises(RecipeError, match="no sound"):
        dataset([recording()], needs=frozenset({"sound"}), sound=SoundWindows())
    with pytest.raises(RecipeError, match="SoundWindows"):
        dataset([recording()], needs=frozenset({"sound"}))
    with pytest.raises(RecipeError, match="two recordings"):
        dataset([recording(), recording()])
    with pytest.raises(RecipeError, match="not one clip"):
        dataset([recording()], EveryClip(num_frames=99, interval_s=1.0, hop_s=1.0, short="leave_out"))


def test_a_recording_without_video_shows_its_gaze_and_nothing_else(recording):
    blind = recording("gaze only", video=None)
    sampler = EveryClip(num_frames=6, interval_s=1 / 60, hop_s=0.1, kind="action", short="leave_out")
    data = dataset([blind], sampler, transforms=(), needs=frozenset({"observed_gaze", "label"}))
    sample = data[2]
    assert sample.video is None
    np.testing.assert_allclose(sample.clip.frame_s, 0.7 + np.arange(6) / 60, atol=1e-9)
    np.testing.assert_allclose(sample.observed_point[:, 0], 0.2 + 0.12 * sample.clip.frame_s, atol=1e-6)
    assert sample.label == {"verb": 1}
    flipped = dataset([blind], sampler, transforms=(HorizontalFlip(p=1.0),), needs=data.needs)[2]
    torch.testing.assert_close(
        flipped.view.apply(flipped.observed_point), sample.observed_point * torch.tensor([-1, 1]) + torch.tensor([1, 0])
    )
    with pytest.raises(FileError, match=r"gaze only\n.*gaze without video"):
        dataset([blind])
    with pytest.raises(RecipeError, match=r"gaze only\n.*neither video nor gaze"):
        dataset([recording("gaze only", video=None, gaze=None)], needs=frozenset({"label"}))
    with pytest.raises(FileError, match=r"gaze only\n.*without video"):
        blind.require_video()


def test_the_batch_size_must_divide_over_the_processes(recordings):
    with pytest.raises(RecipeError, match="multiple of 2"):
        loader(dataset(recordings), batch_size=3, shuffle=True, drop_last=True, world_size=2, num_workers=0)


def test_usable_cores_respect_a_containers_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from regard.clips.cores import usable_cores

    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert usable_cores(tmp_path) == 16
    (tmp_path / "cpu.max").write_text("350000 100000\n")
    assert usable_cores(tmp_path) == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert usable_cores(tmp_path) == 4


def test_a_loader_balances_by_a_label_and_names_a_clip_that_has_none(recordings):
    segments = [Segment(start_s=1.0 * k, end_s=k + 1.0, kind="action", labels={"noun": int(k == 0)}) for k in range(4)]
    sampler = FirstFrames(num_frames=2, interval_s=0.2, kind="action")
    labelled = dataset(
        [replace(r, segments=tuple(segments)) for r in recordings], sampler, needs=frozenset({"label"}), transforms=()
    )
    assert labelled.classes("noun").tolist() == [1, 0, 0, 0] * 3
    balanced = loader(labelled, batch_size=4, shuffle=True, balance="noun", num_workers=0)
    nouns = []
    for epoch in range(20):
        balanced.batch_sampler.sampler.set_epoch(epoch)
        nouns += [clip.labels["noun"] for batch in balanced for clip in batch.clips]
    assert 0.4 < np.mean(nouns) < 0.6
    with pytest.raises(RecipeError, match="'verb'"):
        loader(labelled, batch_size=4, shuffle=True, balance="verb", num_workers=0)


def test_a_worker_whose_trainer_was_killed_before_it_began_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "parent_process", lambda: SimpleNamespace(pid=1))
    worker = get_context("fork").Process(target=load._start_worker, args=(0,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 1
