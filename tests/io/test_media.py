import multiprocessing
import pickle
from pathlib import Path

import av
import made_media as made
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from regard.errors import ClockError, FileError
from regard.io import Video
from regard.io.media.decoder import FrameDecoder
from regard.world import write_world

GOOD_FILES = (
    "video_files/decord_video_270.mov",
    "video_files/decord_video_90.mov",
    "video_files/dog_eating_854132.mp4",
    "video_files/intel_asl_bird.mkv",
    "video_files/nasa_13013.mp4",
    "video_files/nasa_13013_rotated.mp4",
    "neon_window/scene_640x480.mp4",
    "saliency_video",
    "looking_faces",
)


def assert_every_frame_by_time_is_the_plain_one(video: Video, times_s: np.ndarray, frames: list[np.ndarray]) -> None:
    """In random order and chunks, at random moments while each frame is shown."""
    np.testing.assert_allclose(video.times_s, times_s, rtol=0, atol=1e-9)
    assert video.size == frames[0].shape[:2]
    rng = np.random.default_rng(0)
    shown_for = np.diff([*video.times_s, video.end_s])
    asked = video.times_s + shown_for * rng.uniform(0, 0.99, len(times_s))
    order = rng.permutation(len(times_s))
    for chunk in np.array_split(order, max(1, len(order) // 16)):
        for number, frame in zip(chunk, video.frames_at(asked[chunk]), strict=True):
            assert np.array_equal(frame, frames[number]), f"frame {number}"
    for number in order[:8]:
        assert np.array_equal(video.frames_at(asked[[number]])[0], frames[number]), f"frame {number} alone"


@pytest.mark.parametrize("make", made.TRAPS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("threads", [1, 2])
def test_every_frame_by_time_equals_the_plain_decode(make, threads: int, tmp_path: Path):
    path = make(tmp_path)
    times_s, frames = made.decode_plainly(path)
    assert len(np.unique(np.stack(frames), axis=0)) == len(frames), "the test could not tell frames apart"
    assert_every_frame_by_time_is_the_plain_one(Video(path, threads=threads), times_s, frames)


@pytest.mark.parametrize("name", GOOD_FILES)
def test_every_frame_of_a_real_file_by_time_equals_the_plain_decode(name: str, real_data: Path):
    path = real_data / name
    for file in sorted(path.glob("*.mp4")) if path.is_dir() else [path]:
        assert_every_frame_by_time_is_the_plain_one(Video(file), *made.decode_plainly(file))


def test_every_frame_of_the_synthetic_world_by_time_equals_the_plain_decode(tmp_path: Path):
    write_world(tmp_path / "world", seed=3, duration_s=4.0, size=(96, 128))
    film = tmp_path / "world" / "video.mp4"
    assert_every_frame_by_time_is_the_plain_one(Video(film), *made.decode_plainly(film))


def test_every_frame_of_a_neon_recording_by_time_equals_the_plain_decode(real_data: Path):
    film = next((real_data / "neon_window" / "raw").glob("*.mp4"))
    assert_every_frame_by_time_is_the_plain_one(Video(film), *made.decode_plainly(film))


def test_edit_list_hides_what_it_cuts_away(tmp_path: Path):
    whole = Video(made.vfr_with_b_frames(tmp_path)).times_s
    cut = Video(made.edit_list_that_starts_late(tmp_path)).times_s
    kept = whole[whole >= 1 / 3 - 1e-9]
    np.testing.assert_allclose(cut, kept - kept[0], atol=1e-4)


def test_each_stream_of_a_file_can_be_chosen(real_data: Path):
    path = real_data / "video_files/nasa_13013.mp4"
    assert Video(path).size == Video(path, stream=3).size == (270, 480)
    small = Video(path, stream=0)
    assert small.size == (180, 320)
    times_s, frames = made.decode_plainly(path, 0)
    np.testing.assert_allclose(small.times_s, times_s)
    assert np.array_equal(small.frames_at(times_s[[300]])[0], frames[300])


def test_a_stream_that_is_not_there_names_those_that_are(real_data: Path):
    with pytest.raises(FileError, match=r"found:  video streams 0 \(h264\), 3 \(h264\)"):
        _ = Video(real_data / "video_files/nasa_13013.mp4", stream=1).times_s


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), lambda f: f),
        ((0, 1, -1, 0), lambda f: np.rot90(f, -1)),
        ((-1, 0, 0, -1), lambda f: np.rot90(f, 2)),
        ((0, -1, 1, 0), lambda f: np.rot90(f, 1)),
        ((-1, 0, 0, 1), lambda f: f[:, ::-1]),
        ((1, 0, 0, -1), lambda f: f[::-1]),
        ((0, 1, 1, 0), lambda f: f.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda f: np.rot90(f, 2).transpose(1, 0, 2)),
    ],
)
def test_display_matrix_turns_and_mirrors_the_picture(matrix, upright, tmp_path: Path):
    stored = Video(made.vfr_with_b_frames(tmp_path))
    turned = Video(made.with_display_matrix(stored.path, tmp_path / "turned.mp4", matrix))
    moments = stored.times_s[[3, 17]]
    expected = np.stack([upright(f) for f in stored.frames_at(moments)])
    assert turned.size == expected.shape[1:3]
    assert turned.is_turned == (matrix != (1, 0, 0, 1))
    assert np.array_equal(turned.frames_at(moments), expected)
    small = (32, 24)
    shrunk = np.stack([upright(f) for f in stored.frames_at(moments, size=small if matrix[0] else small[::-1])])
    assert np.array_equal(turned.frames_at(moments, size=small), shrunk)


