"""GLC and CSTS written down plainly, as the papers and the published code compute them: the oracle of the fast forms.

Everything is computed everywhere: queries, keys and values in one layer over all tokens, heads folded into the batch
for depthwise convolutions over contiguous volumes, attention as matrices with -1e8 where it may not look, the MLP at
once, the classifier last. Weights are a dict under the published names; shapes say the rest.
"""

from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]
HIDDEN = -1e8


def plain_csts(s: State, video: Tensor, sound: Tensor) -> Tensor:
    """From (b, t, 3, h, w) and (b, t, f, k) to logits (b, t, h / 4, w / 4)."""
    placed, kept, thw = encode(s, "", embed(s, "", video), None)
    _, heard, heard_thw = encode(s, "_audio", embed(s, "_audio", sound[:, :, None]), None)
    x, y, (t, h, w) = kept[-1], heard[-1], thw

    def summed(name: str, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
        volume = tokens.transpose(1, 2).unflatten(2, grid)
        return functional.conv3d(volume, s[f"{name}.weight"], s[f"{name}.bias"]).flatten(2).transpose(1, 2)

    frame = torch.cat([torch.arange(t).repeat_interleave(h * w), torch.arange(t)])
    mask = (frame[:, None] != frame).to(x.dtype) * HIDDEN
    space = torch.cat([x, summed("audio_pool", y, heard_thw)], dim=1)
    space = block(s, "spatial_fusion", space, (t, h, w), heads=8, mask=mask)[0][:, : t * h * w]
    time = torch.cat([summed("vision_pool", x, thw), summed("audio_pool2", y, heard_thw)], dim=1)
    time = block(s, "temporal_fusion", time, (2 * t, 1, 1), heads=8)[0]
    fused = space * time[:, :t].repeat_interleave(h * w, dim=1)
    return decode(s, fused, thw, kept, placed)


def plain_glc(s: State, video: Tensor) -> Tensor:
    """From (b, t, 3, h, w) to logits (b, t, h / 4, w / 4)."""
    patches = embed(s, "", video)
    x = patches
    for i in range(3):
        bn = f"global_embed.bn_{i}"
        x = functional.batch_norm(
            x, s[f"{bn}.running_mean"], s[f"{bn}.running_var"], s[f"{bn}.weight"], s[f"{bn}.bias"], eps=1e-5
        )
        conv = f"global_embed.proj_{i + 1}"
        x = functional.conv3d(x.relu(), s[f"{conv}.weight"], s[f"{conv}.bias"], stride=(1, 2, 2), padding=1)
    token = linear(s, "global_embed.linear", x.flatten(1))[:, None]
    placed, kept, thw = encode(s, "", patches, token)
    n = kept[-1].shape[1]
    mask = torch.full((n, n), HIDDEN, dtype=token.dtype).fill_diagonal_(0)
    mask[:, 0] = 0
    fused = block(s, "global_fuse", kept[-1], thw, stride=1, mask=mask)[0]
    both = norm(s, "norm", torch.cat([kept[-1], fused], dim=2), 1e-6)
    return decode(s, both, thw, kept, placed)


def embed(s: State, suffix: str, clip: Tensor) -> Tensor:
    name = f"patch_embed{suffix}.proj"
    return functional.conv3d(
        clip.transpose(1, 2), s[f"{name}.weight"], s[f"{name}.bias"], stride=(2, 4, 4), padding=(1, 3, 3)
    )


def encode(s: State, suffix: str, patches: Tensor, token: Tensor | None) -> tuple[Tensor, list[Tensor], tuple]:
    """The placed patches as a volume, the tokens at the end of each stage, and the last grid."""
    thw = tuple(patches.shape[2:])
    space = s[f"pos_embed_spatial{suffix}"].repeat(1, thw[0], 1)
    time = s[f"pos_embed_temporal{suffix}"].repeat_interleave(thw[1] * thw[2], dim=1)
    x = patches.flatten(2).transpose(1, 2) + space + time
    placed = x.transpose(1, 2).unflatten(2, thw)
    x = x if token is None else torch.cat([token, x], dim=1)
    kept, stride = [], 8
    for i in count():
        name = f"blocks{suffix}.{i}"
        if f"{name}.norm1.weight" not in s:
            return placed, [*kept, x], thw
        if f"{name}.attn.pool_q.weight" in s:
            kept.append(x)
            stride //= 2
        x, thw = block(s, name, x, thw, q_stride=(1, 2, 2), stride=stride)
    raise AssertionError


def decode(s: State, x: Tensor, thw: tuple, kept: list[Tensor], placed: Tensor) -> Tensor:
    for i, stride in enumerate((2, 4, 8, 16), start=1):
        x, thw = block(s, f"decode_block{i}", x, thw, q_stride=(2, 1, 1) if i == 4 else (1, 2, 2), stride=stride)
        if i < 4:
            x = x + kept[3 - i]
    cells = x[:, -thw[0] * thw[1] * thw[2] :].transpose(1, 2).unflatten(2, thw)
    cells = cells + functional.interpolate(placed, scale_factor=(2, 1, 1), mode="trilinear")
    return functional.conv3d(cells, s["classifier.weight"].view(1, -1, 1, 1, 1), s["classifier.bias"])[:, 0]


def block(s, name, x, thw, *, q_stride=(1, 1, 1), stride=None, heads=None, mask=0.0):
    """One block; the grid it leads to is that of the queries."""
    pooled, upsampled = f"{name}.attn.pool_q.weight" in s, f"{name}.attn.upsample_q.weight" in s
    heads = heads or x.shape[2] // len(s[f"{name}.attn.norm_k.weight"])
    n = norm(s, f"{name}.norm1", x, 1e-6)
    q, k, v = linear(s, f"{name}.attn.qkv", n).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    new = thw
    if pooled:
        q, new = on_cells(s, f"{name}.attn.pool_q.weight", q, thw, q_stride)
        q = norm(s, f"{name}.attn.norm_q", q, 1e-5)
    elif upsampled:
        q, new = on_cells(s, f"{name}.attn.upsample_q.weight", q, thw, q_stride, transposed=True)
        q = norm(s, f"{name}.attn.norm_q", q, 1e-5)
    if stride is not None:
        k, _ = on_cells(s, f"{name}.attn.pool_k.weight", k, thw, (1, stride, stride))
        v, _ = on_cells(s, f"{name}.attn.pool_v.weight", v, thw, (1, stride, stride))
        k, v = norm(s, f"{name}.attn.norm_k", k, 1e-5), norm(s, f"{name}.attn.norm_v", v, 1e-5)
    shares = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + mask).softmax(dim=-1)
    attended = linear(s, f"{name}.attn.proj", (shares @ v).transpose(1, 2).flatten(2))
    x = skip(x, thw, q_stride, transposed=upsampled) + attended if new != thw else x + attended
    n = norm(s, f"{name}.norm2", x, 1e-6)
    past = linear(s, f"{name}.proj", n) if f"{name}.proj.weight" in s else x
    hidden = functional.gelu(linear(s, f"{name}.mlp.fc1", n))
    return past + linear(s, f"{name}.mlp.fc2", hidden), new


