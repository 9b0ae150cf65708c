"""Small batches of faces with who looks, and small models of faces."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from regard.batch import Batch
from regard.types import Clip, FaceTrack, MediaStream, Recording

RATE_HZ = 30
FRAMES = 7


def track(name: str = "anna", *, looking: list[bool], known: bool = True, start_s: float = 0.0) -> FaceTrack:
    n = len(looking)
    return FaceTrack(
        person=name.partition("-")[0],
        track=name,
        time_s=start_s + np.arange(n) / RATE_HZ,
        box=np.tile([0.2, 0.1, 0.4, 0.5], (n, 1)),
        looking=np.array(looking),
        looking_known=np.full(n, known),
    )


def recording(*faces: FaceTrack, name: str = "party") -> Recording:
    return Recording(id=name, subject="p", video=MediaStream(path=Path("film.mp4")), faces=faces)


def window(of: Recording, face: str, middle: int) -> Clip:
    frame_s = (middle + np.arange(FRAMES) - FRAMES // 2) / RATE_HZ
    return Clip(recording=of, frame_s=frame_s, gaze_s=frame_s[[FRAMES // 2]], person=face)


def batch(*clips: Clip, size: int = 8) -> Batch:
    most = max(len(c.gaze_s) for c in clips)
    frames = max(len(c.frame_s) for c in clips)
    asked = torch.tensor([[i < len(c.gaze_s) for i in range(most)] for c in clips])
    generator = torch.Generator().manual_seed(0)
    return Batch(
        clips=clips,
        frame_valid=torch.ones(len(clips), frames, dtype=torch.bool),
        asked_valid=asked,
        ahead_s=torch.zeros(len(clips), most),
        video=torch.rand(len(clips), frames, 3, size, size, generator=generator),
    )


class LeftOfPicture(nn.Module):
    """Looks at the left half of each picture: the brighter, the likelier that the face looks. No answer is random."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(4.0))

    def forward(self, video: Tensor, asked: Tensor | None = None) -> Tensor:
        bright = self.slope * (video[..., : video.shape[-1] // 2].mean(dim=(2, 3, 4)) - 0.5)
        logits = torch.stack([-bright, bright], dim=-1)
        if asked is None:
            return logits[:, [video.shape[1] // 2]]
        return logits.gather(1, asked[..., None].expand(-1, -1, 2))
