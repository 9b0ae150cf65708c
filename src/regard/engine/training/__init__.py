"""Training a recipe, and scoring it: what needs lightning."""

import regard.run  # noqa: F401 - which makes torchvision importable, before lightning is imported here
