"""Eye movements: the way of the gaze in degrees -> states of its measurements -> events with their measures.

`label_movements` is for any recording; `label_ivt` and `label_idt` are the classic methods as published.
"""

from regard.ops.events.head import turns_between
from regard.ops.events.lag import Lag, gaze_lag
from regard.ops.events.movements import Movements, Rules, label_movements
from regard.ops.events.path import HeadTurns
from regard.ops.events.salvucci import FieldOfView, label_idt, label_ivt
from regard.ops.events.table import events_of

__all__ = [
    "FieldOfView",
    "HeadTurns",
    "Lag",
    "Movements",
    "Rules",
    "events_of",
    "gaze_lag",
    "label_idt",
    "label_ivt",
    "label_movements",
    "turns_between",
]
