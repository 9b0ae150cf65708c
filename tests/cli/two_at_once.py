"""Each verb that writes, twice at the same time into the same place: `python tests/cli/two_at_once.py [VERB ...]`.

Wanted: both are right, or one is refused; an exit code of 0 says that the results are there, whole, and those of a
single run; nothing half-written is left. Prints a line for each verb, and exits with 1 where one is not so.
"""

import functools
import http.server
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pandas as pd
import torch
import yaml

import regard
from regard.io import Video
from regard.io.predictions import read_prediction
from regard.models.glc import GLC, PUBLISHED_RULES
from regard.models.published import published_names
from regard.run.weights import read_weights
from regard.world import write_world

REGARD = [sys.executable, "-m", "regard"]
WEIGHTS = "glc_ego4d"

VERBS: Mapping[str, list[str]] = {
    "check": ["check", "world"],
    "show": ["show", "world", "--out", "out"],
    "predict": ["predict", "world", "--model", "centre-prior", "--out", "out"],
    "evaluate": ["evaluate", "world", "--model", "centre-prior", "--out", "out"],
    "demo": ["demo", "world", "--out", "out"],
    "demo alone": ["demo", "--out", "out"],
    "compare": ["compare", "items.parquet", "items.parquet"],
    "prepare": ["prepare", "tiny.yaml", "--out", "out", "--workers", "1"],
    "train": ["train", "tiny.yaml", "--out", "out"],
    "weights get": ["weights", "get", WEIGHTS, "--address", "http://127.0.0.1:{port}/glc.pth"],
}
"""The words of each; what they read is made by `inputs`."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Tells nobody what was asked for."""

    def log_message(self, *_: object) -> None:
        pass


def inputs(folder: Path, verb: str) -> None:
    """A recording, scored items and a short training."""
    write_world(folder / "world", seed=7, duration_s=1.0, size=(96, 128))
    if verb == "compare":
        recording = regard.open(folder / "world")
        items = regard.evaluate(recording, regard.predict(recording, model="centre-prior")).items
        items.to_parquet(folder / "items.parquet", index=False)
    if verb in ("prepare", "train"):
        from regard.recipe.packaged import find

        recipe = yaml.safe_load(find("estimation_synthetic_causal").read_text())
        recipe["data"]["dataset"]["init_args"] = {
            "root": str(folder / "worlds"),
            **{"train": 1, "val": 1, "test": 1, "duration_s": 2.0, "size": [96, 128]},
        }
        recipe["data"]["workers"] = 0
        recipe["training"] |= {"max_steps": 2, "validate_every": 2, "save_every": 1, "accelerator": "cpu", "devices": 1}
        (folder / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    if verb == "weights get":
        model = GLC()
        own = model.state_dict()
        state = {name: own[ours] for name, ours in published_names(model, PUBLISHED_RULES).items()}
        torch.save({"model_state": state}, folder / "glc.pth")


def broken(file: Path) -> str:
    """What is wrong with a result; nothing where it is whole."""
    try:
        if file.suffix == ".parquet":
            (read_prediction if "items" not in file.name else pd.read_parquet)(file)
        elif file.suffix == ".mp4":
            with Video(file) as film:
                film.frames_at(film.times_s, size=(8, 8))
        elif file.suffix == ".csv":
            pd.read_csv(file)
        elif file.suffix == ".ckpt":
            read_weights(file)
        elif file.suffix == ".html" and not file.read_text().rstrip().endswith("</html>"):
            return f"{file.name} is cut"
    except Exception as error:
        return f"{file.name}: {type(error).__name__}: {error}"
    return ""


def names(folder: Path) -> set[str]:
    """What lies in a folder, but for logs whose names count up."""
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and "tensorboard" not in f.parts}


def together(verb: str, place: Path, *, alone: bool = True) -> tuple[bool, str]:
    """True where two of it did as wanted, and what they did; `alone`: their files are compared with a single run's."""
    here, single = place / "two", place / "one"
    for folder in (here, single) if alone else (here,):
        folder.mkdir(parents=True)
        inputs(folder, verb)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(here)))
    Thread(target=server.serve_forever, daemon=True).start()
    words = [*REGARD, *(w.format(port=server.server_port) for w in VERBS[verb])]

    def start(folder: Path) -> subprocess.Popen[str]:
        env = {**os.environ, "REGARD_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(words, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    both = [start(here), start(here)]
    said = [p.communicate()[0] for p in both]
    codes = sorted(p.returncode for p in both)
    wrong = [] if codes in ([0, 0], [0, 2]) else [text[-600:] for text in said]
    wrong += ["a traceback" for text in said if "Traceback" in text]
    left = names(here)
    wrong += [f"left: {name}" for name in sorted(left) if ".part" in name or name.endswith(".lock")]
    wrong += [text for name in sorted(left) if (text := broken(here / name))]
    if alone:
        process = start(single)
        process.communicate()
        assert process.returncode == 0
        wrong += [f"other files than alone: {', '.join(sorted(left ^ names(single)))}"] if left != names(single) else []
        for name in sorted(left & names(single)):
            if name.endswith("scores.csv") and (here / name).read_bytes() != (single / name).read_bytes():
                wrong.append(f"{name} is another than alone")
    server.shutdown()
    server.server_close()
    refused = next((t.split("found:")[1].splitlines()[0].strip() for t in said if "found:" in t), "")
    told = "both right" if codes == [0, 0] else f"exit codes {codes}: {refused}"
    return not wrong, "; ".join([told, *wrong])


if __name__ == "__main__":
    failed = 0
    for verb in sys.argv[1:] or VERBS:
        with tempfile.TemporaryDirectory() as folder:
            good, what = together(verb, Path(folder))
        failed += not good
        print(f"{verb:<12} {'good' if good else 'BAD':<5} {what}", flush=True)
    sys.exit(failed > 0)
