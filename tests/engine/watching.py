"""Running live models on a source, and what they said, collected."""

from regard.engine.ask import Asked
from regard.engine.live.answers import Answer, Listener
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.prediction import Prediction, joined


class Collected(Listener):
    """Everything that a listener is handed."""

    name = "collected"

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.pictures: list[Grabbed] = []
        self.is_closed = False

    def saw(self, grabbed: Grabbed) -> None:
        self.pictures.append(grabbed)

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)

    def close(self) -> None:
        self.is_closed = True

    @property
    def prediction(self) -> Prediction:
        return joined([answer.prediction for answer in self.answers])


def live_run(
    source: LiveSource, *asked: Asked, every_s: float | None = None, listeners: tuple[Listener, ...] = ()
) -> tuple[Live, Collected, list[str]]:
    told: list[str] = []
    models = []
    for one in asked:
        model, said = asking_of(one, source, every_s=every_s, precision="32-true")
        models.append(model)
        told += said
    heard = Collected()
    return Live(source, models, (heard, *listeners), tell=told.append), heard, told
