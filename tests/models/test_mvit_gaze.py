"""MViT with the gaze decoder alone: the parts of GLC and CSTS that see, and no others."""

import torch

from regard.models import CSTS, GLC, MViTGaze
from regard.ops.sound import SILENCE

SMALL = {"num_frames": 4, "size": (32, 64), "width": 8, "depths": (1, 1, 1, 1), "drop_path": 0.0}


def video(n: int = 2) -> torch.Tensor:
    return torch.randn(n, 4, 3, 32, 64, generator=torch.Generator().manual_seed(0))


def test_it_is_csts_without_what_hears():
    """Every other part of CSTS hears, or brings in what was heard."""
    own, both = (m.state_dict() for m in (MViTGaze(**SMALL), CSTS(**SMALL, sound_size=(32, 32))))
    renamed = {name.replace("encoder.", "video_encoder.", 1): value.shape for name, value in own.items()}
    assert all(both[name].shape == shape for name, shape in renamed.items())
    assert {name.split(".")[0] for name in both.keys() - renamed.keys()} == {
        *("sound_encoder", "space_sound_pool", "time_sound_pool", "time_video_pool"),
        *("fusion_in_space", "fusion_in_time", "video_embedding", "sound_embedding"),
    }


def test_the_published_size_is_the_encoders_and_the_decoders():
    """Blocks 35,957,088, patches and positions 436,032, decoder 12,950,593."""
    with torch.device("meta"):
        count = {m: sum(p.numel() for p in m().parameters()) for m in (MViTGaze, GLC)}
    assert count[MViTGaze] == 35_957_088 + 436_032 + 12_950_593
    assert count[MViTGaze] < count[GLC] == 70_181_857


def test_loss_falls_on_two_clips():
    torch.manual_seed(0)
    model = MViTGaze(**SMALL)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    target = torch.tensor([3, 100])[:, None].expand(2, 4)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(model(video()).flatten(2).transpose(1, 2), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_csts_that_does_not_use_sound_hears_silence_whatever_there_is():
    torch.manual_seed(0)
    deaf = CSTS(**SMALL, sound_size=(32, 32), use_sound=False).eval()
    sound, valid = torch.randn(2, 4, 32, 32), torch.ones(2, 4, dtype=torch.bool)
    assert torch.equal(deaf(video(), sound, valid), deaf(video()))
    assert deaf.ignores == {"sound", "sound_valid"}
    assert deaf.embedded(video()).sound_embedding is None
    hearing = CSTS(**SMALL, sound_size=(32, 32), embedding_width=None).eval()
    hearing.load_state_dict(deaf.state_dict())
    silence = torch.full_like(sound, SILENCE)
    assert torch.equal(hearing(video(), silence), deaf(video()))
    assert not torch.equal(hearing(video(), sound), deaf(video()))
    assert hearing.ignores == frozenset()
