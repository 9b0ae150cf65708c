from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from regard.io import Sound, Video
from regard.types import GazeState, Recording
from regard.world import ACTIONS, NOUNS, VERBS, World, write_world
from regard.world.camera import FACE_BOX
from regard.world.draw import PHONE_HALVES
from regard.world.eyes import middle_of
from regard.world.hear import RATE_HZ as SOUND_HZ
from regard.world.hear import noun_sound
from regard.world.motion import Path as Way
from regard.world.script import BODY, GAZE_LEAD_S, REST, scale_at

SIZE = (96, 128)
DURATION_S = 6.0
SEED = 1


def _world(seed: int, *, duration_s: float = 12.0, observers: int = 1) -> World:
    return World(seed, duration_s=duration_s, size=SIZE, observers=observers, rate_hz=24.0)


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [_world(seed) for seed in range(14)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("kitchen") / "kitchen"
    (recording,) = write_world(folder, seed=SEED, duration_s=DURATION_S, size=SIZE)
    return recording


def test_the_film_is_an_ordinary_one_with_b_frames_uneven_steps_and_aac_sound(written: Recording) -> None:
    with av.open(str(written.video.path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
        kinds = {PictureType(frame.pict_type).name for frame in container.decode(video=0)}
    assert kinds == {"I", "P", "B"}
    with Video(written.video.path) as video:
        steps = np.diff(video.times_s)
        assert video.times_s[0] == 0
        assert video.size == SIZE
    assert steps.max() > 1.3 * np.median(steps)
    assert np.unique(np.round(steps, 4)).size > 20
    assert 1 / steps.mean() == pytest.approx(24, abs=1.0)


def test_every_frame_has_the_time_that_the_world_gave_it(written: Recording) -> None:
    with Video(written.video.path) as video:
        np.testing.assert_allclose(video.times_s, _world(SEED, duration_s=DURATION_S).frame_s, atol=1e-6)


def test_the_files_say_what_the_world_meant(written: Recording) -> None:
    world = _world(SEED, duration_s=DURATION_S)
    assert (written.id, written.notes) == ("kitchen", ())
    assert written.audio == written.video
    assert written.segments == world.segments
    assert written.gaze is not None
    np.testing.assert_array_equal(written.gaze.time_s, world.tracks[0].time_s)
    np.testing.assert_array_equal(written.gaze.point, world.tracks[0].point)
    np.testing.assert_array_equal(written.gaze.state, world.tracks[0].state)
    assert written.camera is not None
    np.testing.assert_array_equal(written.camera.matrix, world.camera.calibration.matrix)
    assert len(written.faces) == 1
    np.testing.assert_array_equal(written.faces[0].time_s, world.faces[0].time_s)
    np.testing.assert_array_equal(written.faces[0].box, world.faces[0].box)
    np.testing.assert_array_equal(written.faces[0].looking, world.faces[0].looking)


def test_one_seed_gives_the_same_tables_and_the_same_pictures(written: Recording, tmp_path: Path) -> None:
    (again,) = write_world(tmp_path / "world", seed=SEED, duration_s=DURATION_S, size=SIZE)
    for name in ("gaze.csv", "labels.csv", "faces.csv", "hands.csv", "camera.json"):
        assert (again.video.path.parent / name).read_bytes() == (written.video.path.parent / name).read_bytes()
    one, other = _world(SEED, duration_s=2.0), _world(SEED, duration_s=2.0)
    for ours, theirs, repeated in zip(one.frames, other.frames, one.frames, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, repeated)
    np.testing.assert_array_equal(one.sound, other.sound)


def test_seeds_differ(worlds: list[World]) -> None:
    assert len({tuple(thing.noun for thing in world.script.things) for world in worlds}) > 10
    assert not np.array_equal(next(worlds[0].frames), next(worlds[1].frames))


def test_labels_name_classes_of_the_lists(worlds: list[World]) -> None:
    segments = [segment for world in worlds for segment in world.segments]
    for segment in segments:
        assert ACTIONS[segment.labels["action"]] == segment.name
        assert f"{VERBS[segment.labels['verb']]} {NOUNS[segment.labels['noun']]}" == segment.name
        assert 0 <= segment.start_s < segment.end_s <= 12.0
    assert {segment.labels["verb"] for segment in segments} == set(range(len(VERBS)))
    nouns = np.bincount([segment.labels["noun"] for segment in segments], minlength=len(NOUNS))
    assert nouns.max() < 0.35 * nouns.sum()


def test_the_gaze_leads_the_hand(worlds: list[World]) -> None:
    """From the moment at which the gaze enters the target to the one at which half of the hand's way is done."""
    leads = []
    for world in worlds:
        path = world.paths[0]
        for act in world.script.acts:
            now = (path.time_s > act.looked_s - 0.3) & (path.time_s < act.reached_s + 0.5)
            hand = world.script.hands[act.hand].at(path.time_s[now])[:, :2]
            goal = hand[-1]
            target = middle_of(world.script, act.thing, np.array([act.reached_s + 0.5]))[0]
            looking = np.hypot(*(path.point[now] - target).T) < 0.15
            done = np.hypot(*(hand - goal).T) < 0.5 * np.hypot(*(hand[0] - goal))
            resting = np.hypot(*(hand[0] - REST[act.hand][:2])) < 0.02
            if act.verb in ("cut", "stir", "wipe") and resting and not looking[0]:
                leads.append((np.argmax(done) - np.argmax(looking)) / 200)
    assert len(leads) > 15
    assert np.mean(leads) == pytest.approx(GAZE_LEAD_S, abs=0.1)
    assert np.std(leads) < 0.12


def test_the_sound_of_the_target_is_heard_before_the_gaze_lands(worlds: list[World]) -> None:
    for world in worlds[:6]:
        sound = world.sound
        for act in world.script.acts:
            assert 0.3 <= act.looked_s - act.heard_s <= 0.8
            start = round(act.heard_s * SOUND_HZ)
            cue, before = sound[start : start + SOUND_HZ // 4], sound[max(0, start - SOUND_HZ // 4) : start]
            assert np.abs(cue).max() > 1.5 * np.abs(before).max() or len(before) < SOUND_HZ // 4 or before.std() > 0.02


def test_each_noun_can_be_told_by_its_sound() -> None:
    rng = np.random.default_rng(0)

    def spectrum(noun: str) -> np.ndarray:
        power = np.abs(np.fft.rfft(noun_sound(rng, noun))) ** 2
        bands = np.add.reduceat(power, np.unique(np.geomspace(10, power.size - 1, 24).astype(int)))
        return np.log(bands / bands.sum() + 1e-6)

    known = {noun: np.mean([spectrum(noun) for _ in range(4)], axis=0) for noun in NOUNS}
    for noun in NOUNS:
        for _ in range(5):
            heard = spectrum(noun)
            assert min(known, key=lambda name: float(np.square(known[name] - heard).sum())) == noun


def test_the_written_sound_is_heard_when_the_world_says(written: Recording) -> None:
    world = _world(SEED, duration_s=DURATION_S)
    heard = Sound(written.video.path).samples_between(0.0, 5.5, rate_hz=SOUND_HZ)[0]
    planned = world.sound[: heard.size]
    lags = np.arange(-480, 481, 8)
    middle = slice(480, heard.size - 480)
    match = [float(np.dot(planned[middle], np.roll(heard, -lag)[middle])) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) / SOUND_HZ < 0.003


def test_a_few_percent_of_the_gaze_are_lost(worlds: list[World]) -> None:
    for world in worlds:
        assert 0.02 <= 1 - world.tracks[0].valid.mean() <= 0.08


def test_fixations_lie_in_the_body_of_what_is_looked_at(worlds: list[World]) -> None:
    inside = []
    for world in worlds:
        path, track = world.paths[0], world.tracks[0]
        for number, thing in enumerate(world.script.things):
            fixed = (path.state == GazeState.FIXATION) & (path.thing == number) & track.valid
            for sample in np.flatnonzero(fixed)[::20]:
                time_s = path.time_s[sample]
                x, y, lift, _ = thing.path.at(np.array([time_s]))[0]
                half, height = (scale_at(y) * side for side in BODY[thing.noun])
                top = y - scale_at(y) * lift - height
                x0, y0, x1, y1 = world.camera.box(x - half, top, x + half, y + 0.3 * half, time_s)
                gaze = track.point[sample]
                inside.append(x0 <= gaze[0] <= x1 and y0 <= gaze[1] <= y1)
    assert len(inside) > 500
    assert np.mean(inside) > 0.95


def test_long_saccades_last_longer(worlds: list[World]) -> None:
    sizes, lengths = [], []
    for world in worlds:
        path = world.paths[0]
        edges = np.diff((path.state == GazeState.SACCADE).astype(int), prepend=0, append=0)
        for first, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            if first and end < path.time_s.size:
                sizes.append(np.rad2deg(np.hypot(*(path.point[end] - path.point[first - 1]))))
                lengths.append((end - first) / 200)
    slope, base = np.polyfit(sizes, lengths, 1)
    assert slope == pytest.approx(0.0022, abs=0.0004)
    assert base == pytest.approx(0.021, abs=0.006)


def test_all_movements_of_the_eye_occur(worlds: list[World]) -> None:
    states = np.concatenate([world.tracks[0].state for world in worlds])
    share = {state: float((states == state).mean()) for state in GazeState}
    assert share[GazeState.TRACKED] == 0
    assert share[GazeState.FIXATION] > 0.6
    assert 0.01 < share[GazeState.PURSUIT] < 0.3
    assert 0.03 < share[GazeState.SACCADE] < 0.2


def test_the_other_hand_often_works_too_and_is_not_looked_at(worlds: list[World]) -> None:
    decoys, looked, acts = 0, [], 0
    for world in worlds:
        acts += len(world.script.acts)
        for act in world.script.acts:
            for work in world.script.works:
                if work.hand != act.hand and act.start_s < work.start_s < act.end_s:
                    decoys += 1
                    now = (world.paths[0].time_s > act.looked_s) & (world.paths[0].time_s < act.end_s)
                    looked.append((world.paths[0].thing[now] == work.thing).mean())
    assert 0.2 < decoys / acts < 0.7
    assert np.mean(looked) < 0.05


def test_the_flickering_phone_is_never_fixated(worlds: list[World]) -> None:
    on_phone = []
    for world in worlds:
        path = world.paths[0]
        away = np.abs(path.point - world.script.phone) < PHONE_HALVES
        on_phone.append((away.all(axis=1) & (path.state == GazeState.FIXATION)).mean())
    assert np.mean(on_phone) < 0.01


def test_things_are_drawn_where_the_gaze_expects_them() -> None:
    world = next(w for w in map(_world, range(40)) if "tomato" in {t.noun for t in w.script.things[:1]})
    frame = next(world.frames).astype(int)
    red = (frame[..., 0] > 120) & (frame[..., 1] < 60) & (frame[..., 2] < 60)
    expected = world.camera.normalised(middle_of(world.script, 0, np.zeros(1)), np.zeros(1))[0]
    rows, columns = np.nonzero(red)
    near = np.hypot(columns / SIZE[1] - expected[0], rows / SIZE[0] - expected[1]) < 0.12
    assert near.sum() > 20
    assert np.median(columns[near]) / SIZE[1] == pytest.approx(expected[0], abs=0.02)
    assert np.median(rows[near]) / SIZE[0] == pytest.approx(expected[1], abs=0.03)


def test_camera_json_agrees_with_the_pictures(worlds: list[World]) -> None:
    camera = worlds[0].camera
    direction = camera.head.rotations(np.array([3.3]))[0] @ [0.2, 0.1, 1.0]
    pixel = (camera.calibration.matrix @ direction / direction[2])[:2]
    seen = camera.normalised(np.array([[0.2, 0.1]]), np.array([3.3]))[0]
    np.testing.assert_allclose((pixel + 0.5) / [SIZE[1], SIZE[0]], seen, atol=1e-12)


def test_visitors_look_and_look_away_inside_plausible_boxes(worlds: list[World]) -> None:
    faces = [face for world in worlds for face in world.faces]
    assert 4 <= len(faces) <= 14
    looking = np.concatenate([face.looking for face in faces])
    assert 0.2 < looking.mean() < 0.8
    for face in faces:
        assert (face.box[:, 2] > face.box[:, 0]).all()
        assert (face.box[:, 3] > face.box[:, 1]).all()
    assert FACE_BOX[3] > FACE_BOX[1]


def test_observers_share_the_film_and_have_their_own_eyes(tmp_path: Path) -> None:
    recordings = write_world(tmp_path / "watched", seed=3, duration_s=4.0, size=SIZE, observers=3)
    wearer, *others = recordings
    assert [recording.id for recording in recordings] == [f"watched-observer-{n}" for n in range(3)]
    assert wearer.gaze is not None
    for other in others:
        assert other.video.path.read_bytes() == wearer.video.path.read_bytes()
        assert other.gaze is not None
        assert np.nanmedian(np.abs(other.gaze.point - wearer.gaze.point)) > 0.01
        assert other.segments == wearer.segments
    alone = _world(3, duration_s=4.0).tracks[0]
    np.testing.assert_array_equal(alone.point, wearer.gaze.point)


def test_a_way_rests_moves_smoothly_and_can_be_changed_on_the_way() -> None:
    way = Way.resting(0.0)
    way.move(1.0, 1.0, np.array([2.0]))
    np.testing.assert_allclose(way.at(np.array([0.0, 1.0, 1.5, 2.0, 9.0]))[:, 0], [0, 0, 1, 2, 2])
    way.move(1.5, 0.5, np.array([1.0]))
    np.testing.assert_allclose(way.at(np.array([1.5, 5.0]))[:, 0], [1, 1])
    assert np.abs(np.diff(way.at(np.linspace(0, 3, 3001))[:, 0])).max() < 0.004
