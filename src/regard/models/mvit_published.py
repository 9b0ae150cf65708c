"""The published names of MViT's parts, and a start from the Kinetics checkpoint."""

import math
import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from regard.errors import WeightsError
from regard.models.mvit import Encoder, resample_space, resample_time
from regard.models.published import Rules, bare_state, load_published, published_names

BLOCK_RULES: Rules = (
    (r"\.attention_norm\.", ".norm1."),
    (r"\.mlp_norm\.", ".norm2."),
    (r"(decode_block\d)\.attention\.query\.", r"\1.attn.upsample_q."),
    (r"\.attention\.(q|k|v)(uery|ey|alue)\.", r".attn.pool_\1."),
    (r"\.attention\.(q|k|v)(uery|ey|alue)_norm\.", r".attn.norm_\1."),
    (r"\.attention\.merge\.", ".attn.proj."),
    (r"\.attention\.", ".attn."),
    (r"\.mlp\.widen\.", ".mlp.fc1."),
    (r"\.mlp\.narrow\.", ".mlp.fc2."),
    (r"\.change_width\.", ".proj."),
)
"""Inside a block: ours -> SlowFast's."""

DECODER_RULES: Rules = (
    *((rf"^decoder\.blocks\.{i}\.", f"decode_block{i + 1}.") for i in range(4)),
    (r"^decoder\.classifier\.", "classifier."),
)

PositionEmbeddings = Literal["2d", "published_1d"]
"""How a table made for another picture size is fitted: see `init_from_k400`."""

K400_UNUSED = re.compile(r"cls_token|pos_embed_class|norm\.|head\.")
"""What the Kinetics classifier has and no gaze model takes."""


def encoder_rules(ours: str, suffix: str = "") -> Rules:
    """An encoder's own names; `suffix` is what the published model adds to them, such as "_audio"."""
    return (
        (rf"^{ours}position\.space$", f"pos_embed_spatial{suffix}"),
        (rf"^{ours}position\.time$", f"pos_embed_temporal{suffix}"),
        (rf"^{ours}patches\.projection\.", f"patch_embed{suffix}.proj."),
        (rf"^{ours}blocks\.", f"blocks{suffix}."),
    )


K400_RULES: Rules = (*encoder_rules(""), *BLOCK_RULES)
"""An encoder by itself: ours -> the Kinetics classifier's."""


def init_from_k400(
    encoder: Encoder, checkpoint: Mapping[str, object], *, position_embeddings: PositionEmbeddings = "2d"
) -> None:
    """Start an encoder from SlowFast's MViT-B 16x4 (conv), trained on Kinetics-400.

    Takes the patch embedding, all blocks and the position tables, those of 56x56 cells and 8 moments brought to the
    encoder's own grid: "2d" bilinear over rows and columns; "published_1d" as CSTS and GLC did it, bilinear over the
    plane of (token, channel), which smears the end of one row into the beginning of the next. The class token and the
    classifier are left out. Queries, keys and values may be one layer or three. Raises WeightsError that lists every
    other name that is missing or left over.
    """
    where = "Kinetics-400 MViT-B"
    state = {n: v for n, v in bare_state(checkpoint, where=where).items() if not K400_UNUSED.match(n)}
    state = _with_joint_qkv(state)
    space, time = state.get("pos_embed_spatial"), state.get("pos_embed_temporal")
    if space is not None and time is not None:
        state["pos_embed_spatial"] = _fitted_space(space, encoder, position_embeddings)
        state["pos_embed_temporal"] = resample_time(time, encoder.position.grid.t)
    load_published(encoder, state, published_names(encoder, K400_RULES), where=where)


def _fitted_space(table: Tensor, encoder: Encoder, how: PositionEmbeddings) -> Tensor:
    _, h, w = encoder.position.grid
    if how == "published_1d":
        return functional.interpolate(table[:, None], (h * w, table.shape[-1]), mode="bilinear")[:, 0]
    side = math.isqrt(table.shape[1])
    if side * side != table.shape[1]:
        raise WeightsError(
            "pos_embed_spatial",
            found=f"a table of {table.shape[1]} cells",
            wanted="one of a square picture",
            do="choose position_embeddings='published_1d', which does not ask for rows",
        )
    return resample_space(table, (side, side), (h, w))


def _with_joint_qkv(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Newer checkpoints keep q, k and v apart; a name that lacks its two others stays, and is then left over."""
    joint = dict(state)
    for name in state:
        trio = [name.replace(".attn.q.", f".attn.{part}.") for part in "qkv"]
        if ".attn.q." in name and all(part in state for part in trio):
            joint[name.replace(".attn.q.", ".attn.qkv.")] = torch.cat([joint.pop(part) for part in trio])
    return joint
