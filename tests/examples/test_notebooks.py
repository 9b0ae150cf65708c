"""The notebooks run from top to bottom, and what is kept of their outputs is small and of no particular machine."""

import ast
import json
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 150_000


def cells_of(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def run_cell(source: str, names: dict) -> object:
    """What Jupyter would show: the value of a last line that is an expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many figures each plt.show() would have shown."""
    shown = []
    monkeypatch.setattr(plt, "show", lambda: (shown.append(len(plt.get_fignums())), plt.close("all")))
    return shown


@pytest.mark.timeout(900)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook, drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, said = {}, []
    with mpl.rc_context({"backend": "agg"}):
        for cell in cells_of(notebook):
            if cell["cell_type"] == "code":
                value = run_cell("".join(cell["source"]), names)
                said.append(capsys.readouterr().out + ("" if value is None else repr(value)))
                told = any("text/plain" in o.get("data", {}) or "text" in o for o in cell["outputs"])
                assert bool(said[-1]) >= told
    assert drawn
    assert all(drawn)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_of_a_notebook_is_small_and_of_no_machine(notebook):
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    outputs = [o for cell in cells_of(notebook) for o in cell.get("outputs", ())]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert not re.search(r"/(tmp|home|root|work|Users)/", text)


def test_the_site_has_a_page_for_each(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import notebook_pages

    nav = (ROOT / "mkdocs.yml").read_text()
    for notebook in NOTEBOOKS:
        assert f"notebooks/{notebook.stem}.md" in nav
        page = notebook_pages.page_of(notebook)
        assert page.startswith("# ")
        assert page.count("```python") == sum(cell["cell_type"] == "code" for cell in cells_of(notebook))
    assert len(NOTEBOOKS) == 4
