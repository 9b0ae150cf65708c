"""What a run leaves and is made from: folder, checkpoints, weights, module."""

from regard.models.backbones import ensure_torchvision

# lightning imports torchvision, which beside a CPU-only torch works only after this
ensure_torchvision()
