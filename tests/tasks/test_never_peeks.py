"""CSTS through the whole chain, from files to answers: what comes after the last shown frame changes no bit of them."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from regard.clips import ClipDataset, EveryClip, SoundWindows
from regard.clips.collate import collate
from regard.models import CSTS
from regard.tasks import GazeAnticipation
from regard.transforms import Normalise, PoolSound
from regard.types import MediaStream, Recording

FPS, SECONDS = 10, 4
LAST = 17
"""The clip's last shown frame, at 1.7 s."""
ASKED_S = (0.1, 0.8)


def recorded(path: Path, *, frames_from: int, sound_from_s: float, rate_hz: int) -> Recording:
    """A recording in which all frames from a number on, and all sound from a moment on, are others.

    Every frame is coded by itself and without loss, and so is the sound: an edit shows where it was made and nowhere
    else.
    """
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (FPS * SECONDS, 32, 32, 3), np.uint8)
    frames[frames_from:] = 255 - frames[frames_from:]
    sound = (3000 * rng.standard_normal(rate_hz * SECONDS)).astype(np.int16)
    late = round(sound_from_s * rate_hz)
    sound[late:] = -sound[late:][::-1]
    with av.open(path, "w") as container:
        video = container.add_stream("ffv1", rate=FPS)
        video.width, video.height, video.pix_fmt = 32, 32, "bgr0"
        audio = container.add_stream("pcm_s16le", rate=rate_hz, layout="mono")
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
        for start in range(0, len(sound), 1000):
            part = av.AudioFrame.from_ndarray(sound[None, start : start + 1000], format="s16", layout="mono")
            part.sample_rate, part.pts = rate_hz, start
            container.mux(audio.encode(part))
        container.mux(audio.encode())
    stream = MediaStream(path=path)
    return Recording(id="kitchen", subject="s", video=stream, audio=stream)


def answer(recording: Recording, align: str) -> Tensor:
    """What CSTS says of the clip that ends with frame LAST, and of nothing else."""
    torch.manual_seed(0)
    model = CSTS(num_frames=2, size=(32, 32), sound_size=(64, 64), width=8, depths=(1, 1, 1, 1)).eval()
    task = GazeAnticipation(model)
    sampler = EveryClip(num_frames=2, interval_s=1.0, ahead_s=ASKED_S, hop_s=0.7)
    clips = ClipDataset(
        (recording,),
        sampler,
        needs=task.inputs,
        sound=SoundWindows(align=align),
        transforms=(Normalise(), PoolSound()),
    )
    number = next(i for i in range(len(clips)) if round(float(clips.clip(i).frame_s[-1]) * FPS) == LAST)
    with torch.inference_mode():
        return task.answer(collate([clips[number]]))


@pytest.mark.parametrize("align", ["centred", "causal"])
@pytest.mark.parametrize("rate_hz", [24_000, 48_000, 16_000])
def test_nothing_after_the_last_observed_moment_changes_a_bit(tmp_path, align, rate_hz):
    never, after_s = FPS * SECONDS, (LAST + 0.001) / FPS
    said = {
        name: answer(recorded(tmp_path / f"{name}.mkv", **edit, rate_hz=rate_hz), align)
        for name, edit in {
            "as it was": {"frames_from": never, "sound_from_s": SECONDS},
            "later pictures": {"frames_from": LAST + 1, "sound_from_s": SECONDS},
            "later sound": {"frames_from": never, "sound_from_s": after_s},
            "last picture": {"frames_from": LAST, "sound_from_s": SECONDS},
            "last sound": {"frames_from": never, "sound_from_s": after_s - 0.05},
        }.items()
    }
    assert said["as it was"].isfinite().all()
    assert torch.equal(said["later pictures"], said["as it was"])
    assert torch.equal(said["later sound"], said["as it was"])
    assert not torch.equal(said["last picture"], said["as it was"])
    assert not torch.equal(said["last sound"], said["as it was"])
