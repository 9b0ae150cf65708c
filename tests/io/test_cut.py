"""Files that were cut or damaged are not taken for whole ones."""

from pathlib import Path

import av
import made_media as made
import numpy as np
import pytest

import regard
from regard.errors import FileError
from regard.io import Sound, Video, check_recording


def with_index_in_front(folder: Path) -> Path:
    plain = made.vfr_with_b_frames(folder)
    return made.remux(plain, folder / "front.mp4", keep=lambda _: True, movflags="faststart")


def matroska(folder: Path) -> Path:
    return made.remux(made.ntsc_rate(folder), folder / "a.mkv", keep=lambda _: True)


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize(
    ("make", "share", "says"),
    [
        (with_index_in_front, 0.8, "of 48 frames are there"),
        (matroska, 0.5, "of 1.6"),
        (made.transport_stream, 0.501, "in the middle of a packet"),
    ],
)
def test_a_cut_file_says_what_is_missing(make, share, says, tmp_path: Path):
    path = make(tmp_path)
    assert Video(path).missing is None
    whole = len(Video(path).times_s)
    cut(path, share)
    recording = regard.open(path)
    assert 0 < len(Video(path).times_s) < whole
    assert any(says in note for note in recording.notes)
    check = check_recording(recording)
    assert check["missing part"].level == "warning"
    assert says in check["missing part"].text
    assert check.verdict == "usable with warnings"
    assert sum(says in f.text for f in check.findings) == 1


def test_a_transport_stream_that_ends_in_nothing_is_told(tmp_path: Path):
    path = made.transport_stream(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: -5 * 188] + bytes(5 * 188))
    missing = Video(path).missing
    assert missing == "the file ends in the middle of bytes that are no packets: the file was cut or is damaged"


def test_a_damaged_packet_of_a_transport_stream_is_told(tmp_path: Path):
    path = made.transport_stream(tmp_path)
    content = bytearray(path.read_bytes())
    at = len(content) // 188 // 2 * 188
    del content[at : at + 2 * 188]
    path.write_bytes(content)
    missing = Video(path).missing
    assert missing is not None
    assert "packets are damaged" in missing


def test_a_loss_after_which_the_counters_of_a_transport_stream_fit_again_is_told(tmp_path: Path):
    path = made.transport_stream(tmp_path)
    whole, content = len(Video(path).times_s), bytearray(path.read_bytes())
    pictures = [
        at for at in range(0, len(content), 188) if int.from_bytes(content[at + 1 : at + 3], "big") & 0x1FFF == 256
    ]
    begins = [number for number, at in enumerate(pictures) if content[at + 1] & 0x40]
    first = next(number for number in begins[3:] if number + 16 in begins)
    for at in pictures[first : first + 16]:
        content[at : at + 188] = bytes(188)
    path.write_bytes(content)
    video = Video(path)
    assert len(video.times_s) < whole
    assert video.missing is not None
    assert f"{16 * 188} bytes cannot be read" in video.missing


def test_a_hole_in_a_damaged_matroska_file_is_told(tmp_path: Path):
    made.encode(tmp_path / "a.mp4", made.steady(25), g="6", bf="0")
    path = made.remux(tmp_path / "a.mp4", tmp_path / "a.mkv", keep=lambda number: not 6 <= number < 24)
    assert Video(path).missing == (
        "no frame for 0.76 s, the longest time from 0.20 s on: the file is damaged, or the camera paused"
    )


WHOLE = [make for make in made.TRAPS if make is not made.cut_inside_an_open_group]


def in_pieces(folder: Path) -> Path:
    options = {"movflags": "frag_keyframe+empty_moov"}
    return made.remux(made.open_groups(folder), folder / "pieces.mp4", keep=lambda _: True, **options)


def test_frames_before_the_first_that_can_be_decoded_are_told(tmp_path: Path):
    missing = Video(made.cut_inside_an_open_group(tmp_path)).missing
    assert missing == "the first 10 of 36 frames cannot be decoded: the file was cut or is damaged"


