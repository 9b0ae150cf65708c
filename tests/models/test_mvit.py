import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, golden_input
from regard.errors import WeightsError
from regard.models import mvit
from regard.models.glc import GLC
from regard.models.mvit import Block, Encoder, PositionEmbedding, resample_space, resample_time
from regard.models.mvit_attention import (
    CellEnlarge,
    CellPool,
    Grid,
    PoolingAttention,
    Tokens,
    depthwise,
    read_cells,
    softmax_attention,
    twice_in_time,
)
from regard.models.mvit_published import K400_RULES, init_from_k400
from regard.models.published import published_names


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def volume(cells: Tensor) -> Tensor:
    return cells.permute(0, 4, 1, 2, 3).contiguous()


@given(
    h=st.integers(1, 20),
    w=st.integers(1, 20),
    stride=st.sampled_from([1, 2, 3, 4, 8, 16]),
    leading=st.integers(0, 2),
)
def test_pooling_the_read_cells_equals_pooling_all(h: int, w: int, stride: int, leading: int) -> None:
    grid = Grid(2, h, w)
    tokens = Tokens(random(2, leading + 2 * h * w, 3), grid)
    weight = random(3, 1, 3, 3, 3)
    everything = functional.conv3d(volume(tokens.cells), weight, stride=(1, stride, stride), padding=1, groups=3)
    read = read_cells(tokens, stride=stride)
    pooled = depthwise(read.cells, weight, stride=min(stride, 3))
    torch.testing.assert_close(volume(pooled), everything)
    assert read.num_global == leading
    assert read.values[:, :leading].equal(tokens.values[:, :leading])


def test_reads_a_seventh_of_the_cells_for_stride_8() -> None:
    read = read_cells(Tokens(random(1, 4 * 64 * 64, 1), Grid(4, 64, 64)), stride=8)
    # Three rows round every eighth, without the one above the first: 8 * 3 - 1.
    assert read.grid == Grid(4, 23, 23)


@pytest.mark.parametrize("times", [Grid(1, 2, 2), Grid(2, 1, 1), Grid(2, 2, 2)])
def test_enlarging_equals_the_transposed_convolution_of_each_head(times: Grid) -> None:
    enlarge = CellEnlarge(3, times=times).double()
    cells = random(2, 3, 4, 5, 6)
    heads = volume(cells).unflatten(1, (2, 3)).flatten(0, 1)
    more = tuple(n - 1 for n in times)
    plain = functional.conv_transpose3d(
        heads, enlarge.weight, stride=tuple(times), padding=1, output_padding=more, groups=3
    )
    torch.testing.assert_close(volume(enlarge(cells)), plain.unflatten(0, (2, 2)).flatten(1, 2))


@pytest.mark.parametrize("times", [Grid(1, 2, 2), Grid(2, 1, 1)])
def test_the_way_past_an_enlarging_attention_is_linear_interpolation(times: Grid) -> None:
    cells = random(2, 3, 4, 5, 6)
    plain = functional.interpolate(volume(cells), scale_factor=tuple(map(float, times)), mode="trilinear")
    torch.testing.assert_close(volume(CellEnlarge(3, times=times).skip(cells)), plain)


