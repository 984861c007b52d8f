"""Models as people write them: small ones, each with something that is no plain layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 4


class Written(nn.Module):
    """A model of named modules and any forward pass."""

    def __init__(self, forward: Callable[[Written, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self._forward = forward

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)  # whatever was given by that name

    def forward(self, x: Tensor, features: bool = False) -> Tensor:
        logits: Tensor = self._forward(self, x)
        return logits


def _conv(i: int, o: int, k: int = 3, **options: object) -> nn.Conv2d:
    options.setdefault("padding", k // 2)
    return nn.Conv2d(i, o, k, **options)  # type: ignore[arg-type]


def signals() -> nn.Module:
    """Return a network of Conv1d, with each of its pools."""
    layers = nn.Conv1d(2, 6, 7, stride=2, padding=3), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2)
    more = nn.Conv1d(6, 5, 4, padding="same"), nn.ReLU(), nn.AvgPool1d(2), nn.Conv1d(5, 6, 3)
    return nn.Sequential(
        *layers, *more, nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, CLASSES)
    )


def causal() -> nn.Module:
    """Return a temporal convolutional network: dilated, padded on the left, with a shortcut."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.norm(m.a(functional.pad(x, (2, 0)))))
        return m.fc(functional.relu(m.b(functional.pad(x, (4, 0))) + x).mean(-1))

    return Written(
        forward,
        a=nn.Conv1d(2, 5, 3),
        norm=nn.BatchNorm1d(5),
        b=nn.Conv1d(5, 5, 3, dilation=2),
        fc=nn.Linear(5, CLASSES),
    )


def clips() -> nn.Module:
    """Return a network with a clip in each spelling."""
    acts = (
        nn.ReLU6(),
        nn.Hardtanh(0, 1),
        nn.Hardtanh(),
        nn.Threshold(0, 0),
    )
    modules = {f"c{i}": _conv(2 if i == 0 else 3, 3) for i in range(6)}

    def forward(m: Written, x: Tensor) -> Tensor:
        for i in range(4):
            x = m.get_submodule(f"act{i}")(m.get_submodule(f"c{i}")(x))
        x = m.c4(x).clamp(min=0)
        x = torch.clamp(m.c5(x), 0, 2)
        return m.fc(x.permute(0, 1, 2, 3).flatten(1))

    return Written(
        forward,
        **modules,
        **{f"act{i}": act for i, act in enumerate(acts)},
        fc=nn.Linear(3 * 36, CLASSES),
    )


def pads() -> nn.Module:
    """Return a network with padding on one side, by more than the kernel, and by 'same'."""
    return nn.Sequential(
        nn.ZeroPad2d((3, 0, 1, 4)),
        nn.Conv2d(2, 6, 3, stride=2),
        nn.ReLU(),
        nn.ConstantPad2d(2, 0.0),
        nn.Conv2d(6, 8, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 2, padding="same"),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 1, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, CLASSES),
        nn.LogSoftmax(1),
    )


def inception() -> nn.Module:
    """Return branches side by side, one behind an average pool that overlaps, then a max-pool."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.stem(x))
        pooled = functional.relu(m.d(functional.avg_pool2d(x, 3, 1, 1)))
        x = torch.cat([functional.relu(m.a(x)), functional.relu(m.b(x)), pooled, x], dim=1)
        x = functional.relu(m.grouped(functional.max_pool2d(x, 2)))
        return m.fc(torch.cat([x.flatten(1), functional.relu(m.c(x)).flatten(1)], -1))

    return Written(
        forward,
        stem=_conv(2, 3),
        a=_conv(3, 2, 1),
        b=_conv(3, 3),
        d=_conv(3, 2, 1),
        grouped=_conv(10, 4, groups=2),
        c=_conv(4, 2),
        fc=nn.Linear(6 * 9, CLASSES),
    )


def maxima() -> nn.Module:
    """Return max-pools that overlap: a ResNet's stem, Inception's branch, and ``ceil_mode``."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(m.stem(x)), 3, 2, 1)
        pooled = functional.relu(m.b(functional.max_pool2d(x, 3, 1, 1)))
        x = torch.cat([functional.leaky_relu(m.a(x), 0.25), pooled], dim=1)
        return m.fc(functional.max_pool2d(x, 3, 2, ceil_mode=True).flatten(1))

    return Written(
        forward,
        stem=_conv(2, 4, 3, padding=1),
        a=_conv(4, 3, 3, padding=1),
        b=_conv(4, 2, 1),
        fc=nn.Linear(5 * 4, CLASSES),
    )


