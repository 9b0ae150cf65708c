import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, filled, golden_input
from regard.batch import Sample
from regard.errors import RecipeError, WeightsError
from regard.models.backbones import RandomWeightsWarning
from regard.models.egohar import PUBLISHED_RULES, EgoHAR, EgoHARState, sinusoids
from regard.models.published import published_names
from regard.ops.action_losses import published_attention_kl, published_gaze_heat
from regard.transforms import Normalise
from regard.types import Clip, MediaStream, Recording

SMALL = {"actions": 5, "verbs": 3, "nouns": 4, "num_frames": 4, "size": (64, 96), "backbone": "resnet18"}
SMALL |= {"weights": "random", "channels": 6, "width": 16, "hidden": 8}
GRADIENT = 1e-3
"""The stored gradient norms are float32 sums and up to 5e-5 off."""


@pytest.fixture(scope="module")
def published() -> EgoHAR:
    """The published model with the golden rule's weights."""
    reader = Golden.read("ego_transformer")
    transformer = reader.state() | {"pos_encoder.pe": torch.from_numpy(reader.arrays["pe"])}
    checkpoint = {
        "epoch": 3,
        "feature_encoder_state_dict": Golden.read("ego_feature_encoder").state(),
        "transformer_classifier_state_dict": transformer,
        "train_accuracy": 0.5,
    }
    return EgoHAR.from_published(checkpoint).eval()


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def assert_norms_match(model: EgoHAR, wanted: Mapping[str, float], prefix: str = "") -> None:
    names, own = published_names(model, PUBLISHED_RULES), dict(model.named_parameters())
    for name, norm in wanted.items():
        assert own[names[prefix + name]].grad.norm().item() == pytest.approx(norm, rel=GRADIENT), name
    model.zero_grad()


def assert_encoder_loss_matches(model: EgoHAR, answer: tuple[Tensor, ...], golden: Golden) -> None:
    seen, attention, verb, noun = answer
    loss = functional.cross_entropy(verb, torch.tensor([3, 11])) + functional.cross_entropy(noun, torch.tensor([50, 0]))
    loss = loss + attention.mean() + seen.mean()
    loss.backward()
    (wanted,) = golden.about["losses"].values()
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    assert_norms_match(model, golden.about["grad_norms"], "encoder.")


def small(seed: int = 0, **changed) -> EgoHAR:
    torch.manual_seed(seed)
    return EgoHAR(**SMALL | changed).eval()


def small_clip(b: int = 2, t: int = 4) -> Tensor:
    return torch.randn(b, t, 3, 64, 96, generator=torch.Generator().manual_seed(b + t))


def test_a_whole_clip_its_four_losses_and_their_gradients_are_the_published_ones(published: EgoHAR) -> None:
    """But for the gradient of the trunk, which takes long on sixteen pictures: the next test follows it on two."""
    golden = Golden.read("ego_full_clip")
    seen, trunk = [], published.frames.trunk.requires_grad_(False)
    published.frames.norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach().relu()))
    answer = published(drawn("ego_clip", 1, 16, 3, 224, 224))
    for found, name in zip(
        (answer.action, answer.verb[0], answer.noun[0], answer.attention[0, :, None], seen[0]),
        ("logits", "verb_logits", "noun_logits", "attention", "features_out"),
        strict=True,
    ):
        assert_close_to_largest(found, golden.arrays[name])
    gaze = torch.from_numpy(golden_input("ego_gaze").random((16, 2)).astype(np.float32))
    gaze[3] = 0
    heat = published_gaze_heat(gaze)
    np.testing.assert_allclose(heat, golden.arrays["heatmap"], atol=1e-6)
    losses = {
        "cls (label 42)": functional.cross_entropy(answer.action, torch.tensor([42])),
        "verb (7, per frame)": functional.cross_entropy(answer.verb[0], torch.full((16,), 7)),
        "noun (21, per frame)": functional.cross_entropy(answer.noun[0], torch.full((16,), 21)),
        "gaze KL batchmean over B=1 (sums the T frames)": published_attention_kl(answer.attention, heat[None]).mean(),
    }
    total = torch.stack(list(losses.values())).sum()
    found = {name: loss.item() for name, loss in losses.items()} | {"total": total.item()}
    assert found == pytest.approx(golden.about["losses"], rel=2e-6)
    total.backward()
    norms = golden.about["grad_norms"]
    assert_norms_match(published, {name: norms[name] for name in norms if name != "encoder.features.0.weight"})
    trunk.requires_grad_()


