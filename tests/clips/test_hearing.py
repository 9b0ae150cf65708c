"""What a clip hears, and that it hears nothing of what comes after it."""

import pytest
import torch
from clip_films import Hum

from regard.clips import ClipDataset, EveryClip, SoundWindows

EVERY = EveryClip(num_frames=3, interval_s=0.2, hop_s=0.5, short="leave_out")


@pytest.mark.parametrize("align", ["centred", "causal"])
def test_no_window_hears_what_follows_the_last_frame(recording, align):
    data = ClipDataset([recording()], EVERY, needs=frozenset({"gaze"}))
    clip = data.clip(4)
    quiet, _ = SoundWindows(align=align).hear(Hum(roars_from_s=99.0), clip)
    loud, valid = SoundWindows(align=align).hear(Hum(roars_from_s=clip.heard_until_s), clip)
    assert torch.equal(quiet, loud)
    assert quiet.shape == (3, 256, 256)
    assert valid.all()
    early, _ = SoundWindows(align=align).hear(Hum(roars_from_s=clip.heard_until_s - 0.01), clip)
    assert not torch.equal(quiet, early)


def test_a_causal_window_hears_nothing_after_its_own_frame(recording):
    clip = ClipDataset([recording()], EVERY, needs=frozenset({"gaze"})).clip(4)
    quiet, _ = SoundWindows(align="causal").hear(Hum(roars_from_s=99.0), clip)
    loud, _ = SoundWindows(align="causal").hear(Hum(roars_from_s=float(clip.frame_s[1])), clip)
    centred, _ = SoundWindows().hear(Hum(roars_from_s=float(clip.frame_s[1])), clip)
    assert torch.equal(quiet[:2], loud[:2])
    assert not torch.equal(quiet[2], loud[2])
    assert not torch.equal(quiet[0], centred[0])


def test_frames_after_the_sound_ends_are_not_valid(recording):
    clip = ClipDataset([recording()], EVERY, needs=frozenset({"gaze"})).clip(4)
    _, valid = SoundWindows().hear(Hum(roars_from_s=99.0, duration_s=float(clip.frame_s[1])), clip)
    assert valid.tolist() == [True, True, False]
