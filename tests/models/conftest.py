"""Lets the tests of models import what they share: `golden_rule`, `gaze_golden`, `plain_gaze`."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
