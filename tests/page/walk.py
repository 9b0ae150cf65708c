"""What the recording of the tests of the page shows: a grey that tells the frame, another place for gaze, areas."""

import numpy as np

SIZE = (240, 320)
TIMES_S = np.cumsum(np.append(0.0, np.random.default_rng(5).choice([0.033, 0.04, 0.1], 59)))
AREAS = """name,time_s,x0,y0,x1,y1
left,,0.0,0.0,0.5,1.0
box,0.0,0.52,0.55,0.72,0.75
box,2.0,0.78,0.55,0.98,0.75
cup,1.0,0.80,0.80,0.99,0.97
cup,1.5,,,,
"""


def grey(number: int) -> int:
    return 20 + 3 * number


def looked_at(number: int) -> tuple[float, float]:
    """Another place for each of 24 frames in a row."""
    return (0.5 + number % 6) / 6, (0.5 + number // 6 % 4) / 4
