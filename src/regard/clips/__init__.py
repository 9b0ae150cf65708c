"""What we cut from recordings: clips, their pixels and targets, transforms and batches."""

from regard.clips.collate import Skipped, collate
from regard.clips.colours import ColourJitter, Normalise, ToFloat
from regard.clips.dataset import ClipDataset
from regard.clips.flow import PublishedFlip, ScaleFlow
from regard.clips.gaze_outside import ClampGaze, MaskGazeOutside
from regard.clips.hearing import SoundWindows
from regard.clips.load import ClipLoader, loader
from regard.clips.published import PublishedWindow
from regard.clips.published_sound import PublishedSound
from regard.clips.published_views import PublishedCrop, PublishedResize
from regard.clips.sampling import AroundSegment, EveryClip, FirstFrames, LastFrames, RandomClip, Sampler
from regard.clips.sound_transforms import PoolSound
from regard.clips.transforms import (
    CentreCrop,
    HorizontalFlip,
    RandomCrop,
    RandomResize,
    RandomResizedCrop,
    Resize,
    Transform,
)
from regard.clips.whole_picture import ResizeToCells
from regard.clips.whole_segment import WholeSegment

__all__ = [
    "AroundSegment",
    "CentreCrop",
    "ClampGaze",
    "ClipDataset",
    "ClipLoader",
    "ColourJitter",
    "EveryClip",
    "FirstFrames",
    "HorizontalFlip",
    "LastFrames",
    "MaskGazeOutside",
    "Normalise",
    "PoolSound",
    "PublishedCrop",
    "PublishedFlip",
    "PublishedResize",
    "PublishedSound",
    "PublishedWindow",
    "RandomClip",
    "RandomCrop",
    "RandomResize",
    "RandomResizedCrop",
    "Resize",
    "ResizeToCells",
    "Sampler",
    "ScaleFlow",
    "Skipped",
    "SoundWindows",
    "ToFloat",
    "Transform",
    "WholeSegment",
    "collate",
    "loader",
]
