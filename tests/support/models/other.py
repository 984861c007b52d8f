"""Small models with parts that have no spiking counterpart, and wrapped or hooked ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from support.models.written import CLASSES, Written

S = nn.Sequential


def mixer() -> nn.Module:
    """Layers across positions, and across channels: Tolstikhin et al., 2021."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = m.patches(x).flatten(2).transpose(1, 2)
        x = x + m.tokens(x.transpose(1, 2)).transpose(1, 2)
        return m.fc((x + m.channels(x)).mean(1))

    tokens = S(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
    channels = S(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 6))
    return Written(
        forward,
        patches=nn.Conv2d(3, 6, 2, 2),
        tokens=tokens,
        channels=channels,
        fc=nn.Linear(6, CLASSES),
    )


def transformer() -> nn.Module:
    """Attention between patches: Dosovitskiy et al., 2021."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = m.patches(x).flatten(2).transpose(1, 2)
        q, k, v = m.qkv(x).chunk(3, dim=-1)
        x = x + torch.softmax(q @ k.transpose(1, 2), dim=-1) @ v
        return m.fc(x.mean(1))

    return Written(
        forward, patches=nn.Conv2d(3, 6, 2, 2), qkv=nn.Linear(6, 18), fc=nn.Linear(6, CLASSES)
    )


def lstm() -> nn.Module:
    return Written(
        lambda m, x: m.fc(m.lstm(x)[0][:, -1]),
        lstm=nn.LSTM(6, 8, batch_first=True),
        fc=nn.Linear(8, CLASSES),
    )


def _behind(*layers: nn.Module) -> nn.Module:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES)]
    return S(nn.Conv2d(3, 4, 3, padding=1), *layers, *head)


def group_norm() -> nn.Module:
    return _behind(nn.GroupNorm(2, 4), nn.ReLU())


def layer_norm() -> nn.Module:
    return _behind(nn.LayerNorm([4, 8, 8]), nn.ReLU())


def swish() -> nn.Module:
    """EfficientNet's activation."""
    return _behind(nn.BatchNorm2d(4), nn.SiLU())


def hard_swish() -> nn.Module:
    """MobileNet v3's activation."""
    return _behind(nn.BatchNorm2d(4), nn.Hardswish())


def gelu() -> nn.Module:
    """ConvNeXt's activation."""
    return _behind(nn.GELU())


def squeeze_and_excite() -> nn.Module:
    """Channels times a factor that the image decides on: Hu et al., 2018."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.a(x))
        x = x * torch.sigmoid(m.up(functional.relu(m.down(functional.adaptive_avg_pool2d(x, 1)))))
        return m.fc(x.mean((2, 3)))

    return Written(
        forward,
        a=nn.Conv2d(3, 4, 3),
        down=nn.Conv2d(4, 2, 1),
        up=nn.Conv2d(2, 4, 1),
        fc=nn.Linear(4, CLASSES),
    )


def unet() -> nn.Module:
    """A small feature map, enlarged and joined with a large one: Ronneberger et al., 2015."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.a(x))
        y = m.up(functional.relu(m.b(functional.max_pool2d(x, 2))))
        return m.head(functional.relu(m.c(torch.cat([x, y], 1)))).flatten(1)

    return Written(
        forward,
        a=nn.Conv2d(3, 4, 3, padding=1),
        b=nn.Conv2d(4, 4, 3, padding=1),
        c=nn.Conv2d(8, 4, 3, padding=1),
        up=nn.Upsample(scale_factor=2),
        head=nn.Conv2d(4, 2, 1),
    )


def transposed() -> nn.Module:
    """A decoder of transposed convolutions."""
    layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, 2), nn.ReLU()]
    return S(*layers, nn.Conv2d(4, 1, 1), nn.Flatten())


def _mlp() -> S:
    return S(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, CLASSES))


def one_logit() -> nn.Module:
    return S(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 1))


def pruned() -> nn.Module:
    model = _mlp()
    prune.l1_unstructured(model[1], "weight", 0.8)
    return model


def pruned_for_good() -> nn.Module:
    """Pruned, and ``prune.remove`` called: zeros in the weights."""
    model = pruned()
    prune.remove(model.get_submodule("1"), "weight")
    return model


def weight_norm() -> nn.Module:
    model = _mlp()
    parametrizations.weight_norm(model[1])
    return model


def forward_hook() -> nn.Module:
    model = _mlp()
    model[1].register_forward_hook(lambda module, given, out: out * 2)
    return model


def pre_hook() -> nn.Module:
    model = _mlp()
    model[0].register_forward_pre_hook(lambda module, given: (1 - given[0],))
    return model


def data_parallel() -> nn.Module:
    return nn.DataParallel(_mlp())


def compiled() -> nn.Module:
    return cast(nn.Module, torch.compile(_mlp(), backend="eager"))


def scripted() -> nn.Module:
    model: nn.Module = torch.jit.script(_mlp())
    return model


#: By name: a builder, and the shape of an image.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP-Mixer": (mixer, (3, 8, 8)),
    "vision transformer": (transformer, (3, 8, 8)),
    "LSTM": (lstm, (5, 6)),
    "GroupNorm": (group_norm, (3, 8, 8)),
    "LayerNorm": (layer_norm, (3, 8, 8)),
    "SiLU, as in EfficientNet": (swish, (3, 8, 8)),
    "Hardswish, as in MobileNet v3": (hard_swish, (3, 8, 8)),
    "GELU, as in ConvNeXt": (gelu, (3, 8, 8)),
    "squeeze and excitation": (squeeze_and_excite, (3, 8, 8)),
    "U-Net, by upsampling": (unet, (3, 8, 8)),
    "transposed convolution": (transposed, (3, 8, 8)),
    "one logit": (one_logit, (1, 8, 8)),
    "pruned, mask removed": (pruned_for_good, (1, 8, 8)),
    "pruned, with its mask": (pruned, (1, 8, 8)),
    "weight norm": (weight_norm, (1, 8, 8)),
    "forward hook": (forward_hook, (1, 8, 8)),
    "forward pre-hook": (pre_hook, (1, 8, 8)),
    "DataParallel": (data_parallel, (1, 8, 8)),
    "torch.compile": (compiled, (1, 8, 8)),
    "torch.jit.script": (scripted, (1, 8, 8)),
}
