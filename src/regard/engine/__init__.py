"""The only floor with devices, loops and files written."""

import regard.run  # noqa: F401 - which makes torchvision importable, before lightning is imported here