def test_the_way_past_a_pooling_attention_is_the_largest_of_each_window() -> None:
    cells = random(2, 3, 6, 4, 5)
    plain = functional.max_pool3d(volume(cells), (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    assert volume(CellPool(5, stride=2).skip(cells)).equal(plain)
    assert CellPool(5, stride=1).skip(cells) is cells


def test_twice_in_time_worked_by_hand() -> None:
    # Each moment becomes one a quarter towards the moment before and one a quarter towards the moment after.
    twice = twice_in_time(torch.tensor([[[0.0], [4.0], [8.0]]]))
    assert twice.flatten().tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]


def test_attention_in_bfloat16_equals_the_fused_one() -> None:
    q, k, v = (random(2, 3, n, 8).bfloat16() for n in (11, 7, 7))
    fused = functional.scaled_dot_product_attention(q.double(), k.double(), v.double())
    torch.testing.assert_close(softmax_attention(q, k, v).double(), fused, atol=0.02, rtol=0.02)


def test_a_pooling_attention_without_pools_is_multihead_attention() -> None:
    attention = PoolingAttention(12, 3, query=None, key_stride=None).double()
    plain = torch.nn.MultiheadAttention(12, 3, batch_first=True).double()
    plain.in_proj_weight.data, plain.in_proj_bias.data = attention.qkv.weight.data, attention.qkv.bias.data
    plain.out_proj.weight.data, plain.out_proj.bias.data = attention.merge.weight.data, attention.merge.bias.data
    tokens = Tokens(random(2, 7, 12), Grid(1, 2, 3))
    found = attention.answer(attention.queries(tokens).values, *attention.keys_and_values(tokens))
    torch.testing.assert_close(found, plain(*[tokens.values] * 3)[0])


def test_a_block_in_parts_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    block = Block(4, 6, heads=2, hidden=16, query=CellPool(2, stride=2), key_stride=4).double().eval()
    tokens = Tokens(random(2, 1 + 2 * 6 * 10, 4), Grid(2, 6, 10))
    whole = block(tokens)
    monkeypatch.setattr(mvit, "TOKENS_AT_ONCE", 2 * 5)
    assert block._tokens_at_once(whole.values) == 31
    with torch.no_grad():
        assert block._tokens_at_once(whole.values) == 5
        parts = block(tokens)
    assert parts.grid == Grid(2, 3, 5)
    torch.testing.assert_close(parts.values, whole.values)


class OnCells(torch.nn.Module):
    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.block = Block(4, 6, heads=2, hidden=16, query=CellEnlarge(2, times=Grid(1, 2, 2)), key_stride=4)

    def forward(self, values: Float[Tensor, "b n c"]) -> Float[Tensor, "b m d"]:
        return self.block(Tokens(values, self.grid)).values


@torch.no_grad()
def test_a_block_exports_as_one_graph_for_any_number_of_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mvit, "TOKENS_AT_ONCE", 7)
    whole = OnCells(Grid(2, 4, 5)).double().eval()
    many = torch.export.Dim("clips", max=64)
    exported = torch.export.export(whole, (random(2, 40, 4),), dynamic_shapes=({0: many},))
    torch.testing.assert_close(exported.module()(random(5, 40, 4)), whole(random(5, 40, 4)))


def test_drop_path_leaves_whole_branches_out_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    block = Block(4, 4, heads=1, hidden=8, drop_path=0.25).double()
    tokens = Tokens(random(1, 6, 4).expand(4000, -1, -1), Grid(1, 2, 3))
    block.mlp.narrow.weight.data.zero_()
    change = block(tokens).values - tokens.values
    dropped = (change == 0).all(dim=(1, 2))
    assert dropped.double().mean() == pytest.approx(0.25, abs=0.03)
    calm = block.eval()(tokens).values - tokens.values
    torch.testing.assert_close(change[~dropped] * 0.75, calm[~dropped])


def test_tables_on_their_own_grid_are_untouched_and_smooth_ones_stay_smooth() -> None:
    table = random(1, 12, 3)
    assert resample_space(table, (3, 4), (3, 4)) is table
    assert resample_time(table, 12) is table
    # Columns of a picture that brightens to the right brighten to the right in every size.
    ramp = torch.arange(8.0).repeat(8)[None, :, None]
    larger = resample_space(ramp, (8, 8), (12, 10)).unflatten(1, (12, 10))[0, :, :, 0]
    torch.testing.assert_close(larger, larger[:1].expand_as(larger))
    assert (larger[0].diff() > 0).all()
    smaller = resample_space(torch.full((1, 64, 1), 3.0), (8, 8), (2, 3))
    torch.testing.assert_close(smaller, torch.full((1, 6, 1), 3.0))
    assert resample_time(torch.tensor([[[0.0], [1.0], [2.0], [3.0]]]), 2).flatten().tolist() == [0.5, 2.5]


def test_positions_are_resampled_for_another_grid() -> None:
    position = PositionEmbedding(Grid(2, 4, 4), 3)
    cells = torch.zeros(1, 2, 4, 4, 3)
    assert position(cells)[0, 1, 2, 3].equal(position.space[0, 11] + position.time[0, 1])
    position.space.data.fill_(0.5)
    position.time.data.fill_(0.25)
    torch.testing.assert_close(position(torch.zeros(1, 6, 8, 2, 3)), torch.full((1, 6, 8, 2, 3), 0.75))


def small_encoder() -> Encoder:
    return Encoder(
        channels=3,
        depths=(1, 2, 2, 1),
        num_frames=4,
        size=(64, 96),
        width=8,
        drop_path=0.0,
        checkpointing=False,
    )


