"""What a training ends with leads on to its scores and to a comparison, with whom the user trusts, and no further."""

import shlex

from tiny import main, tiny_recipe, write_recipe


def test_from_training_to_comparison_with_whom_is_trusted(world, tmp_path, capsys):
    recipe = write_recipe(tmp_path, tiny_recipe(world, max_steps=1, validate_every=1, save_every=1))
    words = ["train", str(recipe), "--out", str(tmp_path / "run")]
    verbs = []
    while words:
        verbs.append(words[0])
        assert main([w if w != "ANOTHER_RUN" else str(tmp_path / "run") for w in words]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next: ")]
        assert all(line.endswith(" --trust tiny") for line in lines)
        words = shlex.split(lines[-1])[2:-2] if lines else []
    assert verbs == ["train", "evaluate", "compare"]
