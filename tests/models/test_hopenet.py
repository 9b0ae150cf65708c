import pytest
import torch
from face_golden import assert_loss_and_gradients, noise
from gaze_golden import assert_close_to_largest
from torch.nn import functional

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.hopenet import PUBLISHED_RULES, Hopenet


def test_the_model_and_its_gradients_are_the_published_ones() -> None:
    """The first layer's gradient to 1e-4: with channels last it is 6e-5 off; in rows, or in float64, 3e-6 and 1e-6."""
    golden = Golden.read("lam_hopenet")
    model = Hopenet.from_published(golden.state()).eval()
    answer = model(noise("face", 2, 3, 224, 224))
    for i, axis in enumerate(("yaw", "pitch", "roll")):
        assert_close_to_largest(answer.logits[:, i], golden.arrays[f"{axis}_logits"])
    assert_close_to_largest(answer.angle_deg, golden.arrays["degrees"])
    bins = torch.tensor([[20, 33, 40], [33, 30, 36]])
    angle_deg = torch.tensor([[-38.5, 1.0, 22.25], [0.5, -8.0, 10.0]])
    loss = sum(
        functional.cross_entropy(answer.logits[:, i], bins[:, i])
        + functional.mse_loss(answer.angle_deg[:, i], angle_deg[:, i])
        for i in range(3)
    )
    assert_loss_and_gradients(golden, model, torch.as_tensor(loss), PUBLISHED_RULES, first=1e-4)
    unread = 3 * 2051 + 3
    assert sum(p.numel() for p in model.parameters()) + unread == golden.about["n_parameters"]


def test_an_old_file_and_one_without_the_layer_that_nothing_reads_are_read_and_a_wrong_one_is_explained() -> None:
    state = {n: torch.zeros(s) for n, s in Golden.read("lam_hopenet").about["params"]}
    old = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked") and "finetune" not in n}
    assert Hopenet.from_published(old).maps.get_buffer("bn1.num_batches_tracked") == 0
    with pytest.raises(WeightsError, match=r"missing fc_yaw\.bias; left over fc\.bias"):
        Hopenet.from_published({"fc.bias" if n == "fc_yaw.bias" else n: v for n, v in state.items()})