def test_scaled_frames_agree_with_an_antialiased_resize(tmp_path: Path):
    from torch import from_numpy
    from torch.nn.functional import interpolate

    video = Video(made.vfr_with_b_frames(tmp_path))
    full, small = video.frames_at(video.times_s[:8]), video.frames_at(video.times_s[:8], size=(20, 26))
    wanted = interpolate(from_numpy(full).permute(0, 3, 1, 2).float(), size=(20, 26), mode="bilinear", antialias=True)
    assert np.abs(wanted.permute(0, 2, 3, 1).numpy() - small)[:, 2:-2, 2:-2].mean() < 2


def test_frames_come_back_in_the_asked_order_with_repeats(tmp_path: Path):
    video = Video(made.vfr_with_b_frames(tmp_path))
    all_frames = video.frames_at(video.times_s)
    order = np.array([7, 3, 3, 40, 7, 0])
    assert np.array_equal(video.frames_at(video.times_s[order]), all_frames[order])
    assert video.frames_at(np.zeros(0)).shape == (0, *video.size, 3)


def test_walking_forward_in_chunks_seeks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    video, seeks = Video(made.vfr_with_b_frames(tmp_path)), []
    seek = FrameDecoder._seek
    monkeypatch.setattr(
        FrameDecoder, "_seek", lambda self, start, number: (seeks.append(start), seek(self, start, number))
    )
    for chunk in np.array_split(video.times_s, 9):
        video.frames_at(chunk)
        video.frames_at(chunk[-1:])
    assert seeks == [0]


def test_a_moment_far_outside_the_video_names_file_and_time(tmp_path: Path):
    video = Video(made.ntsc_rate(tmp_path))
    half = 0.5 * 1001 / 30_000
    first, last = video.frames_at(np.array([-0.9 * half, video.end_s + 0.9 * half]))
    assert np.array_equal(first, video.frames_at(video.times_s[:1])[0])
    assert np.array_equal(last, video.frames_at(video.times_s[-1:])[0])
    for moment in (-1.2 * half, video.end_s + 1.2 * half, float("nan")):
        with pytest.raises(ClockError, match=rf"(?s)ntsc\.mp4.*asked for at {moment:.3f} s.*from 0 to 1\.602 s"):
            video.frames_at(np.array([0.1, moment]))


def test_a_time_a_rounding_error_early_still_shows_its_frame(tmp_path: Path):
    video = Video(made.ntsc_rate(tmp_path))
    rounded = np.round(video.times_s, 6)
    assert np.array_equal(video.frames_at(rounded), video.frames_at(video.times_s))


def frames_of(video: Video) -> np.ndarray:
    return video.frames_at(video.times_s[[30, 2]])


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_an_open_video_serves_other_processes_and_its_own(start: str, tmp_path: Path):
    with Video(made.vfr_with_b_frames(tmp_path)) as video:
        expected = frames_of(video)
        with multiprocessing.get_context(start).Pool(1) as pool:
            assert np.array_equal(pool.apply(video.frames_at, (video.times_s[[30, 2]],)), expected)
        assert np.array_equal(frames_of(video), expected)


def in_child(video: Video, queue) -> None:
    queue.put(frames_of(video))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_leaves_the_parents_file_position_alone(tmp_path: Path):
    video = Video(made.vfr_with_b_frames(tmp_path))
    everything = video.frames_at(video.times_s)
    video.frames_at(video.times_s[:5])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(video, queue))
    child.start()
    assert np.array_equal(queue.get(timeout=30), everything[[30, 2]])
    child.join()
    assert np.array_equal(video.frames_at(video.times_s[5:]), everything[5:])


