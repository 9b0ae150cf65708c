"""Options that several verbs share."""

import shlex
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regard.page.serving import Serving

OUT = Path("regard-out")
DEFAULT_MODEL = "saliency"


RECORDING = "a recording: a device's folder, a folder with a video and gaze.csv, or a video"


def add_recording(parser: ArgumentParser, *, optional: bool = False) -> None:
    """Which recording."""
    parser.add_argument("path", nargs="?" if optional else None, help=RECORDING)
    add_min_confidence(parser)


def add_recordings(parser: ArgumentParser) -> None:
    """One recording, or a study, and how its recordings are worked on."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help=f"{RECORDING}; or a study: several, a folder of them, or a csv list (path,participant,condition,...)",
    )
    add_min_confidence(parser)
    add_workers(parser)
    parser.add_argument("--by", metavar="COLUMN", help="of a study's list: summarise by it (default: condition)")


def add_film(parser: ArgumentParser) -> None:
    """Whether films are made: of one recording unless told not to, of a study's where asked for."""
    parser.add_argument("--film", action="store_true", default=None, help="make films of a study's recordings too")
    parser.add_argument("--no_film", action="store_false", dest="film", help="make no film of a single recording")


def add_movements(parser: "ArgumentParser | _ArgumentGroup") -> None:
    """How eye movements are told."""
    parser.add_argument(
        "--watched", action="store_true", help="the gaze is of somebody who watches the video on a screen, and not worn"
    )
    parser.add_argument(
        "--no_look",
        action="store_true",
        help="do not look at the video for the head's turns: quick, but pursuit is not told from fixation",
    )
    parser.add_argument(
        "--recorded", action="store_true", help="events of the states in the recording's own files, where it has them"
    )
    parser.add_argument(
        "--field_deg", type=float, help="how many degrees wide the picture is, where the camera is not calibrated"
    )


def add_min_confidence(parser: "ArgumentParser | _ArgumentGroup") -> None:
    """From which confidence on gaze is valid."""
    parser.add_argument(
        "--min_confidence",
        type=float,
        default=0.6,
        help="where the device gives a confidence: below it, gaze counts as lost (Pupil's own default is 0.6)",
    )


def add_model(parser: ArgumentParser) -> None:
    """Who answers, and whose classes a run may name."""
    add_trust(parser)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a name that `regard recipes` lists, a recipe's file, or a folder that `regard train` or `regard export` "
        "wrote (default: saliency)",
    )
    parser.add_argument(
        "--task",
        metavar="QUESTION",
        help="ask a question of the model that regard asks by itself, in place of --model: looking",
    )
    parser.add_argument(
        "--horizon_s", type=float, help="how far ahead a model that anticipates is asked (default: as its recipe says)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "32-true", "bf16-mixed", "16-mixed"],
        help="of the model's products; auto tries whether bfloat16 is faster here (default: auto)",
    )


def add_serving(parser: ArgumentParser) -> None:
    """Where a page is served."""
    parser.add_argument(
        "--host",
        help="serve the page on this address of the machine (0.0.0.0: all); beyond the machine itself it is shown only "
        "to whoever has the address that is printed, which holds a token (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument("--port", type=_port, help="of the page; 0: any that is free (default: 8321)")


def serving_of(options: Namespace) -> "Serving":
    """The page's server, with its port taken. Raises ServingError, and MissingExtraError without the extra."""
    from regard.page.serving import HOST, PORT, Serving

    return Serving(
        host=HOST if options.host is None else options.host, port=PORT if options.port is None else options.port
    )


def add_runtime(parser: ArgumentParser) -> None:
    """What runs an exported model."""
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=["torch", "openvino", "onnx", "auto"],
        help="what runs a model that `regard export` wrote; auto takes the fastest of those installed whose answers "
        "were found to be torch's (default: auto)",
    )


def add_out(parser: ArgumentParser) -> None:
    """Where the files go."""
    parser.add_argument("--out", type=Path, help="folder for what is written (default: regard-out/<recording>)")


def add_print_config(parser: ArgumentParser) -> None:
    """To see what a recipe says once all defaults are filled in."""
    parser.add_argument("--print_config", action="store_true", help="print the resolved recipe and stop")


def add_trust(parser: ArgumentParser) -> None:
    """Whose classes a recipe may name."""
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="import this package where the recipe names its classes, which runs its code; repeat for several "
        "(default: regard's own classes and torch's optimisers only)",
    )


def trust_words(options: Namespace) -> list[str]:
    """The same again, for the next command."""
    return [word for package in options.trust for word in ("--trust", package)]


def model_words(options: Namespace) -> list[str]:
    """Who answers, said again for the next command."""
    said = {"--horizon_s": options.horizon_s, "--weights": options.weights}
    said |= {"--device": options.device} if options.device != "cpu" else {}
    said |= {"--runtime": options.runtime} if options.runtime != "auto" else {}
    words = [str(word) for name, value in said.items() if value is not None for word in (name, value)]
    who = ["--task", options.task] if options.task else ["--model", options.model]
    return [*who, *words, *trust_words(options)]


def add_workers(parser: ArgumentParser) -> None:
    """Who works on many recordings, and on how many at once."""
    parser.add_argument(
        "--engine", choices=["processes", "ray"], default="processes", help="this machine, or a Ray cluster of many"
    )
    parser.add_argument(
        "--jobs", "--workers", type=_count, help="recordings at once (default: one on each usable core)"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"found {text}, wanted a number from 1 on")
    return int(text)


def add_on_error(parser: ArgumentParser) -> None:
    """What an unreadable file does."""
    parser.add_argument(
        "--on_error",
        choices=["raise", "skip"],
        help="what an unreadable video does: stop with its name (raise), or be left out, counted and listed (skip)",
    )


def on_error_words(options: Namespace) -> list[str]:
    """The same as an override of a recipe; nothing where the user did not say."""
    return [] if options.on_error is None else [f"--data.on_error={options.on_error}"]


def file_stem(model: str) -> str:
    """A model's name as the beginning of a file name; a run's is its folder's, also for ".", a recipe's its file's."""
    return Path(model).resolve().name.removesuffix(".yaml")


def command(*words: str | Path) -> str:
    """`regard` with these words, quoted where a shell would otherwise split or change them."""
    return shlex.join(["regard", *map(str, words)])


def look_at(path: str | Path, out: Path | None = None) -> str:
    """The command that shows a recording in a browser with its results: those in `out`, or where they usually are."""
    return command("view", path, *([] if out is None else [out]))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError(f"found {text}, wanted a port from 0 to 65535")
    return int(text)