def k400_state(encoder: Encoder, *, side: int = 5, moments: int = 8) -> dict[str, Tensor]:
    """What the Kinetics file holds, for a small encoder."""
    names = published_names(encoder, K400_RULES)
    state = {name: torch.randn(encoder.state_dict()[own].shape) for name, own in names.items()}
    width = encoder.position.space.shape[-1]
    return state | {
        "pos_embed_spatial": torch.randn(1, side * side, width),
        "pos_embed_temporal": torch.randn(1, moments, width),
        "pos_embed_class": torch.randn(1, 1, width),
        "cls_token": torch.randn(1, 1, width),
        "norm.weight": torch.randn(64),
        "head.projection.weight": torch.randn(400, 64),
    }


def test_published_position_resampling_matches_its_golden() -> None:
    golden = Golden.read("gaze_antic_prep")
    encoder = Encoder(
        channels=3,
        depths=(1, 1, 1, 1),
        num_frames=8,
        size=(256, 256),
        width=96,
        drop_path=0.0,
        checkpointing=False,
    )
    state = k400_state(encoder)
    for name, shape in (("spatial", (1, 3136, 96)), ("temporal", (1, 8, 96))):
        drawn = golden_input(f"k400_pos_{name}").standard_normal(shape)
        state[f"pos_embed_{name}"] = torch.from_numpy(drawn).float()
    init_from_k400(encoder, state, position_embeddings="published_1d")
    stride = golden.about["k400"]["stride"]
    found, wanted = encoder.position.space.detach().flatten()[::stride], golden.arrays["k400_pos_spatial_4096_sample"]
    torch.testing.assert_close(found, torch.from_numpy(wanted), rtol=1e-5, atol=1e-6)
    time = torch.from_numpy(golden.arrays["k400_pos_temporal_4"])
    torch.testing.assert_close(encoder.position.time.detach(), time, rtol=1e-5, atol=1e-6)
    flat = encoder.position.space.detach().clone()
    init_from_k400(encoder, state)
    assert not torch.allclose(encoder.position.space, flat, atol=0.1)
    in_two = functional.interpolate(
        state["pos_embed_spatial"].unflatten(1, (56, 56)).permute(0, 3, 1, 2), (64, 64), mode="bilinear"
    )
    torch.testing.assert_close(encoder.position.space.detach(), in_two.flatten(2).transpose(1, 2))


def test_kinetics_weights_start_a_gaze_model() -> None:
    model = GLC(num_frames=4, size=(64, 96), width=8, depths=(1, 2, 2, 1))
    untouched = model.decoder.classifier.weight.clone()
    state = k400_state(model.encoder)
    model.init_from({"model_state": {f"module.{n}": v for n, v in state.items()}})
    assert model.encoder.blocks[4].mlp.widen.weight.equal(state["blocks.4.mlp.fc1.weight"])
    assert model.encoder.blocks[1].attention.query.weight.equal(state["blocks.1.attn.pool_q.weight"])
    assert model.decoder.classifier.weight.equal(untouched)


def test_kinetics_queries_keys_and_values_may_be_apart() -> None:
    encoder, joint = small_encoder(), k400_state(small_encoder())
    apart = dict(joint)
    for name in [n for n in joint if ".qkv." in n]:
        for part, value in zip("qkv", apart.pop(name).chunk(3), strict=True):
            apart[name.replace(".qkv.", f".{part}.")] = value
    init_from_k400(encoder, apart)
    assert encoder.blocks[3].attention.qkv.weight.equal(joint["blocks.3.attn.qkv.weight"])
    del apart["blocks.3.attn.k.weight"]
    with pytest.raises(
        WeightsError, match=r"missing blocks\.3\.attn\.qkv\.weight; left over blocks\.3\.attn\.q\.weight"
    ):
        init_from_k400(encoder, apart)


def test_a_foreign_kinetics_checkpoint_is_explained() -> None:
    encoder, state = small_encoder(), k400_state(small_encoder())
    with pytest.raises(WeightsError, match=r"missing blocks\.0\.norm1\.bias"):
        init_from_k400(encoder, {n: v for n, v in state.items() if n != "blocks.0.norm1.bias"})
    with pytest.raises(WeightsError, match="missing pos_embed_spatial"):
        init_from_k400(encoder, {n: v for n, v in state.items() if n != "pos_embed_spatial"})
    with pytest.raises(WeightsError, match=r"left over blocks\.0\.attn\.rel_pos_h"):
        init_from_k400(encoder, state | {"blocks.0.attn.rel_pos_h": torch.zeros(3)})
    with pytest.raises(WeightsError, match="a table of 24 cells"):
        init_from_k400(encoder, state | {"pos_embed_spatial": torch.zeros(1, 24, 8)})
