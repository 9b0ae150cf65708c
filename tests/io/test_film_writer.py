import resource
from collections.abc import Iterator
from pathlib import Path

import av
import made_media as made
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from regard.errors import FileError
from regard.io import FilmWriter, Sound, Video

TIMES_S = np.cumsum([5.0, *np.random.default_rng(0).choice([0.02, 0.033, 0.1], 50)])


def write_film(
    path: Path, *, size: tuple[int, int] = made.SIZE, sound: Sound | None = None, quick: bool = False
) -> None:
    with FilmWriter(path, size=size, sound=sound, quick=quick) as film:
        for number, time_s in enumerate(TIMES_S.tolist()):
            film.write(made.picture(number, size), time_s)


def test_frames_are_shown_at_the_times_they_were_written_for(tmp_path: Path):
    write_film(tmp_path / "film.mp4")
    video = Video(tmp_path / "film.mp4")
    np.testing.assert_allclose(video.times_s, TIMES_S - TIMES_S[0], atol=1e-5)
    assert video.end_s == pytest.approx(2 * TIMES_S[-1] - TIMES_S[-2] - TIMES_S[0], abs=1e-4)
    for number, frame in enumerate(video.frames_at(video.times_s)):
        error = [np.abs(frame.astype(float) - made.picture(n)).mean() for n in (number, number + 1)]
        assert error[0] < 12
        assert error[0] < error[1]