def test_features_of_pictures_and_their_gradients_are_the_published_ones(published: EgoHAR) -> None:
    golden = Golden.read("ego_feature_encoder")
    features = published.frames.trunk(drawn("ego_images", 2, 3, 224, 224))
    assert_close_to_largest(features.flatten()[::3], golden.arrays["features"])
    seen, attention, verb, noun = published.frames.head(features)
    assert_close_to_largest(seen, golden.arrays["out"])
    assert_close_to_largest(attention[:, None], golden.arrays["attention_map"])
    assert_close_to_largest(verb, golden.arrays["verb_logits"])
    assert_close_to_largest(noun, golden.arrays["noun_logits"])
    assert_encoder_loss_matches(published, (seen, attention, verb, noun), golden)


def test_the_encoders_head_and_its_gradients_are_the_published_ones(published: EgoHAR) -> None:
    golden = Golden.read("ego_encoder_head")
    seen, attention, verb, noun = published.frames.head(drawn("ego_trunk_features", 2, 2048, 7, 7))
    assert_close_to_largest(seen, golden.arrays["out"])
    assert_close_to_largest(attention[:, None], golden.arrays["attention_map"])
    assert_close_to_largest(verb, golden.arrays["verb_logits"])
    assert_close_to_largest(noun, golden.arrays["noun_logits"])
    assert_encoder_loss_matches(published, (seen, attention, verb, noun), golden)


def test_the_transformer_and_its_gradients_are_the_published_ones(published: EgoHAR) -> None:
    golden = Golden.read("ego_transformer")
    logits = published.reader(published.project(drawn("ego_feats", 2, 16, 4900)).relu())
    assert_close_to_largest(logits, golden.arrays["logits"])
    with torch.no_grad():
        shorter = published.reader(published.project(drawn("ego_feats_t7", 1, 7, 4900)).relu())
    assert_close_to_largest(shorter, golden.arrays["logits_t7"])
    loss = functional.cross_entropy(logits, torch.tensor([0, 105]))
    loss.backward()
    (wanted,) = golden.about["losses"].values()
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    assert_norms_match(published, golden.about["grad_norms"], "transformer.")


def test_pictures_are_normalised_as_published() -> None:
    pixels = torch.from_numpy(golden_input("ego_u8").integers(0, 256, (2, 8, 9, 3)).astype(np.uint8))
    film = Recording(id="film", subject="nobody", video=MediaStream(path=Path("film.mp4")))
    clip = Clip(recording=film, frame_s=np.arange(2.0), gaze_s=np.arange(2.0))
    sample = Normalise()(Sample(clip=clip, video=pixels.permute(0, 3, 1, 2)), generator=torch.Generator())
    assert sample.video is not None
    assert_close_to_largest(sample.video, Golden.read("ego_transform").arrays["transformed"])


def test_positions_are_the_published_ones() -> None:
    np.testing.assert_allclose(sinusoids(16, 512), Golden.read("ego_transformer").arrays["pe"], atol=2e-6)
    assert sinusoids(3, 5).shape == (1, 3, 5)


def test_has_the_published_weights() -> None:
    with torch.device("meta"):
        model = EgoHAR(weights="random")
    listed = [f"encoder.{name}" for name, _ in Golden.read("ego_feature_encoder").about["params"]]
    listed += [f"transformer.{name}" for name, _ in Golden.read("ego_transformer").about["params"]]
    assert sorted(published_names(model, PUBLISHED_RULES)) == sorted(listed)
    assert sum(p.numel() for p in model.parameters()) == 58_498_485 + 3_823_566


@torch.no_grad()
def test_frame_by_frame_equals_the_last_frames_as_a_clip() -> None:
    model, film = small(), small_clip(t=7)
    state = model.begin(len(film))
    for i in range(7):
        answer, state = model.step(film[:, i], state)
        wanted = model(film[:, max(0, i - 3) : i + 1])
        for found, at_once in zip(answer, wanted, strict=True):
            torch.testing.assert_close(found, at_once, rtol=1e-5, atol=1e-5)
    assert all(part.shape[1] == 4 for part in state)
    assert isinstance(state, EgoHARState)


