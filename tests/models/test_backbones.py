import subprocess
import sys
import urllib.error
import warnings

import pytest
import torch
from torch import nn

from regard.models import backbones
from regard.models.backbones import MobileNetFeatures, RandomWeightsWarning, imagenet_model


def run_fresh(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_imports_and_runs_in_a_fresh_process_after_the_guard():
    said = run_fresh(
        """
import torch
from regard.models.backbones import ensure_torchvision
ensure_torchvision()
ensure_torchvision()
import torchvision
from torchvision.models import mobilenet_v3_large, resnet18
from torchvision.ops import FeaturePyramidNetwork
picture = torch.zeros(1, 3, 64, 64)
with torch.no_grad():
    print(*mobilenet_v3_large().eval()(picture).shape, *resnet18().eval()(picture).shape)
    print(*FeaturePyramidNetwork([8], 4)({"only": torch.zeros(1, 8, 5, 6)})["only"].shape)
"""
    )
    assert said.split() == ["1", "1000", "1", "1000", "1", "4", "5", "6"]


def test_lightning_and_torchmetrics_import_after_the_guard():
    said = run_fresh(
        """
from regard.models.backbones import ensure_torchvision
ensure_torchvision()
import lightning, torchmetrics, torchvision
print(lightning.Trainer.__name__)
"""
    )
    assert said.split() == ["Trainer"]


def test_the_guard_declares_nothing_where_the_operators_exist(monkeypatch):
    torchvision = sys.modules.pop("torchvision", None)
    library = None if hasattr(torch.ops.torchvision, "nms") else torch.library.Library("torchvision", "DEF")
    if library is not None:
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    monkeypatch.setattr(backbones, "_declared", [])
    backbones.ensure_torchvision()
    assert backbones._declared == []
    if torchvision is not None:
        sys.modules["torchvision"] = torchvision


@pytest.fixture
def offline(monkeypatch):
    def download(*_, **__):
        raise urllib.error.URLError("no network")

    backbones.ensure_torchvision()
    from torchvision.models import _api

    monkeypatch.setattr(_api, "load_state_dict_from_url", download)


def test_imagenet_weights_that_cannot_be_had_are_replaced_by_random_ones_with_a_warning(offline):
    with pytest.warns(RandomWeightsWarning, match="resnet18 starts from RANDOM weights.*no network"):
        imagenet_model("resnet18", weights="imagenet")


@pytest.fixture
def published(monkeypatch) -> tuple[nn.Module, dict]:
    """Something to download, and the options of the download."""
    model = imagenet_model("mobilenet_v3_small", weights="random")
    for buffer in model.buffers():
        buffer.random_(1, 3)
    asked = {}

    def download(_, **options):
        asked.update(options)
        return model.state_dict()

    from torchvision.models import _api

    monkeypatch.setattr(_api, "load_state_dict_from_url", download)
    return model, asked


def test_imagenet_weights_are_loaded_as_plain_tensors_with_their_hash_checked(published):
    model, asked = published
    loaded = imagenet_model("mobilenet_v3_small", weights="imagenet").state_dict()
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@torch.no_grad()
def test_imagenet_features_are_those_of_the_published_model(published):
    features = MobileNetFeatures("mobilenet_v3_small", weights="imagenet").train()
    image = torch.randn(2, 3, 64, 64)
    fine, coarse = features(image)
    blocks = published[0].eval().features
    torch.testing.assert_close(fine, blocks[:4](image))
    torch.testing.assert_close(coarse, blocks[:9](image))


def test_random_weights_are_silent_and_follow_the_seed():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.manual_seed(0)
        a = MobileNetFeatures("mobilenet_v3_small", weights="random")
    torch.manual_seed(0)
    b = MobileNetFeatures("mobilenet_v3_small", weights="random")
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(("name", "channels"), [("mobilenet_v3_small", (24, 48)), ("mobilenet_v3_large", (40, 112))])
def test_feature_maps_lie_at_strides_8_and_16_also_for_odd_sizes(name, channels):
    features = MobileNetFeatures(name, weights="random")
    fine, coarse = features(torch.randn(2, 3, 90, 131))
    assert fine.shape == (2, channels[0], 12, 17)
    assert coarse.shape == (2, channels[1], 6, 9)


def test_without_imagenet_weights_the_constants_still_fit_pictures_with_structure(offline):
    torch.manual_seed(0)
    with pytest.warns(RandomWeightsWarning):
        features = MobileNetFeatures("mobilenet_v3_small", weights="imagenet")
    image = torch.nn.functional.interpolate(torch.randn(4, 3, 12, 16), (96, 128), mode="bilinear")
    for maps in features(image):
        assert 0.1 < maps.std() < 10


@pytest.mark.parametrize("weights", ["random", "imagenet"])
def test_training_leaves_constants_alone_and_a_frame_does_not_feel_its_neighbours(weights, published):
    features = MobileNetFeatures("mobilenet_v3_small", weights=weights).train()
    before = {name: value.clone() for name, value in features.named_buffers()}
    images = torch.randn(3, 3, 64, 64)
    together = features(images)[1]
    changed = images.clone()
    changed[1:] = 7.0
    assert torch.equal(together[0], features(changed)[1][0])
    assert all(torch.equal(before[name], value) for name, value in features.named_buffers())