def test_pickle_keeps_the_index_and_not_the_open_file(tmp_path: Path):
    video = Video(made.vfr_with_b_frames(tmp_path))
    expected = frames_of(video)
    again = pickle.loads(pickle.dumps(video))
    assert "_look" in vars(again)
    assert np.array_equal(frames_of(again), expected)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_not_a_video_says_what_it_is(tmp_path: Path):
    whole = made.vfr_with_b_frames(tmp_path).read_bytes()
    sound = made.encode_sound(tmp_path / "s.wav", made.tone(0.2, 8000), 8000, codec="pcm_s16le", form="s16")
    cases = {
        tmp_path / "absent.mp4": "no such file",
        tmp_path: "a folder",
        write(tmp_path / "empty.mp4", b""): "an empty file",
        write(tmp_path / "text.mp4", b"time_s,x,y\n" * 50): r"a text table \(time_s,x,y\)",
        write(tmp_path / "noise.mp4", bytes(range(256)) * 9): "content that FFmpeg does not recognise",
        write(tmp_path / "cut.mp4", whole[: len(whole) // 2]): r"without its index \(moov\)",
        sound: "no video stream",
    }
    for path, found in cases.items():
        with pytest.raises(FileError, match=f"(?s){path.name}.*found: .*{found}"):
            _ = Video(path).times_s


def test_a_damaged_file_shows_what_is_whole_and_names_the_time_of_what_is_not(real_data: Path):
    path = real_data / "video_files/decord_corrupted.mp4"
    times_s, frames = made.decode_plainly(path)
    video = Video(path)
    assert 0 < len(times_s) < len(video.times_s)
    whole = np.arange(0, len(times_s), 3)
    assert np.array_equal(video.frames_at(times_s[whole]), np.stack(frames)[whole])
    for number in (len(times_s), 40, len(video.times_s) - 1):
        with pytest.raises(FileError, match=rf"(?s)decord_corrupted.*decoded at {video.times_s[number]:.3f} s"):
            video.frames_at(video.times_s[[number]])
    assert np.array_equal(video.frames_at(times_s[[5]])[0], frames[5])


def test_a_file_cut_short_shows_what_arrived(tmp_path: Path):
    source = made.vfr_with_b_frames(tmp_path)
    whole = made.remux(source, tmp_path / "whole.mp4", keep=lambda _: True, movflags="faststart")
    cut = write(tmp_path / "cut.mp4", whole.read_bytes()[: round(0.7 * whole.stat().st_size)])
    expected, video = Video(whole), Video(cut)
    arrived = len(video.times_s)
    assert len(expected.times_s) // 3 < arrived < len(expected.times_s)
    early = expected.times_s[: arrived - 8]
    assert np.array_equal(video.frames_at(early), expected.frames_at(early))
    with pytest.raises(FileError, match=r"(?s)cut\.mp4.*cannot be decoded at"):
        video.frames_at(video.times_s)


@pytest.mark.parametrize("make", [made.vfr_with_b_frames, made.transport_stream, made.matroska_that_starts_late])
def test_damaged_bytes_give_frames_or_a_file_error_and_nothing_else(make, tmp_path: Path):
    whole, rng = make(tmp_path).read_bytes(), np.random.default_rng(0)
    outcomes = []
    for number in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 12):
            damaged[place] = int(rng.integers(256))
        video = Video(write(tmp_path / f"{number}.bin", bytes(damaged)))
        try:
            outcomes.append(len(video.frames_at(video.times_s[::3])) > 0)
        except FileError:
            outcomes.append(False)
    assert any(outcomes)
    assert not all(outcomes)


def test_pixels_that_are_not_square_are_told(tmp_path: Path):
    path = made.encode(tmp_path / "wide.mp4", made.steady(30), **{"x264-params": "sar=4/3"})
    turned = made.with_display_matrix(path, tmp_path / "tall.mp4", (0, 1, -1, 0))
    assert Video(path).pixel_aspect == pytest.approx(4 / 3)
    assert Video(turned).pixel_aspect == pytest.approx(3 / 4)
    assert Video(made.ntsc_rate(tmp_path)).pixel_aspect == 1


@pytest.mark.parametrize(
    ("form", "codec", "matrix", "whole"),
    [
        ("yuv420p", "libx264", None, False),
        ("yuv420p", "libx264", 1, False),
        ("yuv420p", "libx264", 6, True),
        ("yuv444p", "libx264", 1, False),
        ("yuvj422p", "mjpeg", None, True),
        ("bgr0", "ffv1", None, True),
    ],
)
def test_a_film_s_own_pictures_have_the_colours_of_the_rgb_ones(form, codec, matrix, whole, tmp_path: Path):
    path, kind = tmp_path / "in.mkv", ColorRange.JPEG if whole else ColorRange.MPEG
    y, x = np.mgrid[0 : made.SIZE[0], 0 : made.SIZE[1]]
    smooth = np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=2).clip(0, 255).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt = *made.SIZE, form
        if matrix is not None:
            stream.codec_context.colorspace, stream.codec_context.color_range = matrix, kind
        frame = av.VideoFrame.from_ndarray(smooth).reformat(
            format=form, dst_colorspace=matrix, dst_color_range=None if matrix is None else kind
        )
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    video = Video(path)
    coded = av.VideoFrame.from_ndarray(video.planar_at(np.zeros(1), size=made.SIZE)[0], format="yuv420p")
    shown = coded.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG").to_ndarray()
    apart = shown.astype(int) - video.frames_at(np.zeros(1))[0]
    assert np.abs(apart).max() <= 12
    assert np.abs(apart).mean() < 2.5
