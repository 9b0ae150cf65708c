import json
import sys
import warnings
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from clip_films import STEP, Hum, film, gaze_track, grey_of

from regard.clips import ClipDataset, EveryClip
from regard.errors import FileError, MissingExtraError, RecipeError
from regard.io import FilmWriter, open_sound, open_video
from regard.prepare.film import Settings
from regard.prepare.folder import prepare, use_prepared
from regard.prepare.pool import ClusterError
from regard.types import MediaStream, Recording

SMALL = Settings(size=32)


@pytest.fixture
def uneven(tmp_path) -> Recording:
    """100 frames of 48 x 66 at uneven times, with sound."""
    rng = np.random.default_rng(0)
    times_s = np.cumsum(rng.uniform(0.01, 0.09, 100))
    path = tmp_path / "uneven.mp4"
    with FilmWriter(path, size=(48, 66), sound=Hum(roars_from_s=2.0)) as writer:
        for k, time_s in enumerate(times_s):
            writer.write(np.full((48, 66, 3), 10 + STEP * k % 240, np.uint8), float(time_s))
    stream = MediaStream(path=path)
    return Recording(id="a/uneven one", subject="s", video=stream, audio=stream, gaze=gaze_track(5.0))


def test_a_prepared_film_shows_the_same_frames_at_the_same_times(uneven, tmp_path):
    done = prepare([uneven], tmp_path / "out", SMALL, workers=1)
    assert done.made == (uneven.id,)
    assert done.is_whole
    (after,) = use_prepared([uneven], tmp_path / "out", size=32)
    before_video, after_video = open_video(uneven.video), open_video(after.video)
    np.testing.assert_allclose(after_video.times_s, before_video.times_s, atol=1 / 90_000)
    assert after_video.size == (32, 44)
    shown = after_video.frames_at(before_video.times_s).transpose(0, 3, 1, 2)
    assert grey_of(shown).tolist() == [k % 60 for k in range(100)]
    assert (after.gaze, after.segments, after.id) == (uneven.gaze, uneven.segments, uneven.id)


def test_a_prepared_film_has_a_key_frame_every_so_often_and_none_that_looks_ahead(uneven, tmp_path):
    prepare([uneven], tmp_path / "out", Settings(size=32, gop=10), workers=1)
    (path,) = (tmp_path / "out").glob("*.mp4")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        assert container.streams.video[0].time_base == Fraction(1, 90_000)
    keys = np.flatnonzero([p.is_keyframe for p in packets])
    assert np.diff([*keys, len(packets)]).max() <= 10
    assert all(p.dts == p.pts for p in packets)


def test_the_sound_comes_along_at_the_same_moments(uneven, tmp_path):
    prepare([uneven], tmp_path / "out", SMALL, workers=1)
    (after,) = use_prepared([uneven], tmp_path / "out")
    assert after.audio is not None
    assert uneven.audio is not None
    before, heard = (open_sound(a).samples_between(1.5, 2.5, rate_hz=24_000)[0] for a in (uneven.audio, after.audio))
    lags = {lag: float(np.corrcoef(before[50:-50], np.roll(heard, lag)[50:-50])[0, 1]) for lag in range(-20, 21)}
    assert max(lags, key=lambda lag: lags[lag]) == 0
    assert lags[0] > 0.98
    prepare([uneven], tmp_path / "mute", Settings(size=32, sound=False), workers=1)
    assert use_prepared([uneven], tmp_path / "mute")[0].audio == uneven.audio


def test_prepared_recordings_are_cut_like_the_originals(uneven, tmp_path):
    prepare([uneven], tmp_path / "out", SMALL, workers=1)
    sampler = EveryClip(num_frames=4, interval_s=0.25, hop_s=0.5)
    needs = frozenset({"video", "gaze"})
    originals = ClipDataset([uneven], sampler, needs=needs, decode_size=32)
    prepared = ClipDataset(use_prepared([uneven], tmp_path / "out"), sampler, needs=needs, decode_size=32)
    assert len(originals) == len(prepared)
    for a, b in zip(map(originals.__getitem__, range(5)), map(prepared.__getitem__, range(5)), strict=True):
        assert grey_of(a.video).tolist() == grey_of(b.video).tolist()