def dense() -> nn.Module:
    """Return a dense block: batch-norm of a concatenation, and layers without activation."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = m.stem(x)
        x = torch.cat([x, m.c1(functional.relu(m.n1(x)))], 1)
        x = torch.cat([x, m.c2(functional.relu(m.n2(x)))], 1)
        return m.fc(functional.avg_pool2d(m.t(functional.relu(m.n3(x))), 3).relu().flatten(1))

    return Written(
        forward,
        stem=_conv(2, 3),
        n1=nn.BatchNorm2d(3),
        c1=_conv(3, 2),
        n2=nn.BatchNorm2d(5),
        c2=_conv(5, 2),
        n3=nn.BatchNorm2d(7),
        t=_conv(7, 3, 1),
        fc=nn.Linear(12, CLASSES),
    )


def bottleneck() -> nn.Module:
    """Return inverted residuals, whose last layers are linear."""

    def block(m: Written, name: str, x: Tensor) -> Tensor:
        x = functional.relu6(m.get_submodule(f"{name}n1")(m.get_submodule(f"{name}1")(x)))
        x = functional.relu6(m.get_submodule(f"{name}2")(x))
        return m.get_submodule(f"{name}n3")(m.get_submodule(f"{name}3")(x))

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu6(m.stem(x))
        x = x + block(m, "a", x)
        x = x + block(m, "b", x)
        return m.fc(functional.adaptive_avg_pool2d(functional.relu6(m.head(x)), 1).flatten(1))

    blocks: dict[str, nn.Module] = {}
    for name in "ab":
        blocks |= {
            f"{name}1": _conv(3, 6, 1, bias=False),
            f"{name}n1": nn.BatchNorm2d(6),
            f"{name}2": _conv(6, 6, groups=6),
            f"{name}3": _conv(6, 3, 1, bias=False),
            f"{name}n3": nn.BatchNorm2d(3),
        }
    return Written(
        forward, stem=_conv(2, 3), **blocks, head=_conv(3, 5, 1), fc=nn.Linear(5, CLASSES)
    )


def repvgg() -> nn.Module:
    """Return three branches, one of which is a batch-norm alone."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.stem(x))
        return m.fc(functional.relu(m.n3(m.c3(x)) + m.n1(m.c1(x)) + m.n0(x)).mean((2, 3)))

    return Written(
        forward,
        stem=_conv(2, 4),
        c3=_conv(4, 4, bias=False),
        n3=nn.BatchNorm2d(4),
        c1=_conv(4, 4, 1, bias=False),
        n1=nn.BatchNorm2d(4),
        n0=nn.BatchNorm2d(4),
        fc=nn.Linear(4, CLASSES),
    )


def shuffle() -> nn.Module:
    """Return a unit that splits channels, joins them, and shuffles them."""

    def forward(m: Written, x: Tensor) -> Tensor:
        left, right = functional.relu(m.stem(x)).chunk(2, dim=1)
        right = functional.relu(m.b(functional.relu(m.a(right))))
        return m.fc(functional.relu(m.c(m.mix(torch.cat((left, right), dim=1)))).mean((2, 3)))

    return Written(
        forward,
        stem=_conv(2, 6),
        a=_conv(3, 3, groups=3),
        b=_conv(3, 3, 1),
        mix=nn.ChannelShuffle(2),
        c=_conv(6, 4, 1),
        fc=nn.Linear(4, CLASSES),
    )