@pytest.mark.parametrize("make", [in_pieces, matroska])
@pytest.mark.parametrize("spoil", ["zeroed", "removed", "cut"])
def test_a_damaged_file_that_does_not_say_how_many_frames_it_holds_is_told(make, spoil: str, tmp_path: Path):
    path = make(tmp_path)
    content = path.read_bytes()
    start, end = len(content) // 2, len(content) // 2 + 700
    path.write_bytes(
        {
            "zeroed": content[:start] + bytes(end - start) + content[end:],
            "removed": content[:start] + content[end:],
            "cut": content[:-400],
        }[spoil]
    )
    video = Video(path)
    assert len(video.times_s) < made.NUM_FRAMES
    assert video.missing is not None


@pytest.mark.parametrize("make", [*WHOLE, in_pieces], ids=lambda make: make.__name__)
def test_a_whole_file_lacks_nothing(make, tmp_path: Path):
    assert Video(make(tmp_path)).missing is None


@pytest.mark.parametrize("name", ["video_files", "neon_window/raw", "looking_faces", "saliency_video"])
def test_no_whole_real_file_is_said_to_lack_anything(real_data: Path, name: str):
    for path in sorted((real_data / name).iterdir()):
        if path.suffix in {".mp4", ".mkv", ".mov"} and path.stem != "decord_corrupted" and "Eye" not in path.name:
            assert Video(path).missing is None, path


def test_every_frame_and_all_sound_are_decoded_if_asked(tiny_world: Path, tmp_path: Path):
    check = check_recording(regard.open(tiny_world), thorough=True)
    assert check["every frame"].level == "ok"
    assert check["all sound"].level == "ok"
    path = made.encode(tmp_path / "a.mp4", made.steady(25), g="1")
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        packets = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    for at, size in packets[20:23]:
        content[at : at + size] = bytes(size)
    path.write_bytes(content)
    finding = check_recording(regard.open(path), thorough=True)["every frame"]
    assert finding.level == "warning"
    assert finding.value == 3
    assert "the first at 0.800 s" in finding.text


def test_an_empty_sound_track_is_silence(tmp_path: Path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.add_stream("aac", rate=16_000, layout="mono")
        for number in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(made.picture(number))))
        out.mux(stream.encode(None))
    sound = Sound(path)
    assert sound.duration_s == 0
    assert not sound.samples_between(0.0, 0.5, rate_hz=8000).any()
    assert "silent" in check_recording(regard.open(path))["sound"].text


def test_a_table_under_the_name_of_a_video_is_told(tmp_path: Path):
    path = tmp_path / "0d271871.mp4"
    path.write_text("timestamp_s,x_px,y_px\n0,1,2\n")
    with pytest.raises(FileError, match=r"a text table \(timestamp_s,x_px,y_px\)"):
        regard.open(path)


@pytest.fixture
def native_core(tmp_path: Path) -> Path:
    made.encode(tmp_path / "world.mp4", made.steady(30))
    np.save(tmp_path / "world_timestamps.npy", 1000 + np.cumsum(np.r_[0, np.tile([0.04, 0.06], 24)])[:48])
    (tmp_path / "gaze.pldata").touch()
    return tmp_path


def test_the_world_video_of_a_native_core_folder_has_the_times_that_were_kept_beside_it(native_core: Path):
    from regard.io.recording import open_video

    recording = regard.open(native_core)
    video = open_video(recording.require_video())
    assert video.times_s[[0, 1, 2, 47]].tolist() == pytest.approx([0, 0.04, 0.1, 2.34])
    plain = Video(native_core / "world.mp4")
    asked = np.array([0.0, 0.05, 0.1, 2.35])
    assert np.array_equal(video.frames_at(asked), plain.frames_at(plain.times_s[[0, 1, 2, 47]]))
    assert recording.notes[0] == "frame times are from world_timestamps.npy"
    assert "gaze.pldata" in recording.notes[1]
    assert check_recording(recording)["frames"].text.startswith("48 frames in 2.38 s")


def test_other_times_than_frames_are_noted_and_broken_ones_refused(native_core: Path):
    np.save(native_core / "world_timestamps.npy", np.arange(7.0))
    assert "7 times for 48 frames" in regard.open(native_core).notes[0]
    np.save(native_core / "world_timestamps.npy", np.zeros(48))
    with pytest.raises(regard.errors.ClockError, match="does not increase"):
        regard.open(native_core)
    (native_core / "world_timestamps.npy").write_bytes(b"x")
    with pytest.raises(FileError, match="no numpy array"):
        regard.open(native_core)
