"""The only floor with devices, loops and files written."""

from regard.models.backbones import ensure_torchvision

# lightning imports torchvision, which beside a CPU-only torch works only after this
ensure_torchvision()
