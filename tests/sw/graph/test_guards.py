"""Models that a trace would change or lose a part of: refused, and each remedy works."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.quantized import check, prepare

SHAPE = (6,)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def _pruned(model: nn.Sequential) -> nn.Module:
    prune.l1_unstructured(model[0], "bias", 0.5)
    return model


def _normed(model: nn.Sequential) -> nn.Module:
    with pytest.warns(FutureWarning, match="weight_norm"):
        torch.nn.utils.weight_norm(model[0])
    return model


def _spectral(model: nn.Sequential) -> nn.Module:
    torch.nn.utils.spectral_norm(model[0])
    return model


def _hooked(model: nn.Sequential) -> nn.Module:
    model[0].register_forward_hook(lambda module, given, out: out * 2)
    return model


def _pre_hooked(model: nn.Sequential) -> nn.Module:
    model[0].register_forward_pre_hook(lambda module, given: (1 - given[0],))
    return model


def _not_finite(model: nn.Sequential) -> nn.Module:
    with torch.no_grad():
        next(model[2].parameters())[0, 0] = torch.nan
    return model


def _submodule(path: str, undo: Callable[..., object], *names: str) -> Callable[[nn.Module], None]:
    def mend(model: nn.Module) -> None:
        undo(model.get_submodule(path), *names)

    return mend


def _unhook(model: nn.Module) -> None:
    model.get_submodule("0")._forward_hooks.clear()
    model.get_submodule("0")._forward_pre_hooks.clear()


def _heal(model: nn.Module) -> None:
    nn.init.ones_(model.get_submodule("2").weight)  # type: ignore[arg-type]


#: By name: what is done to a model, the module that is named, the reason, and the remedy.
MENDED: dict[str, tuple[Callable[..., nn.Module], str, str, Callable[[nn.Module], None]]] = {
    "pruning": (
        _pruned,
        "0",
        "pruning mask for its bias, .*prune.remove.model.get_submodule.'0'., 'bias'.",
        _submodule("0", prune.remove, "bias"),
    ),
    "weight_norm": (
        _normed,
        "0",
        "by weight_norm: torch.nn.utils.remove_weight_norm",
        _submodule("0", torch.nn.utils.remove_weight_norm),
    ),
    "spectral_norm": (
        _spectral,
        "0",
        "by spectral_norm: torch.nn.utils.remove_spectral_norm",
        _submodule("0", torch.nn.utils.remove_spectral_norm),
    ),
    "parametrised weight_norm": (
        lambda model: (parametrizations.weight_norm(model[0]), model)[1],
        "0",
        "computes its weight by WeightNorm: .*remove_parametrizations",
        _submodule("0", parametrize.remove_parametrizations, "weight"),
    ),
    "parametrised spectral_norm": (
        lambda model: (parametrizations.spectral_norm(model[0]), model)[1],
        "0",
        "computes its weight by SpectralNorm: .*remove_parametrizations",
        _submodule("0", parametrize.remove_parametrizations, "weight"),
    ),
    "forward hook": (_hooked, "0", "has a forward hook, .*_hooked.*call remove", _unhook),
    "pre-hook": (_pre_hooked, "0", "has a forward pre-hook, .*call remove", _unhook),
    "not finite": (_not_finite, "2", "its weight is not finite", _heal),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("name", MENDED)
def test_what_is_refused_converts_once_it_is_mended(name: str) -> None:
    spoil, module, message, mend = MENDED[name]
    model = spoil(mlp())
    with pytest.raises(UnsupportedError, match=rf"  {module} .\w*Linear.: .*{message}"):
        prepare(model, input_shape=SHAPE)
    assert not all(report.supported for report in check(model, SHAPE))
    mend(model)
    prepare(model, input_shape=SHAPE)
    assert all(report.supported for report in check(model, SHAPE))


def test_wrapped_models_name_the_model_inside() -> None:
    model = mlp()
    compiled = torch.compile(model, backend="eager")
    for wrapped, inside, hint in (
        (nn.DataParallel(model), lambda: nn.DataParallel(model).module, "model.module"),
        (compiled, lambda: compiled._orig_mod, "model._orig_mod"),  # type: ignore[attr-defined]
    ):
        with pytest.raises(UnsupportedError, match=f"give the model inside, {hint}"):
            prepare(wrapped, input_shape=SHAPE)  # type: ignore[arg-type]
        prepare(inside(), input_shape=SHAPE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_models_name_the_original() -> None:
    model = mlp()
    for scripted in (torch.jit.script(model), torch.jit.trace(model, torch.zeros(1, 6))):
        with pytest.raises(UnsupportedError, match="give the model that was scripted or traced"):
            prepare(scripted, input_shape=SHAPE)
        fresh = mlp()
        fresh.load_state_dict(scripted.state_dict())
        prepare(fresh, input_shape=SHAPE)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_lazy_models_need_a_batch() -> None:
    model = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(UnsupportedError, match="run the model on one batch of images first"):
        prepare(model, input_shape=SHAPE)
    model(torch.zeros(1, 6))
    prepare(model, input_shape=SHAPE)


def test_a_wrapped_part_is_named() -> None:
    model = nn.Sequential(nn.DataParallel(nn.Linear(6, 5)), nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(UnsupportedError, match=r"  0 .DataParallel.: spreads the model"):
        prepare(model, input_shape=SHAPE)


def test_arguments_take_their_defaults() -> None:
    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(
            self, x: Tensor, features: bool = False, mask: Tensor | None = None, **more: object
        ) -> Tensor:
            if mask is not None:
                x = x + mask
            return x if features else self.body(x)

    prepared = prepare(Features(), input_shape=SHAPE)
    assert prepared(torch.zeros(2, 6)).shape == (2, 3)