def test_repeating_an_interrupted_call_makes_only_what_is_missing(recording, tmp_path):
    four = [recording(f"r{k}") for k in range(4)]
    out = tmp_path / "out"
    assert prepare(four[:2], out, SMALL, workers=1).made == ("r0", "r1")
    (out / "manifest.json").unlink()
    lines: list[str] = []
    again = prepare(four, out, SMALL, workers=2, tell=lines.append)
    assert (again.already, sorted(again.made)) == (("r0", "r1"), ["r2", "r3"])
    assert len(lines) == 2
    next(iter(out.glob("r1-*.mp4"))).write_bytes(b"half")
    assert prepare(four, out, SMALL, workers=1).made == ("r1",)
    assert len(prepare(four, out, Settings(size=24), workers=1).made) == 4


def test_the_manifest_is_written_by_the_last_shard_and_not_before(recording, tmp_path):
    three, out = [recording(f"r{k}") for k in range(3)], tmp_path / "out"
    first = prepare(three, out, SMALL, workers=1, shard=(0, 2))
    assert (first.made, first.waiting) == (("r0", "r2"), ("r1",))
    with pytest.raises(FileError, match="no readable manifest"):
        use_prepared(three, out)
    assert prepare(three, out, SMALL, workers=1, shard=(1, 2)).is_whole
    assert len(use_prepared(three, out)) == 3
    with pytest.raises(RecipeError, match="2/2"):
        prepare(three, out, SMALL, shard=(2, 2))


def test_shards_that_run_at_the_same_time_leave_one_whole_manifest(recording, tmp_path):
    nine, out = [recording(f"r{k}") for k in range(9)], tmp_path / "out"
    begin = get_context("fork").Barrier(3)
    shards = [get_context("fork").Process(target=_prepare_together, args=(begin, nine, out, k)) for k in range(3)]
    for shard in shards:
        shard.start()
    for shard in shards:
        shard.join()
        assert shard.exitcode == 0
    assert len(use_prepared(nine, out)) == 9
    assert len(list(out.glob("*.mp4"))) == 9
    assert len(list(out.glob("*.json"))) == 10, "nine notes, one manifest and nothing left over"


def _prepare_together(begin: Barrier, recordings: list[Recording], out: Path, shard: int) -> None:
    begin.wait()
    prepare(recordings, out, SMALL, workers=1, shard=(shard, 3))


