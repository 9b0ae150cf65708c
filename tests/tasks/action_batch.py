"""Small batches with gaze and labels, and small models that recognise actions."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from regard.batch import Batch
from regard.models.egohar import EgoHAR
from regard.models.gaze_attention import GazeAttention
from regard.types import Clip, GazeState, MediaStream, Recording, Segment

FRAMES = 8


def recording(name: str = "kitchen", *, trained: tuple[tuple[float, float], ...] = ()) -> Recording:
    segments = tuple(Segment(start_s=a, end_s=b, kind="trained") for a, b in trained)
    return Recording(id=name, subject="p", video=MediaStream(path=Path("film.mp4")), segments=segments)


def clip(start_s: float, labels: dict[str, int], *, of: Recording | None = None, window_s: float = 0.0) -> Clip:
    segment = Segment(start_s=start_s, end_s=start_s + 2, kind="action", name="cut bread", labels=labels)
    frame_s = start_s + window_s + np.arange(FRAMES) / 24
    return Clip(recording=of or recording(), frame_s=frame_s, gaze_s=frame_s, labels=labels, segment=segment)


def batch(count: int = 3, *, size: int = 32, point: Tensor | None = None, lost: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = [{"action": i % 3, "verb": i % 2, "noun": i % 3} for i in range(count)]
    point = torch.rand(count, FRAMES, 2, generator=generator) if point is None else point
    valid = torch.full((count, FRAMES), not lost)
    return Batch(
        clips=tuple(clip(3.0 * i, label) for i, label in enumerate(labels)),
        frame_valid=torch.ones(count, FRAMES, dtype=torch.bool),
        asked_valid=torch.ones(count, FRAMES, dtype=torch.bool),
        ahead_s=torch.zeros(count, FRAMES),
        video=torch.rand(count, FRAMES, 3, size, size, generator=generator) * 2 - 1,
        flow=torch.rand(count, FRAMES, 2, size, size, generator=generator) * 2 - 1,
        gaze_point=torch.where(valid[..., None], point, torch.nan),
        gaze_valid=valid,
        gaze_state=torch.where(valid, GazeState.FIXATION, GazeState.LOST).to(torch.int8),
        label={name: torch.tensor([label[name] for label in labels]) for name in ("action", "verb", "noun")},
    )


def gaze_attention(size: int = 64) -> GazeAttention:
    torch.manual_seed(0)
    return GazeAttention(actions=3, num_frames=FRAMES, size=(size, size), width=8, depths=(1, 1, 1))


def egohar() -> EgoHAR:
    torch.manual_seed(0)
    return EgoHAR(
        actions=3, verbs=2, nouns=3, num_frames=FRAMES, size=(32, 32), backbone="resnet18", stages=3,
        weights="random", channels=4, width=16, hidden=8,
    )  # fmt: skip


class Constant(nn.Module):
    """A user's own model that always answers the same."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, video: Tensor) -> Tensor:
        return self.logits.expand(len(video), -1)
