"""Makes pages of the site from examples/notebooks: `make docs` runs it. With --run the notebooks are run anew first.

python docs/notebook_pages.py --run      needs Jupyter; keeps the outputs in the notebooks, pictures in few colours
"""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
PAGES = ROOT / "docs" / "notebooks"
COLOURS = 96
"""Of a picture that is kept: enough for a glow over a frame, and a third of the bytes."""


def page_of(notebook: Path) -> str:
    """Prose, code and outputs, one after the other, as Markdown."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parts = ["\n\n".join(_cell(cell)) for cell in cells]
    link = f"*This page is `examples/notebooks/{notebook.name}`: open it in Jupyter and change it.*"
    first, *rest = parts
    return re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", "\n\n".join([first, link, *rest])) + "\n"


def _cell(cell: dict[str, Any]) -> list[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [source]
    printed = "".join(text for output in cell["outputs"] for text in output.get("text", ""))
    shown = [_output(output["data"]) for output in cell["outputs"] if "data" in output]
    return [f"```python\n{source}\n```", *([_text(printed)] if printed else []), *shown]


def _output(data: dict[str, Any]) -> str:
    """The richest form of it that a page can show."""
    if "image/png" in data:
        return f'<img alt="what the code draws" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if "text/html" in data:
        table = re.sub(r"<style.*?</style>|</?div>", "", "".join(data["text/html"]), flags=re.DOTALL)
        return re.sub(r"\s*\n\s*", "", table).replace('<table border="1" class="dataframe">', "<table>")
    return _text("".join(data["text/plain"]))


def _text(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def run(notebook: Path) -> None:
    """In a folder of its own, so that nothing of this machine stands in the outputs."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(notebook, folder))
        words = ["--to", "notebook", "--execute", "--inplace", copy.name]
        subprocess.run([sys.executable, "-m", "nbconvert", *words], cwd=folder, check=True)
        told = json.loads(copy.read_text(encoding="utf-8"))
    told["metadata"].pop("language_info", None)
    for cell in told["cells"]:
        cell["metadata"] = {}
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output["data"]["image/png"] = _fewer_colours(output["data"]["image/png"])
    notebook.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _fewer_colours(png: str) -> str:
    small = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def main() -> None:
    """One page a notebook."""
    PAGES.mkdir(exist_ok=True)
    for notebook in NOTEBOOKS:
        if "--run" in sys.argv[1:]:
            run(notebook)
        (PAGES / notebook.name).with_suffix(".md").write_text(page_of(notebook), encoding="utf-8")


if __name__ == "__main__":
    main()
