"""How many pictures a second are answered of faces that may look at the camera: a real film, played at its own clock.

The film is played forwards and backwards, so that faces never jump, at each rate; all faces in it are found, followed,
and asked about at every picture, by the recipe's model in torch and in 8 bits (OpenVINO), which the film calibrates.
Without `--weights` the model's are random ones, which changes no time. An answer is about the picture three before the
newest, which its latency counts.

    python benchmarks/live_faces.py FILM_OF_THREE_FACES [--seconds 20] [--rates 15 30] [--model gaze-lstm]
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import torch
from typing_extensions import override

import regard
from decode import machine
from regard.engine.ask import ask
from regard.engine.export.export import export
from regard.engine.export.folder import Exported
from regard.engine.live.answers import Answer, Listener
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.io import FilmWriter
from regard.io.live.played import Played
from regard.io.media.video import Video
from regard.models.backbones import RandomWeightsWarning


class Faces(Listener):
    """How many were answered about at once."""

    name = ""

    def __init__(self) -> None:
        self.counts: list[int] = []

    @override
    def saw(self, grabbed: object) -> None:
        pass

    @override
    def answered(self, answer: Answer) -> None:
        self.counts.append(len(answer.prediction))


def write_film(path: Path, source: Path, *, rate_hz: float, seconds: int) -> None:
    with Video(source) as video, FilmWriter(path, size=video.size) as film:
        shown = video.frames_at(video.times_s)
        to_and_fro = [*shown, *shown[-2:0:-1]]
        for number in range(round(seconds * rate_hz)):
            film.write(to_and_fro[number % len(to_and_fro)], number / rate_hz)


def in_eight_bits(model: str, film: Path, out: Path, weights: str | None) -> Exported:
    """Exported with its 8-bit file alone, which then is the one that is taken, though nothing scores it here."""
    done = export(model, to=["openvino"], out=out, int8=True, calibrate=str(film), weights=weights)
    small = [form for form in done.forms if form.precision == "int8"]
    assert small, "it could not be had with 8-bit products"
    done.forms[:] = small
    done.write()
    return done


def measured(model: str | Path, film: Path, *, name: str, rate_hz: float, weights: str | None) -> dict[str, object]:
    runtime = "openvino" if isinstance(model, Path) else "torch"
    asked = ask(model, weights=None if isinstance(model, Path) else weights, runtime=runtime)
    source, faces, told = Played(regard.open(film)), Faces(), []
    asking, _ = asking_of(asked, source, precision="32-true")
    counted = Live(source, [asking], [faces], tell=told.append).run()
    of = counted.models[asking.name]
    answers = faces.counts
    for sentence in told:
        print(f"note, {name} at {rate_hz:g} Hz: {sentence}")
    return {
        "form": name,
        "played Hz": rate_hz,
        "pictures": counted.frames,
        "answered": f"{of.answered / counted.frames:.1%}",
        "a second": of.answered / counted.until_s,
        "faces in each": sum(answers) / max(1, len(answers)),
        **{f"latency_p{p}_ms": 1000 * of.durations["latency"].percentile(p) for p in (50, 95, 99)},
        **{f"model_p{p}_ms": 1000 * of.durations["infer"].percentile(p) for p in (50, 95)},
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("film", type=Path)
    words.add_argument("--seconds", type=int, default=20)
    words.add_argument("--rates", type=float, nargs="+", default=[15.0, 30.0])
    words.add_argument("--model", default="gaze-lstm")
    words.add_argument("--weights")
    options = words.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", RandomWeightsWarning)
    with tempfile.TemporaryDirectory() as folder:
        small = in_eight_bits(options.model, options.film, Path(folder) / "exported", options.weights).folder
        rows = []
        for rate_hz in options.rates:
            film = Path(folder) / f"film_{rate_hz:g}.mp4"
            write_film(film, options.film, rate_hz=rate_hz, seconds=options.seconds)
            for name, model in (("OpenVINO int8", small), ("torch", options.model)):
                rows.append(measured(model, film, name=name, rate_hz=rate_hz, weights=options.weights))
    print(machine())
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()
