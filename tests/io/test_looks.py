"""A media file is looked through once, however many ask; and one that changes meanwhile is noticed."""

import os
from collections import Counter
from pathlib import Path

import av
import made_media as made
import numpy as np
import pytest

import regard
from regard.errors import FileError
from regard.io import Sound, Video, check_recording
from regard.io.media import kept, look_file, looks, sound_look, video_look
from regard.io.media.looks import look_at_many, media_streams
from regard.io.recording import open_sound, open_video
from regard.types import MediaStream


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How often a file was opened, and how often all packets of a stream were read."""
    count: Counter = Counter()
    really_open, really_read = av.open, video_look.read_table

    def counting_open(*args, **kwargs):
        count["open"] += "w" not in args[1:2]
        return really_open(*args, **kwargs)

    def counting_read(container, path, stream, *, head):
        count[stream.type] += 1
        return really_read(container, path, stream, head=head)

    monkeypatch.setattr(kept, "_shelf", kept._Shelf())  # as a new process has it
    monkeypatch.setattr(av, "open", counting_open)
    monkeypatch.setattr(video_look, "read_table", counting_read)
    monkeypatch.setattr(sound_look, "read_table", counting_read)
    return count


def test_each_stream_of_a_file_is_read_through_once_by_all_who_ask(tiny_world: Path, counted: Counter):
    recording = regard.open(tiny_world)
    check_recording(recording)
    first, second = open_video(recording.require_video()), open_video(recording.require_video())
    assert recording.audio is not None
    assert np.array_equal(first.times_s, second.times_s)
    assert open_sound(recording.audio).duration_s > 1
    assert (counted["video"], counted["audio"]) == (1, 1)
    assert counted["open"] == 3, "one for each stream, and one to decode the two frames that are checked"


def test_a_file_that_was_written_again_is_looked_at_again(walk: Path):
    path = walk / "walk.mp4"
    n = len(Video(path).times_s)
    made.encode(path, made.steady(25))
    assert len(Video(path).times_s) == made.NUM_FRAMES != n


def test_a_video_that_changes_between_its_times_and_its_frames_is_refused(walk: Path):
    path = walk / "walk.mp4"
    video = Video(path)
    last_s = float(video.times_s[-1])
    os.utime(path, ns=(1, 1))
    with pytest.raises(FileError, match="it changed while it was read"):
        video.frames_at(np.array([last_s]))


def test_a_video_that_is_replaced_while_it_is_open_is_refused(walk: Path, tmp_path: Path):
    path = walk / "walk.mp4"
    with Video(path) as video:
        video.frames_at(np.array([0.1]))
        made.encode(tmp_path / "other.mp4", made.steady(25)).replace(path)
        with pytest.raises(FileError, match="it changed while it was read"):
            video.frames_at(np.array([0.2]))


def test_sound_that_changes_between_its_times_and_its_samples_is_refused(tiny_world: Path, tmp_path: Path):
    path = tmp_path / "a.mp4"
    path.write_bytes((tiny_world / "video.mp4").read_bytes())
    sound = Sound(path)
    assert sound.duration_s > 1
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileError, match="it changed while it was read"):
        sound.samples_between(0.0, 1.0, rate_hz=16_000)


def test_a_recording_whose_video_was_replaced_since_is_refused(walk: Path):
    recording = regard.open(walk)
    made.encode(walk / "walk.mp4", made.steady(25))
    with pytest.raises(FileError, match="it changed while it was read"):
        open_video(recording.require_video())


def test_what_was_asked_for_longest_ago_makes_room(walk: Path, counted: Counter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "ROOM_BYTES", 2 * kept.OWN_BYTES)
    a, b = walk / "walk.mp4", walk / "b.mp4"
    b.write_bytes(a.read_bytes())
    for path in (a, a, b, b, a):
        assert len(Video(path).times_s)
    assert counted["video"] == 3


@pytest.fixture
def many(walk_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[MediaStream]:
    """As many films as are kept on disk, and one that is none."""
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(looks, "MANY", 4)
    paths = [tmp_path / f"{i}.mp4" for i in range(4)]
    for path in paths[1:]:
        path.write_bytes(walk_film.read_bytes())
    paths[0].write_bytes(b"no film")
    return [MediaStream(path=p) for p in paths]


def test_many_films_are_known_at_the_next_start(
    many: list[MediaStream], counted: Counter, monkeypatch: pytest.MonkeyPatch
):
    look_at_many(many)
    assert counted["video"] == 3
    first = [Video(s.path) for s in many[1:]]
    pictures = [v.frames_at(v.times_s[[7, 30]]) for v in first]
    monkeypatch.setattr(kept, "_shelf", kept._Shelf())  # as a new process has it
    counted.clear()
    look_at_many(many)
    again = [Video(s.path) for s in many[1:]]
    assert all(np.array_equal(a.times_s, b.times_s) and a.size == b.size for a, b in zip(first, again, strict=True))
    assert media_streams(many[1].path)[1] is None
    assert counted["video"] == 0
    assert counted["open"] == 1, "the one that is no film is tried again"
    for video, expected in zip(again, pictures, strict=True):
        assert np.array_equal(video.frames_at(video.times_s[[7, 30]]), expected)


def test_few_films_leave_nothing_on_disk(many: list[MediaStream], tmp_path: Path):
    look_at_many(many[:3])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b'{"format": 1}', b"\xff\xfe\n\0"])
def test_a_damaged_look_on_disk_is_had_anew(many: list[MediaStream], tmp_path: Path, content: bytes, monkeypatch):
    look_at_many(many)
    for file in (tmp_path / "cache" / "looks").iterdir():
        file.write_bytes(content)
    monkeypatch.setattr(kept, "_shelf", kept._Shelf())
    assert len(Video(many[1].path).times_s) == 45


def test_a_cache_that_cannot_be_written_to_is_done_without(many: list[MediaStream], tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    look_at_many(many)
    assert len(Video(many[1].path).times_s) == 45


def test_a_look_is_forgotten_after_a_while(many: list[MediaStream], tmp_path: Path):
    look_at_many(many)
    files = sorted((tmp_path / "cache" / "looks").iterdir())
    os.utime(files[0], (0, 0))
    look_file.forget_old()
    assert sorted((tmp_path / "cache" / "looks").iterdir()) == files[1:]


@pytest.mark.parametrize("name", ["12:30:00.mp4", "100%d.mp4", "pipe:0", "data:x.mp4", "-a.mp4"])
def test_a_file_name_that_looks_like_an_address_or_a_pattern_opens(walk: Path, name: str, monkeypatch):
    path = walk / "walk.mp4"
    path.rename(walk / name)
    monkeypatch.chdir(walk)
    assert Video(name).frames_at(np.array([0.5])).shape == (1, 48, 64, 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(FileError, match="a pipe or a device"):
        _ = Video(tmp_path / "a.mp4").times_s
