import pytest
import torch
from torch import Tensor, nn

from regard.errors import RecipeError
from regard.models.grad_cam import grad_cam
from regard.models.i3d import I3D


class Hand(nn.Module):
    """Class 0 of a picture is the mean of its first channel less twice that of the second; class 1 is the reverse."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Identity()
        self.unused = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        mean = self.features(image).mean(dim=(2, 3))
        return mean @ torch.tensor([[1.0, -1.0], [-2.0, 2.0]])


class Clip(nn.Module):
    """I3D and a classifier that answers in a tuple, as the models here do."""

    def __init__(self) -> None:
        super().__init__()
        self.i3d = I3D(3, width=4, depths=(1, 1, 1))
        self.classify = nn.Linear(64, 3)

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        last = self.i3d(video).last
        return self.classify(last.mean(dim=(2, 3, 4))), last


def test_places_are_weighed_as_by_hand() -> None:
    image = torch.tensor([[[[4.0, 0.0], [1.0, 3.0]], [[0.0, 1.0], [2.0, 1.0]]]])
    for_0 = grad_cam(Hand(), "features", {"image": image}, torch.tensor([0]))
    # the mean over 4 places: weights 1/4 and -2/4
    torch.testing.assert_close(for_0, torch.tensor([[[1.0, 0.0], [0.0, 0.25]]]))
    for_1 = grad_cam(Hand(), "features", {"image": image}, torch.tensor([1]))
    torch.testing.assert_close(for_1, torch.tensor([[[0.0, 0.5], [0.75, 0.0]]]))


def test_each_clip_has_its_own_class_and_a_map_over_time_and_space() -> None:
    torch.manual_seed(0)
    model, video = Clip().eval(), torch.randn(2, 16, 3, 64, 96)
    with torch.no_grad():
        model.classify.weight.abs_()
    both = grad_cam(model, "i3d.stages.2", {"video": video}, torch.tensor([2, 0]))
    assert both.shape == (2, 2, 2, 3)
    assert both.min() >= 0
    assert both.max() > 0
    alone = grad_cam(model, "i3d.stages.2", {"video": video[1:]}, torch.tensor([0]))
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-6)
    earlier = grad_cam(model, "i3d.third", {"video": video}, torch.tensor([2, 0]))
    assert earlier.shape == (2, 8, 16, 24)


def test_leaves_the_model_as_it_was() -> None:
    model, video = Clip().eval(), torch.randn(1, 8, 3, 32, 32)
    with torch.no_grad():
        before = model(video)[0]
    wanted = grad_cam(model, "i3d.stages.1.0", {"video": video}, torch.tensor([1]))
    for quiet in (torch.no_grad, torch.inference_mode):
        with quiet():
            found = grad_cam(model, "i3d.stages.1.0", {"video": video.clone()}, torch.tensor([1]))
            assert not torch.is_grad_enabled()
        torch.testing.assert_close(found, wanted)
    assert torch.is_grad_enabled()
    torch.testing.assert_close(model(video)[0].detach(), before)
    assert all(p.grad is None for p in model.parameters())


def test_a_layer_that_does_not_exist_or_does_not_run_is_explained() -> None:
    image = {"image": torch.zeros(1, 2, 2, 2)}
    with pytest.raises(RecipeError, match=r"(?s)no layer 'feature'.*the model has features, unused"):
        grad_cam(Hand(), "feature", image, torch.tensor([0]))
    with pytest.raises(RecipeError, match="ran 0 times"):
        grad_cam(Hand(), "unused", image, torch.tensor([0]))
    with pytest.raises(RecipeError, match=r"i3d\.stages has i3d\.stages\.0, "):
        grad_cam(Clip(), "i3d.stages.7", {"video": torch.zeros(1, 8, 3, 32, 32)}, torch.tensor([0]))
