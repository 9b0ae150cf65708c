"""Face frontality: a face that is turned towards the camera is taken to look at it. There is nothing to train.

From five landmarks alone: where the tip of the nose lies between the eyes and the corners of the mouth says how far the
head is turned, because the nose stands out. What the eyes do inside the head is not seen, so a face that looks aside
with its eyes only, or has them closed, counts as looking.
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from regard.transforms.face_priors import FacePriors
from regard.transforms.place import Transform

__all__ = ["FaceFrontality"]

EYES_MM, NOSE_DOWN, NOSE_OUT_MM, HEIGHT_MM = 63.0, 0.53, 29.0, 71.0
"""A grown-up's face: between the eyes; how far down the nose is from eyes (0) to mouth (1); how far it stands out from
the plane of both; from the eyes down to the mouth. The six-point head that is widely used for head pose with OpenCV
(Mallick, 2016), scaled to the eye distance of Dodgson, Variation and extrema of human interpupillary distance, 2004."""


class FaceFrontality(nn.Module):
    """Whether a face looks at the camera, from how far its head is turned from it.

    At `half_deg` degrees it is as likely to look as not, and `soft_deg` farther it is 2.7 times less likely: the eyes
    turn by 15 to 20 degrees before the head follows (Stahl, Amplitude of human head movements associated with
    horizontal saccades, 1999). Chosen beforehand, not fitted.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (FacePriors(),)

    def __init__(self, *, half_deg: float = 15.0, soft_deg: float = 4.0) -> None:
        super().__init__()
        self.half_deg, self.soft_deg = half_deg, soft_deg

    def forward(
        self, landmarks: Float[Tensor, "b t 5 3"], asked: Int64[Tensor, "b u"] | None = None
    ) -> Float[Tensor, "b u 2"]:
        """Logits of not looking and looking for each asked frame; NaN where the landmarks are not known.

        `asked` are frame numbers; None asks about the middle one.
        `landmarks` are nose, left and right eye, left and right corner of the mouth: x, y as shares of the box, and
        visibility, which is not looked at.
        """
        if asked is None:
            asked = torch.full((len(landmarks), 1), landmarks.shape[1] // 2, device=landmarks.device)
        angle_deg = turned_deg(landmarks[..., :2]).gather(1, asked)
        looks = (self.half_deg - angle_deg) / self.soft_deg
        return torch.stack([-looks / 2, looks / 2], dim=-1)


def turned_deg(landmarks: Float[Tensor, "*b 5 2"]) -> Float[Tensor, "*b"]:
    """How far a head is turned away from the camera, right, left, up or down, in degrees; 0 is frontal.

    The nose's place is told in steps along the line of the eyes and along that from the eyes to the mouth; so neither
    the size and shape of the box nor a head tilted to its side makes a difference. Seen from far away (weak
    perspective). NaN for unknown landmarks; 90 where the four others lie on one line.
    """
    nose, left, right, mouth_left, mouth_right = landmarks.unbind(-2)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down, at = left - right, mouth - eyes, nose - eyes
    area = _cross(across, down)
    aside = _cross(at, down) / area * (EYES_MM / NOSE_OUT_MM)
    below = (_cross(across, at) / area - NOSE_DOWN) * (HEIGHT_MM / NOSE_OUT_MM)
    slope = torch.hypot(aside, below)
    flat = area.abs() < 1e-6
    return torch.rad2deg(torch.atan(torch.where(flat, torch.inf, slope) + 0.0 * landmarks.sum((-1, -2))))


def _cross(a: Float[Tensor, "*b 2"], b: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
