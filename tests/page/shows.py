"""A live run with a page, in a thread: pictures of a source that never ends, and a model that knows the centre."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av
import numpy as np
from websockets.sync.client import ClientConnection, connect

from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.models import CentrePrior
from regard.page.live import LivePage
from regard.page.serving import Serving
from regard.tasks import GazeEstimation
from regard.types import GazeState, GazeTrack, Recording

RATE_HZ = 50


class Moving(LiveSource):
    """A bright column that moves, and gaze on it."""

    name = "a moving <column>"

    def __init__(self, *, end_s: float = 600.0) -> None:
        self.recording = Recording(id="moving", subject="live")
        time_s = np.arange(0, end_s, 0.01)
        point = np.stack([time_s % 1, np.full(len(time_s), 0.25)], axis=1)
        self._gaze = GazeTrack(time_s=time_s, point=point, state=np.full(len(time_s), GazeState.FIXATION, np.int8))
        self._end_s = end_s

    def frames(self, stop, tell):
        for number in range(round(self._end_s * RATE_HZ)):
            if stop.wait(1 / RATE_HZ):
                return
            picture = np.full((48, 64, 3), 40, np.uint8)
            picture[:, int(64 * (number / RATE_HZ % 1))] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            yield Grabbed(time_s=number / RATE_HZ, due_s=time.monotonic(), decode_s=0.001, frame=frame)

    def gaze_between(self, start_s, end_s):
        first, end = np.searchsorted(self._gaze.time_s, [start_s, end_s])
        cut = slice(first, end)
        return GazeTrack(time_s=self._gaze.time_s[cut], point=self._gaze.point[cut], state=self._gaze.state[cut])


@contextmanager
def shown(*, port: int = 0, end_s: float = 600.0) -> Iterator[tuple[Serving, LivePage, Live]]:
    """A run that goes on beside the test, and its page."""
    source = Moving(end_s=end_s)
    page = LivePage(source)
    asked = Asked(name="centre", task=GazeEstimation(CentrePrior(size=(4, 4))), sampler=EveryFrame(), decode_size=48)
    asking, _ = asking_of(asked, source, precision="32-true")
    live = Live(source, [asking], [page], tell=page.tell)
    page.follow(live.total)
    with Serving(port=port) as serving:
        serving.start(page.routes)
        running = threading.Thread(target=live.run)
        running.start()
        try:
            yield serving, page, live
        finally:
            live.stop()
            running.join()


def looking(serving: Serving) -> connect:
    """A viewer, to be entered."""
    return connect(f"ws://127.0.0.1:{serving.port}/live", close_timeout=0.1)


def picture(viewer: ClientConnection) -> tuple[dict, bytes]:
    """The next one: numbers and JPEG. It is not answered."""
    while isinstance(said := viewer.recv(30), str):
        pass
    length = int.from_bytes(said[:4], "little")
    return json.loads(said[4 : 4 + length]), said[4 + length :]


def status(viewer: ClientConnection) -> dict:
    """The next one."""
    while not isinstance(said := viewer.recv(30), str):
        viewer.send("shown")
    return json.loads(said)
