"""The recipe estimation_synthetic_causal without YAML: the same run as plain constructor calls.

Run it with `python examples/train_in_python.py`; it writes what `regard train` writes, apart from recipe.yaml.
"""

from pathlib import Path

from regard.clips import EveryClip, RandomClip
from regard.datasets import Synthetic
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.models import CausalGaze
from regard.recipe.data import Data, EvalPart, TrainPart
from regard.recipe.optimiser import Optimiser
from regard.recipe.read import Recipe
from regard.recipe.training import Training, seed_everything
from regard.tasks import GazeEstimation, GazeKL
from regard.transforms import ColourJitter, HorizontalFlip


def recipe() -> Recipe:
    """Model, task, data, training, recipe."""
    seed_everything(0)  # the model draws its first weights when it is made
    model = CausalGaze(size=(48, 64), weights="random")
    task = GazeEstimation(model, loss=GazeKL(sigma=0.03))
    data = Data(
        dataset=Synthetic(train=64, val=4, test=16, processes=2),
        decode_size=96,
        batch_size=8,
        train=TrainPart(
            split="train",
            sampler=RandomClip(num_frames=8, interval_s=0.125, num_clips=8),
            transforms=[HorizontalFlip(), ColourJitter(brightness=0.2, contrast=0.2, saturation=0.2)],
        ),
        eval=EvalPart(val="val", test="test", sampler=EveryClip(num_frames=8, interval_s=0.125, hop_s=1.0)),
    )
    training = Training(
        max_steps=350,
        optimiser=Optimiser(lr=0.002, warmup_steps=20, weight_decay=0.01),
        validate_every=175,
        save_every=50,
    )
    return Recipe(task=task, data=data, training=training, name="train_in_python")


if __name__ == "__main__":
    run = train(recipe(), Path("runs/train_in_python"), progress=True).folder
    print(score_recipe(recipe(), weights=run / "checkpoints" / "best.ckpt").summary)