@pytest.mark.parametrize("quick", [False, True])
def test_odd_sizes_gain_one_row_and_column(quick: bool, tmp_path: Path):
    write_film(tmp_path / "film.mp4", size=(47, 63), quick=quick)
    assert Video(tmp_path / "film.mp4").size == (48, 64)


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255), (0, 0, 0), (86, 180, 233)]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_colours_survive_writing_and_reading(colour: tuple[int, int, int], quick: bool, tmp_path: Path):
    with FilmWriter(tmp_path / "film.mp4", size=made.SIZE, quick=quick) as film:
        for number in range(3):
            film.write(np.full((*made.SIZE, 3), colour, np.uint8), number / 30)
    video = Video(tmp_path / "film.mp4")
    for size in (made.SIZE, (30, 40)):
        shown = video.frames_at(np.array([0.04]), size=size)[0]
        assert np.abs(shown.astype(int) - np.array(colour)).max() <= 4


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_film_is_bt709_in_its_tags_and_in_its_numbers(colour: tuple[int, int, int], quick: bool, tmp_path: Path):
    with FilmWriter(tmp_path / "film.mp4", size=made.SIZE, quick=quick) as film:
        film.write(np.full((*made.SIZE, 3), colour, np.uint8), 0.0)
    with av.open(str(tmp_path / "film.mp4")) as file:
        frame = next(file.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
        coded = [np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[4, 4] for plane in frame.planes]
    red, green, blue = (channel / 255 for channel in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    wanted = [16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748]
    np.testing.assert_allclose(coded, wanted, atol=1.6)


@pytest.mark.parametrize("quick", [False, True])
def test_sound_is_kept_and_stays_with_the_picture(quick: bool, tmp_path: Path):
    source = made.encode_sound(tmp_path / "s.wav", made.tone(8, 48_000, 2), 48_000, codec="pcm_s16le", form="s16")
    write_film(tmp_path / "film.mp4", sound=Sound(source), quick=quick)
    film = Sound(tmp_path / "film.mp4")
    shown_s = Video(tmp_path / "film.mp4").end_s
    assert film.duration_s == pytest.approx(shown_s, abs=0.03)
    heard = film.samples_between(0.1, shown_s - 0.1, rate_hz=48_000)[0]
    recorded = Sound(source).samples_between(TIMES_S[0] + 0.1, TIMES_S[0] + shown_s - 0.1, rate_hz=48_000)[0]
    lags = range(-40, 41)
    match = [float(heard[50:-50] @ recorded[50 + lag : len(recorded) - 50 + lag]) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 1
    assert np.corrcoef(heard, recorded)[0, 1] > 0.95


CLICK_S = 1.5
MADE = {
    "s.mp4": ("aac", 44_100),
    "s.mkv": ("aac", 48_000),
    "s.aac": ("aac", 48_000),
    "s.ts": ("aac", 48_000),
    "s.mp3": ("libmp3lame", 44_100),
    "s.flac": ("flac", 48_000),
}


def sound_with_a_click(folder: Path, name: str) -> Path:
    codec, rate_hz = MADE[name]
    samples = np.random.default_rng(0).normal(0, 1e-3, (1, 3 * rate_hz)).astype(np.float32)
    samples[:, round(CLICK_S * rate_hz) :][:, :8] = 0.9
    form = "s16" if codec == "flac" else "fltp"
    return made.encode_sound(folder / name, samples, rate_hz, codec=codec, form=form)


def film_from(path: Path, sound: Sound, start_s: float) -> Sound:
    with FilmWriter(path, size=made.SIZE, sound=sound, quick=True) as film:
        for number in range(60):
            film.write(np.zeros((*made.SIZE, 3), np.uint8), start_s + number / 25)
    return Sound(path)


def loudest_s(sound: Sound) -> float:
    return int(np.argmax(np.abs(sound.samples_between(0.0, 3.0, rate_hz=48_000)[0]))) / 48_000


def coded_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


@pytest.mark.parametrize("start_s", [0.0, 0.7, -0.4])
@pytest.mark.parametrize("name", MADE)
def test_a_click_is_heard_in_the_film_when_it_was_recorded(name: str, start_s: float, tmp_path: Path):
    source = Sound(sound_with_a_click(tmp_path, name))
    film = film_from(tmp_path / "film.mp4", source, start_s)
    assert loudest_s(film) == pytest.approx(loudest_s(source) - start_s, abs=2e-4)
    copied = source.packets_from(start_s) is not None
    shown_s = min(2.4, source.duration_s - start_s) if copied else 2.4
    assert film.duration_s == pytest.approx(shown_s, abs=0.03)
    if copied:
        heard = int(np.argmax(np.abs(made.hear_plainly(film.path)[0]))) / film.rate_hz
        assert heard + max(0, film.start_s) == pytest.approx(loudest_s(film), abs=2e-4)


@pytest.mark.parametrize(("name", "copied"), [("s.mp4", True), ("s.mp3", True), ("s.ts", False), ("s.flac", False)])
def test_sound_that_players_know_is_copied_as_it_is(name: str, copied: bool, tmp_path: Path):
    source = Sound(sound_with_a_click(tmp_path, name))
    film = film_from(tmp_path / "film.mp4", source, 0.0)
    packets = coded_packets(film.path)
    assert (packets == coded_packets(source.path)[: len(packets)]) == copied


def test_sound_is_coded_anew_where_its_packets_would_not_be_heard_in_time(tmp_path: Path):
    source = sound_with_a_click(tmp_path, "s.mp4")
    assert Sound(source).packets_from(-0.4) is None, "what primes the decoder would be heard"
    pause = tmp_path / "pause.mp4"
    with av.open(str(source)) as inp, av.open(str(pause), "w") as out:
        copy = out.add_stream_from_template(inp.streams.audio[0])
        for packet in inp.demux(audio=0):
            if packet.size and packet.pts is not None:
                packet.pts = packet.dts = packet.pts + (22_050 if packet.pts > 44_100 else 0)
                packet.stream = copy
                out.mux(packet)
    assert Sound(pause).packets_from(0.0) is None
    assert loudest_s(film_from(tmp_path / "film.mp4", Sound(pause), 0.0)) == pytest.approx(CLICK_S + 0.5, abs=2e-3)


@pytest.mark.parametrize(
    ("size", "times", "message"),
    [((10, 10), (0.0,), "frames of"), (made.SIZE, (1.0, 1.0), "must increase"), (made.SIZE, (), "no frame")],
)
def test_what_does_not_fit_the_film_is_refused_and_leaves_an_older_film_alone(size, times, message, tmp_path: Path):
    write_film(tmp_path / "film.mp4")
    before = (tmp_path / "film.mp4").read_bytes()
    with pytest.raises(ValueError, match=message):
        write_black(tmp_path / "film.mp4", size, times)
    assert (tmp_path / "film.mp4").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def write_black(path: Path, size: tuple[int, int], times: tuple[float, ...]) -> None:
    with FilmWriter(path, size=made.SIZE) as film:
        for time_s in times:
            film.write(np.zeros((*size, 3), np.uint8), time_s)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 kB, which a writer meets just as it meets a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_noise(path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    with FilmWriter(path, size=size) as film:
        for number in range(60):
            film.write(rng.integers(0, 255, (*size, 3), dtype=np.uint8), number / 30)


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_fills_gives_a_file_error_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(FileError, match=r"(?s)film\.mp4.*cannot be written"):
        write_noise(tmp_path / "film.mp4", size=(240, 320))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_gives_a_file_error(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="cannot be written"):
        write_film(tmp_path / "file" / "film.mp4")
    with pytest.raises(FileError, match="cannot be written"):
        write_film(Path("/proc/film.mp4"))


def test_a_mono_recording_stays_mono_in_a_film_to_look_at(tmp_path: Path):
    source = made.encode_sound(tmp_path / "s.wav", made.tone(8, 48_000, 1), 48_000, codec="pcm_s16le", form="s16")
    for quick, channels in ((True, 1), (False, 2)):
        write_film(tmp_path / "film.mp4", sound=Sound(source), quick=quick)
        assert Sound(tmp_path / "film.mp4").channels == channels


@pytest.mark.parametrize("name", ["12:30.mp4", "pipe:1.mp4", "data:x.mp4", "50%d.mp4"])
def test_a_film_may_have_a_name_that_is_a_protocol_elsewhere(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FilmWriter(name, size=made.SIZE) as film:
        film.write(made.picture(0), 0.0)
        film.write(made.picture(1), 0.1)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert len(Video(tmp_path / name).times_s) == 2
