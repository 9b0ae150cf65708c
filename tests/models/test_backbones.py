import subprocess
import sys
import urllib.error
import warnings

import pytest
import torch

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


def test_imagenet_weights_that_cannot_be_had_are_replaced_by_random_ones_with_a_warning(monkeypatch):
    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    backbones.ensure_torchvision()
    from torchvision.models import _api

    monkeypatch.setattr(_api, "load_state_dict_from_url", offline)
    with pytest.warns(RandomWeightsWarning, match="mobilenet_v3_small starts from RANDOM weights.*no network"):
        imagenet_model("mobilenet_v3_small", weights="imagenet")


def test_imagenet_weights_are_loaded_as_plain_tensors_with_their_hash_checked(monkeypatch):
    published = imagenet_model("resnet18", weights="random").state_dict()
    asked = {}

    def download(url, **options):
        asked.update(options)
        return published

    from torchvision.models import _api

    monkeypatch.setattr(_api, "load_state_dict_from_url", download)
    loaded = imagenet_model("resnet18", weights="imagenet").state_dict()
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    assert all(torch.equal(loaded[name], published[name]) for name in published)


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


def test_calibrated_random_features_have_unit_scale_on_pictures_with_structure():
    torch.manual_seed(0)
    features = MobileNetFeatures("mobilenet_v3_small", weights="random")
    image = torch.nn.functional.interpolate(torch.randn(4, 3, 12, 16), (96, 128), mode="bilinear")
    for maps in features(image):
        assert 0.1 < maps.std() < 10


def test_training_leaves_the_statistics_alone_and_a_frame_does_not_feel_its_neighbours():
    torch.manual_seed(0)
    features = MobileNetFeatures("mobilenet_v3_small", weights="random").train()
    before = {name: value.clone() for name, value in features.named_buffers()}
    images = torch.randn(3, 3, 64, 64)
    together = features(images)[1]
    changed = images.clone()
    changed[1:] = 7.0
    assert torch.equal(together[0], features(changed)[1][0])
    assert all(torch.equal(before[name], value) for name, value in features.named_buffers())