def test_two_jobs_that_end_at_the_same_moment_both_stand_in_the_manifest(recording, tmp_path):
    """Each has looked round before the other wrote; whoever writes last must have looked again."""
    splits, out = [[recording(f"{name}{k}") for k in range(4)] for name in ("train", "test")], tmp_path / "out"
    begin = get_context("fork").Barrier(8)
    jobs = [
        get_context("fork").Process(target=_prepare_together_alone, args=(begin, split[k : k + 1], out))
        for split in splits
        for k in range(4)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0
    assert len(use_prepared(splits[0] + splits[1], out)) == 8


def _prepare_together_alone(begin: Barrier, recordings: list[Recording], out: Path) -> None:
    begin.wait()
    prepare(recordings, out, SMALL, workers=1)


def test_a_ray_cluster_makes_the_same_films_and_names_what_it_cannot_read(recording, tmp_path):
    pytest.importorskip("ray.data")
    (tmp_path / "text.mp4").write_text("this is no film")
    wrong = recording("wrong", video=MediaStream(path=tmp_path / "text.mp4"))
    two, here, there = [recording("a"), recording("b")], tmp_path / "here", tmp_path / "there"
    prepare(two, here, SMALL, workers=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        done = prepare([*two, wrong], there, SMALL, engine="ray", workers=2, on_error="skip")
        with pytest.raises(FileError, match=r"text\.mp4"):
            prepare([wrong], there, SMALL, engine="ray")
    assert (sorted(done.made), list(done.failed)) == (["a", "b"], ["wrong"])
    assert use_prepared([wrong], there) == (wrong,)
    for mine, theirs in zip(use_prepared(two, here), use_prepared(two, there), strict=True):
        assert mine.video.path.read_bytes() == theirs.video.path.read_bytes()


def test_a_cluster_that_does_not_start_is_told_with_a_way_round(recording, tmp_path, monkeypatch):
    class Busy(ModuleType):
        """A stand-in for a Ray whose node does not come up in time."""

        def is_initialized(self) -> bool:
            return False

        def init(self, **options: object) -> None:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setitem(sys.modules, "ray", Busy("ray"))
    monkeypatch.setitem(sys.modules, "ray.data", ModuleType("ray.data"))
    with pytest.raises(ClusterError, match=r"timed out during startup(?s:.*)--shard"):
        prepare([recording()], tmp_path / "out", SMALL, engine="ray")


def test_without_ray_the_extra_is_named(recording, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"regard\[ray\]"):
        prepare([recording()], tmp_path / "out", SMALL, engine="ray")


def test_another_split_joins_the_films_that_are_there(recording, tmp_path):
    train, test, out = [recording("train")], [recording("test")], tmp_path / "out"
    prepare(train, out, SMALL, workers=1)
    prepare(test, out, SMALL, workers=1)
    assert len(use_prepared(train + test, out)) == 2
    prepare(test, out, Settings(size=24), workers=1)
    with pytest.raises(FileError, match="no film"):
        use_prepared(train + test, out)


def test_a_stale_or_missing_or_too_small_film_is_refused(recording, tmp_path):
    source = film(tmp_path / "source.mp4", np.arange(20) / 10)
    mine, out = recording(video=MediaStream(path=source)), tmp_path / "out"
    prepare([mine], out, SMALL, workers=1)
    with pytest.raises(FileError, match="no film for other"):
        use_prepared([recording("other")], out)
    with pytest.raises(RecipeError, match="short side of 32"):
        use_prepared([mine], out, size=64)
    film(source, np.arange(30) / 10)
    with pytest.raises(FileError, match="changed since"):
        use_prepared([mine], out)
    assert prepare([mine], out, SMALL, workers=1).made == (mine.id,)
    source.unlink()
    assert use_prepared([mine], out)[0].video.path.parent == out
    next(iter(out.glob("*.mp4"))).unlink()
    with pytest.raises(FileError, match="no film"):
        use_prepared([mine], out)


def test_a_video_that_cannot_be_read_is_named_or_listed_and_keeps_its_original(recording, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no film")
    wrong = recording("wrong", video=MediaStream(path=tmp_path / "text.mp4"))
    out = tmp_path / "out"
    with pytest.raises(FileError, match=r"text\.mp4"):
        prepare([recording(), wrong], out, SMALL, workers=1)
    done = prepare([recording(), wrong], out, SMALL, workers=1, on_error="skip")
    assert list(done.failed) == ["wrong"]
    assert done.already == ("kitchen",)
    assert "text.mp4" in json.loads((out / "manifest.json").read_text())["recordings"]["wrong"]["failed"]
    kitchen, kept = use_prepared([recording(), wrong], out)
    assert kept == wrong
    assert kitchen.video.path.parent == out


def test_a_folder_that_cannot_be_written_stops_everything(recording, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="cannot be written"):
        prepare([recording()], Path(tmp_path / "file"), SMALL, workers=1, on_error="skip")


def test_impossible_sizes_are_refused():
    with pytest.raises(RecipeError):
        Settings(size=4)
    with pytest.raises(RecipeError):
        Settings(size=32, gop=0)