@torch.no_grad()
def test_a_frame_that_is_not_valid_changes_nothing() -> None:
    model, clip = small(), small_clip()
    valid = torch.tensor([[True, True, True, True], [True, True, False, False]])
    answer = model(clip, frame_valid=valid)
    changed = clip.clone()
    changed[1, 2:] = torch.nan
    for one, other in zip(answer, model(changed, frame_valid=valid), strict=True):
        torch.testing.assert_close(one, other)
    short = model(clip[1:, :2])
    torch.testing.assert_close(answer.action[1:], short.action, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(answer.attention[1:, :2], short.attention, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_an_attention_that_is_given_is_looked_through_in_place_of_the_models_own() -> None:
    model, clip = small(), small_clip()
    own = model(clip)
    same = model(clip, attention=own.attention)
    torch.testing.assert_close(same.action, own.action, rtol=1e-4, atol=1e-5)
    other = model(clip, attention=torch.rand_like(own.attention))
    assert not torch.allclose(other.action, own.action, atol=1e-5)
    for found, wanted in zip(other[1:], own[1:], strict=True):
        torch.testing.assert_close(found, wanted)


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_takes_other_backbones(backbone: str) -> None:
    answer = small(backbone=backbone, size=(32, 64))(torch.randn(1, 2, 3, 32, 64))
    assert [part.shape for part in answer] == [(1, 5), (1, 2, 3), (1, 2, 4), (1, 2, 1, 2)]


@torch.no_grad()
def test_without_the_last_stage_attention_is_finer() -> None:
    model = small(stages=3, size=(48, 96))
    assert model(torch.randn(1, 4, 3, 48, 96)).attention.shape == (1, 4, *model.grid) == (1, 4, 3, 6)


@pytest.mark.parametrize("shape", [(5, 64, 96), (0, 64, 96), (4, 64, 64), (4, 96, 64)])
def test_a_clip_of_another_length_or_size_is_explained(shape: tuple[int, int, int]) -> None:
    t, h, w = shape
    with pytest.raises(RecipeError, match=rf"(?s){t} frames of {h}x{w}.*wanted: 1 to 4 frames of 64x96"):
        small()(torch.zeros(1, t, 3, h, w))


def test_a_frame_of_another_size_and_a_size_that_cannot_be_halved_are_explained() -> None:
    with pytest.raises(RecipeError, match="1 frames of 32x32"):
        small().step(torch.zeros(1, 3, 32, 32), small().begin())
    with pytest.raises(RecipeError, match="multiples of 32"):
        small(size=(64, 100))
    with pytest.raises(RecipeError, match="multiples of 16"):
        small(size=(0, 96), stages=3)


def test_a_checkpoint_that_lacks_a_part_or_has_other_names_is_explained() -> None:
    encoder = {
        name: torch.empty(shape, device="meta") for name, shape in Golden.read("ego_feature_encoder").about["params"]
    }
    reader = {name: filled(name, shape) for name, shape in Golden.read("ego_transformer").about["params"]}
    with pytest.raises(
        WeightsError, match=r"(?s)a checkpoint of feature_encoder_state_dict.*transformer_classifier_state_dict"
    ):
        EgoHAR.from_published({"feature_encoder_state_dict": encoder})
    with pytest.raises(WeightsError, match="a checkpoint of nothing"):
        EgoHAR.from_published({})
    without = {n: v for n, v in encoder.items() if n != "attention_conv.bias"}
    with pytest.raises(
        WeightsError, match=r"missing encoder\.attention_conv\.bias; left over transformer\.head\.weight"
    ):
        EgoHAR.from_published(
            {
                "feature_encoder_state_dict": without,
                "transformer_classifier_state_dict": reader | {"head.weight": torch.zeros(2)},
            }
        )


def test_absent_imagenet_weights_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models.ResNet18_Weights.get_state_dict", no_network)
    with pytest.warns(RandomWeightsWarning, match="resnet18 starts from RANDOM weights"):
        small(weights="imagenet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(weights="random")


def test_learns_two_clips_by_heart() -> None:
    model = small(dropout=0.0, size=(32, 64)).train()
    clip, label = small_clip()[..., :32, :64], torch.tensor([3, 1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        answer = model(clip)
        loss = functional.cross_entropy(answer.action, label)
        loss = loss + functional.cross_entropy(answer.verb.flatten(0, 1), torch.tensor([0] * 4 + [2] * 4))
        loss = loss + functional.cross_entropy(answer.noun.flatten(0, 1), torch.tensor([1] * 4 + [3] * 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
