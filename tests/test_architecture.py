"""The house keeps its floors: imports only go down, files stay short, and importing the package costs nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "regard"


def test_imports_only_go_down():
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_file_is_longer_than_three_hundred_lines():
    files = [f for room in ("src", "tests", "benchmarks", "examples") for f in (ROOT / room).rglob("*.py")]
    assert not {str(f.relative_to(ROOT)): n for f in files if (n := len(f.read_text().splitlines())) > 310}


def test_no_room_is_a_lumber_room():
    forbidden = {"utils", "util", "common", "helpers", "misc"}
    assert not [f for f in SOURCE.rglob("*.py") if f.stem in forbidden or f.parent.name in forbidden]


def test_a_dataclass_of_arrays_is_not_compared_by_its_values():
    """Numpy says neither true nor false of two arrays, and hashes none: `==`, `in` and `hash` would raise."""
    wrong = []
    for file in SOURCE.rglob("*.py"):
        for kind in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)):
            made = " ".join(ast.unparse(decorator) for decorator in kind.decorator_list)
            fields = " ".join(ast.unparse(line.annotation) for line in kind.body if isinstance(line, ast.AnnAssign))
            if made.startswith("dataclass") and re.search(r"ndarray|Tensor|DataFrame", fields):
                wrong += [] if "eq=False" in made else [f"{file.name} {kind.name}"]
    assert not wrong


def test_importing_regard_loads_no_heavy_library():
    code = (
        "import sys, regard; "
        "print([m for m in ('torch', 'pandas', 'av', 'matplotlib', 'lightning', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_checking_a_recording_loads_no_torch():
    code = "import sys, regard.cli.check; print([m for m in ('torch', 'lightning', 'torchvision') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_public_name_of_the_package_exists():
    import regard

    assert all(getattr(regard, name) is not None for name in regard.__all__)


def test_whatever_imports_lightning_first_opens_the_door_to_torchvision_before():
    imports = re.compile(r"^(from|import) (lightning|torchmetrics)", re.MULTILINE)
    one_a_room = {f.parent: f for f in SOURCE.rglob("*.py") if imports.search(f.read_text())}.values()
    modules = [".".join(f.relative_to(SOURCE.parent).with_suffix("").parts) for f in one_a_room]
    code = """
import importlib, os, sys, torch

class Door:
    def find_spec(self, name, *_):
        if name in ("lightning", "torchmetrics"):
            os._exit(0 if hasattr(torch.ops.torchvision, "nms") else 1)

sys.meta_path.insert(0, Door())
for module in sys.argv[1:]:
    if not (child := os.fork()):
        importlib.import_module(module)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        print(module)
"""
    run = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False)
    assert len(modules) > 1
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
