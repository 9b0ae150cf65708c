"""What we draw: gaze on frames, films with sound, a page about a recording. No display is needed.

`regard.viz.film.film` writes the film and `regard.viz.report.report` the page.
"""

from regard.viz.density import density
from regard.viz.draw import STATE_COLOURS, contact_sheet, gaze, moment

__all__ = ["STATE_COLOURS", "contact_sheet", "density", "gaze", "moment"]
