"""Grad-CAM: which places of a layer's features speak for a class."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from regard.errors import RecipeError


def grad_cam(
    model: nn.Module, layer: str, inputs: Mapping[str, Tensor], label: Int64[Tensor, "b"]
) -> Float[Tensor, "n *grid"]:
    """How much each place of a layer speaks for its clip's class, 0 where it does not; any unit, compare within a map.

    `layer` is the name of a module whose output is (n, channels, *grid), `inputs` what the model's forward takes by
    name; the first of its answer (or all of it) are class logits (b, k). The class's gradient by each channel, averaged
    over the grid, is the channel's weight in the sum. The layer may run once only. Leaves no gradient in the model.
    Source: Selvaraju et al., Grad-CAM, ICCV 2017.
    """
    kept: list[Tensor] = []

    def cut(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)
        return kept[-1].clone()  # what follows may work in place

    handle = _module(model, layer).register_forward_hook(cut)
    try:
        with torch.inference_mode(False), torch.no_grad():
            answer = model(**{name: value.clone() for name, value in inputs.items()})
            logits = answer if isinstance(answer, Tensor) else answer[0]
            spoken = logits.gather(1, label[:, None].clone()).sum()
    finally:
        handle.remove()
    if len(kept) != 1:
        raise RecipeError(
            layer, found=f"it ran {len(kept)} times for one answer", wanted="once", do="name a layer that runs once"
        )
    (gradient,) = torch.autograd.grad(spoken, kept)
    weight = gradient.flatten(2).mean(dim=2)
    return torch.einsum("nc,nc...->n...", weight, kept[0].detach()).relu()


def _module(model: nn.Module, layer: str) -> nn.Module:
    modules = dict(model.named_modules())
    if layer and layer in modules:
        return modules[layer]
    parent = layer.rpartition(".")[0]
    while parent not in modules:
        parent = parent.rpartition(".")[0]
    inside = [f"{parent}.{name}".lstrip(".") for name, _ in modules[parent].named_children()]
    raise RecipeError(
        type(model).__name__,
        found=f"no layer {layer!r}",
        wanted=f"the name of a module; {parent or 'the model'} has {', '.join(inside) or 'none inside'}",
        do="see dict(model.named_modules()) for all names",
    )