def on_cells(s, weight, x, thw, stride, *, transposed=False):
    """A depthwise convolution of (b, heads, n, c), any global token left as it is; and the new grid."""
    lead, cells = x.split([x.shape[2] - thw[0] * thw[1] * thw[2], thw[0] * thw[1] * thw[2]], dim=2)
    volume = cells.flatten(0, 1).transpose(1, 2).unflatten(2, thw).contiguous()
    if transposed:
        more = tuple(n - 1 for n in stride)
        volume = functional.conv_transpose3d(
            volume, s[weight], stride=stride, padding=1, output_padding=more, groups=len(s[weight])
        )
    else:
        volume = functional.conv3d(volume, s[weight], stride=stride, padding=1, groups=len(s[weight]))
    cells = volume.flatten(2).transpose(1, 2).unflatten(0, x.shape[:2])
    return torch.cat([lead, cells], dim=2), tuple(volume.shape[2:])


def skip(x, thw, stride, *, transposed):
    lead, cells = x.split([x.shape[1] - thw[0] * thw[1] * thw[2], thw[0] * thw[1] * thw[2]], dim=1)
    volume = cells.transpose(1, 2).unflatten(2, thw)
    if transposed:
        volume = functional.interpolate(volume, scale_factor=tuple(map(float, stride)), mode="trilinear")
    else:
        volume = functional.max_pool3d(volume, (1, 3, 3), stride=stride, padding=(0, 1, 1))
    return torch.cat([lead, volume.flatten(2).transpose(1, 2)], dim=1)


def linear(s, name, x):
    return functional.linear(x, s[f"{name}.weight"], s[f"{name}.bias"])


def norm(s, name, x, eps):
    return functional.layer_norm(x, x.shape[-1:], s[f"{name}.weight"], s[f"{name}.bias"], eps)
