"""The contrastive loss: which clips take part, and two processes that train as one with the whole batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from regard.batch import Batch
from regard.errors import RecipeError
from regard.models import CSTS, MViTGaze
from regard.models.csts import Embedded
from regard.ops.heatmap import published_label_maps
from regard.ops.published_losses import contrastive_loss, published_kl
from regard.tasks import GLCKL, Contrast, GazeAnticipation
from regard.tasks.gaze.contrast import from_all_processes
from regard.types import Clip, GazeState, MediaStream, Recording

SIZE = {"num_frames": 2, "size": (32, 32), "sound_size": (32, 32), "width": 8, "depths": (1, 1, 1, 1), "drop_path": 0.0}
SHARES = [(0, 3), (3, 4)]
"""Clips of each of two processes: unequal, and fewer on the second."""


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(n: int = 3) -> Batch:
    recording = Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")))
    clip = Clip(recording=recording, frame_s=np.array([0.0, 0.1]), gaze_s=np.array([0.2, 0.3]))
    known = torch.ones(n, 2, dtype=torch.bool)
    return Batch(
        clips=(clip,) * n,
        frame_valid=known,
        asked_valid=known,
        ahead_s=torch.tensor([[0.1, 0.2]] * n),
        video=numbers(n, 2, 3, 32, 32).float(),
        sound=numbers(n, 2, 32, 32, seed=1).float(),
        sound_valid=known,
        gaze_point=torch.rand(n, 2, 2, generator=torch.Generator().manual_seed(2)),
        gaze_valid=known,
        gaze_state=torch.full((n, 2), GazeState.FIXATION, dtype=torch.int8),
    )


def test_training_adds_the_weighted_contrast_and_scoring_does_without():
    torch.manual_seed(0)
    model = CSTS(**SIZE, embedding_width=4)
    task = GazeAnticipation(model, loss=GLCKL(kernel_cells=5), contrast=Contrast(weight=0.5))
    answer = task.answer(batch())
    assert isinstance(answer, Embedded)
    losses = task.loss(answer, batch())
    labels = published_label_maps(batch().gaze_point, (8, 8), kernel_cells=5)
    torch.testing.assert_close(losses["gaze"], published_kl(answer.logits, labels).mean())
    torch.testing.assert_close(losses["contrast"], contrastive_loss(answer.video_embedding, answer.sound_embedding))
    torch.testing.assert_close(losses["loss"], losses["gaze"] + 0.5 * losses["contrast"])
    model.eval()
    scored = task.answer(batch())
    assert isinstance(scored, Tensor)
    assert task.loss(scored, batch()).keys() == {"loss"}


def test_a_process_that_could_read_nothing_has_a_loss_of_zero_that_can_be_differentiated():
    model = CSTS(**SIZE, embedding_width=4)
    loss = GazeAnticipation(model, contrast=Contrast()).idle()
    loss.backward()
    assert loss == 0
    assert all((p.grad == 0).all() for p in model.parameters())


def test_clips_without_sound_are_no_partners():
    seen, heard = numbers(4, 5), numbers(4, 5, seed=1)
    audible = torch.tensor([True, False, True, True])
    torch.testing.assert_close(
        Contrast()(seen, heard, audible).double(), contrastive_loss(seen[audible], heard[audible]), rtol=1e-5, atol=1e-6
    )
    assert Contrast()(seen, heard, torch.tensor([True, False, False, False])) == 0
    assert Contrast()(seen, heard, torch.zeros(4, dtype=torch.bool)) == 0


def test_a_model_that_hears_nothing_has_no_contrast_and_needs_no_sound():
    task = GazeAnticipation(CSTS(**SIZE, use_sound=False), contrast=Contrast())
    assert task.needs == {"video", "gaze"}
    deaf = replace(batch(), sound=None, sound_valid=None)
    assert task.loss(task.answer(deaf), deaf).keys() == {"loss"}


def test_a_model_without_embeddings_is_refused():
    with pytest.raises(RecipeError, match="CSTS, which embeds neither"):
        GazeAnticipation(CSTS(**SIZE, embedding_width=None), contrast=Contrast())
    with pytest.raises(RecipeError, match="MViTGaze, which embeds neither"):
        GazeAnticipation(MViTGaze(num_frames=2, size=(32, 32), width=8, depths=(1, 1, 1, 1)), contrast=Contrast())


class TwoTowers(nn.Module):
    """One layer for what is seen and one for what is heard."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.see, self.hear = nn.Linear(6, 4).double(), nn.Linear(5, 4).double()

    def loss(self, rows: slice) -> Tensor:
        """The contrastive loss of these clips and those of all other processes, in double precision."""
        if rows.start == rows.stop:
            nothing = sum(p.sum() for p in self.parameters()) * 0.0
            return contrastive_loss(*from_all_processes(nothing.expand(0, 0)).chunk(2, dim=1)) + nothing
        both = torch.cat([self.see(numbers(4, 6)[rows]), self.hear(numbers(4, 5, seed=1)[rows])], dim=1)
        return contrastive_loss(*from_all_processes(both).chunk(2, dim=1))


def one_of_two(rank: int, folder: str, shares: list[tuple[int, int]]) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = TwoTowers()
    loss = model.loss(slice(*shares[rank]))
    loss.backward()
    gradients = []
    for parameter in model.parameters():
        distributed.all_reduce(parameter.grad)
        gradients.append(parameter.grad / 2)
    torch.save({"loss": loss.detach(), "gradients": gradients}, Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("shares", [SHARES, [(0, 4), (4, 4)]], ids=["unequal", "one has nothing"])
def test_two_processes_have_the_loss_and_the_gradients_of_one_with_the_whole_batch(tmp_path: Path, shares):
    """The mean over processes of their gradients, which is what DistributedDataParallel takes."""
    multiprocessing.start_processes(one_of_two, (str(tmp_path), shares), nprocs=2, start_method="fork")
    whole = TwoTowers()
    loss = whole.loss(slice(0, 4))
    loss.backward()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(found["loss"], loss.detach())
        for gradient, parameter in zip(found["gradients"], whole.parameters(), strict=True):
            torch.testing.assert_close(gradient, parameter.grad)