def shuffle_by_view() -> nn.Module:
    """Return a unit of ShuffleNet v2, its channels shuffled by views, as torchvision does it."""

    def shuffled(x: Tensor, groups: int) -> Tensor:
        batch, channels, height, width = x.size()
        x = x.view(batch, groups, channels // groups, height, width)
        return torch.transpose(x, 1, 2).contiguous().view(batch, channels, height, width)

    def forward(m: Written, x: Tensor) -> Tensor:
        left, right = functional.relu(m.stem(x)).chunk(2, dim=1)
        right = functional.relu(m.b(m.norm(m.a(right))))
        x = shuffled(torch.cat((left, right), dim=1), 2)
        return m.fc(functional.relu(m.c(x)).mean([2, 3]))

    return Written(
        forward,
        stem=_conv(2, 6),
        a=_conv(3, 3, groups=3, bias=False),
        norm=nn.BatchNorm2d(3),
        b=_conv(3, 3, 1),
        c=_conv(6, 4, 1),
        fc=nn.Linear(4, CLASSES),
    )


def ghost() -> nn.Module:
    """Return ghost modules: few channels, more by cheap depthwise layers, and a shortcut."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.stem(x))
        y = functional.relu(m.a(x))
        y = torch.cat([y, functional.relu(m.cheap(y))], dim=1)
        y = m.norm(m.b(y))
        x = x + torch.cat([y, m.cheap_norm(m.last(y))], dim=1)
        return m.fc(functional.relu(m.c(x)).mean((2, 3)))

    return Written(
        forward,
        stem=_conv(2, 4),
        a=_conv(4, 3, 1),
        cheap=_conv(3, 3, groups=3),
        b=_conv(6, 2, 1, bias=False),
        norm=nn.BatchNorm2d(2),
        last=_conv(2, 2, groups=2, bias=False),
        cheap_norm=nn.BatchNorm2d(2),
        c=_conv(4, 4, 1),
        fc=nn.Linear(4, CLASSES),
    )


def shortcuts() -> nn.Module:
    """Return sums of several shortcuts: whole, cut out, strided with channels of 0, and late."""

    def forward(m: Written, x: Tensor) -> Tensor:
        a = functional.relu(m.a(x))
        b = functional.relu(m.b(a) + a)
        c = functional.relu(m.c(b)) + a + b
        d = functional.relu(m.norm(m.d(c) + c[:, :, 1:-1, 1:-1]))
        e = functional.relu(m.e(d) + functional.pad(d[:, :, ::2, ::2], (0, 0, 0, 0, 1, 2)))
        return m.fc(e[:, 1:, :, :].flatten(1))

    return Written(
        forward,
        a=_conv(2, 3),
        b=_conv(3, 3),
        c=_conv(3, 3),
        d=_conv(3, 3, padding=0),
        norm=nn.BatchNorm2d(3),
        e=_conv(3, 6, stride=2),
        fc=nn.Linear(20, CLASSES),
    )


def heads() -> nn.Module:
    """Return a network-in-network head behind a dilated layer, and behind no activation at all."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=2, dilation=2),
        nn.AvgPool2d(2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, CLASSES, 2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Sigmoid(),
    )


#: By name: a builder, and the shape of an image.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "signals": (signals, (2, 48)),
    "causal": (causal, (2, 20)),
    "clips": (clips, (2, 6, 6)),
    "pads": (pads, (2, 6, 6)),
    "inception": (inception, (2, 6, 6)),
    "maxima": (maxima, (2, 8, 8)),
    "dense": (dense, (2, 6, 6)),
    "bottleneck": (bottleneck, (2, 6, 6)),
    "repvgg": (repvgg, (2, 6, 6)),
    "shuffle": (shuffle, (2, 6, 6)),
    "shuffle_by_view": (shuffle_by_view, (2, 6, 6)),
    "ghost": (ghost, (2, 6, 6)),
    "shortcuts": (shortcuts, (2, 6, 6)),
    "heads": (heads, (2, 6, 6)),
}
