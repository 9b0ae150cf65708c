"""In which order clips are visited, and by which process."""

import numpy as np
import torch

from regard.clips.order import EpochOrder, RankBatches, balancing, generator_for


def test_two_processes_see_together_what_one_sees_alone():
    def batches(rank: int, world_size: int, *, drop_last: bool) -> list[list[int]]:
        order = EpochOrder(22, shuffle=True, seed=1)
        order.set_epoch(3)
        part = RankBatches(order, batch_size=4, drop_last=drop_last, rank=rank, world_size=world_size)
        got = [[i for _, i in batch] for batch in part]
        assert len(got) == len(part)
        return got

    alone, parts = batches(0, 1, drop_last=True), [batches(r, 2, drop_last=True) for r in range(2)]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == [sorted(x) for x in alone]
    shared = [i for r in range(4) for batch in batches(r, 4, drop_last=False) for i in batch]
    assert sorted(shared) == list(range(22))


def test_the_order_changes_with_the_epoch_and_not_with_the_process():
    order = EpochOrder(100, shuffle=True, seed=1)
    first = list(order)
    order.set_epoch(1)
    assert [i for _, i in order] != [i for _, i in first]
    assert sorted(i for _, i in order) == list(range(100))
    assert list(EpochOrder(100, shuffle=True, seed=1)) == first
    assert [i for _, i in EpochOrder(3, shuffle=False, seed=1)] == [0, 1, 2]


def test_neighbouring_seeds_give_unrelated_streams():
    draws = torch.stack([torch.rand(200, generator=generator_for(1, 0, i)) for i in range(50)])
    off_diagonal = torch.corrcoef(draws) - torch.eye(50)
    assert off_diagonal.abs().max() < 0.35


def test_every_class_is_drawn_as_often_as_any_other():
    label = np.array([0] * 90 + [4] * 9 + [7])
    order = EpochOrder(100, shuffle=True, seed=0, weights=balancing(label))
    drawn = np.concatenate([[i for _, i in epoch_of(order, e)] for e in range(60)])
    assert len(drawn) == 6000
    np.testing.assert_allclose(np.bincount(label[drawn], minlength=8)[[0, 4, 7]] / 6000, 1 / 3, atol=0.03)
    assert epoch_of(order, 3) == epoch_of(order, 3)
    assert epoch_of(order, 3) != epoch_of(order, 4)


def epoch_of(order: EpochOrder, epoch: int) -> list[tuple[int, int]]:
    order.set_epoch(epoch)
    return list(order)
