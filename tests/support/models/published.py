"""Small models in the form of published ones, of blocks as their papers or torchvision write them.

:mod:`support.models.written` has more: Inception, DenseNet, RepVGG, ShuffleNet, GhostNet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.models.written import CLASSES, Written

S = nn.Sequential


def conv(i: int, o: int, k: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the size (divided by the stride), and its batch-norm."""
    layer = nn.Conv2d(i, o, k, stride, padding=k // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(o)]


def cbr(i: int, o: int, k: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return a convolution, its batch-norm and a ReLU."""
    return [*conv(i, o, k, stride, groups), nn.ReLU(inplace=True)]


def head(channels: int) -> list[nn.Module]:
    """Return a global average pool and a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


class Sum(nn.Module):
    """Adds the results of two branches, and ends with an activation."""

    def __init__(self, a: nn.Module, b: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.act = a, b, act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.a(x) + self.b(x))


def mlp() -> nn.Module:
    return S(
        nn.Flatten(),
        nn.Linear(64, 24),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(24, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Linear(12, CLASSES),
    )


def lenet() -> nn.Module:
    """LeNet-5, with ReLU: LeCun et al., 1998."""
    return S(
        nn.Conv2d(1, 4, 5),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 12),
        nn.ReLU(),
        nn.Linear(12, 8),
        nn.ReLU(),
        nn.Linear(8, CLASSES),
    )


def alexnet(pool: int = 3) -> nn.Module:
    """AlexNet, as torchvision has it: its max-pools of 3x3 overlap."""
    return S(
        nn.Conv2d(3, 5, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(pool, 2),
        nn.Conv2d(5, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 5, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(pool, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(5, 8),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(8, CLASSES),
    )


def vgg() -> nn.Module:
    first = [*cbr(3, 4), *cbr(4, 4), nn.MaxPool2d(2), *cbr(4, 6), *cbr(6, 6), nn.MaxPool2d(2)]
    return S(*first, nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, CLASSES))


def all_convolutional() -> nn.Module:
    """Strides in place of pools: Springenberg et al., 2015."""
    first = [nn.Dropout(0.2), nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()]
    more = [nn.Conv2d(5, 5, 3, stride=2, padding=1), nn.ReLU(), nn.Dropout2d(0.5)]
    last = [nn.Conv2d(5, 6, 3), nn.ReLU(), nn.Conv2d(6, CLASSES, 1)]
    return S(*first, *more, *last, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def network_in_network() -> nn.Module:
    """Two layers of 1x1 behind each convolution: Lin et al., 2014."""
    first = [nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 5, 1), nn.ReLU()]
    more = [nn.MaxPool2d(2), nn.Conv2d(5, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, CLASSES, 1)]
    return S(*first, *more, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def darknet() -> nn.Module:
    """Leaky ReLUs and max-pools: Redmon and Farhadi, 2017."""

    def leaky(i: int, o: int, k: int = 3) -> list[nn.Module]:
        return [*conv(i, o, k), nn.LeakyReLU(0.125)]

    layers = [*leaky(3, 4), nn.MaxPool2d(2), *leaky(4, 6), *leaky(6, 4, 1), *leaky(4, 6)]
    return S(*layers, nn.Conv2d(6, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def resnet(stem: list[nn.Module] | None = None) -> nn.Module:
    """Basic blocks, the second with a projection: He et al., 2016."""

    def block(i: int, o: int, stride: int) -> nn.Module:
        body = S(*cbr(i, o, 3, stride), *conv(o, o))
        shortcut = nn.Identity() if stride == 1 else S(*conv(i, o, 1, stride))
        return Sum(body, shortcut, nn.ReLU(inplace=True))

    return S(*(stem or cbr(3, 4)), block(4, 4, 1), block(4, 6, 2), *head(6))


def resnet_imagenet() -> nn.Module:
    """The stem of ImageNet's ResNets: 7x7 by 2, then a max-pool whose windows overlap."""
    return resnet([*cbr(3, 4, 7, 2), nn.MaxPool2d(3, 2, 1)])


def resnet_a() -> nn.Module:
    """CIFAR's ResNet with option A: a shortcut that is strided and padded with channels of 0."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.stem(x))
        short = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2), "constant", 0)
        return m.head(functional.relu(m.body(x) + short))

    body = S(*cbr(4, 8, 3, 2), *conv(8, 8))
    return Written(forward, stem=S(*conv(3, 4)), body=body, head=S(*head(8)))


def bottlenecks(groups: int = 1) -> nn.Module:
    """Bottlenecks of 1x1, 3x3 and 1x1; with groups as in ResNeXt (Xie et al., 2017)."""

    def block(i: int, inside: int, o: int, stride: int) -> nn.Module:
        body = S(*cbr(i, inside, 1), *cbr(inside, inside, 3, stride, groups), *conv(inside, o, 1))
        shortcut = nn.Identity() if i == o else S(*conv(i, o, 1, stride))
        return Sum(body, shortcut, nn.ReLU(inplace=True))

    return S(*cbr(3, 4), block(4, 4, 8, 2), block(8, 4, 8, 1), *head(8))


def resnext() -> nn.Module:
    return bottlenecks(groups=2)


def preactivation() -> nn.Module:
    """Batch-norm and ReLU ahead of each convolution, shortcuts whole: He et al., 2016 (b)."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = m.stem(x)
        x = m.a(x) + x
        y = functional.relu(m.norm(x))
        return m.head(functional.relu(m.last(m.b(y) + m.project(y))))

    def body(channels: int) -> list[nn.Module]:
        return [nn.Conv2d(4, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]

    return Written(
        forward,
        stem=nn.Conv2d(3, 4, 3, padding=1),
        a=S(nn.BatchNorm2d(4), nn.ReLU(), *body(4), nn.Conv2d(4, 4, 3, padding=1)),
        norm=nn.BatchNorm2d(4),
        b=S(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1)),
        project=nn.Conv2d(4, 6, 1, 2),
        last=nn.BatchNorm2d(6),
        head=S(*head(6)),
    )


def mobilenet() -> nn.Module:
    """Depthwise, then 1x1: Howard et al., 2017."""

    def separable(i: int, o: int, stride: int) -> list[nn.Module]:
        return [*cbr(i, i, 3, stride, i), *cbr(i, o, 1)]

    return S(*cbr(3, 4), *separable(4, 6, 1), *separable(6, 8, 2), *head(8))


class InvertedResidual(nn.Module):
    """A block of MobileNet v2, as torchvision writes it."""

    def __init__(self, i: int, o: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = i * expansion
        self.use_res_connect = stride == 1 and i == o
        self.conv = S(
            *conv(i, inside, 1),
            nn.ReLU6(inplace=True),
            *conv(inside, inside, 3, stride, inside),
            nn.ReLU6(inplace=True),
            *conv(inside, o, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


def mobilenet_v2() -> nn.Module:
    """Linear bottlenecks with shortcuts: Sandler et al., 2018."""
    blocks = [InvertedResidual(4, 4, 1, 2), InvertedResidual(4, 6, 2, 2)]
    last = [*conv(6, 8, 1), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return S(*conv(3, 4), nn.ReLU6(), *blocks, *last, nn.Dropout(0.2), nn.Linear(8, CLASSES))


def squeezenet(*end: nn.Module) -> nn.Module:
    """Fire modules: squeeze to few channels, expand by 1x1 and by 3x3: Iandola et al., 2016."""

    def fire(m: Written, name: str, x: Tensor) -> Tensor:
        x = functional.relu(m.get_submodule(f"{name}0")(x))
        expanded = [functional.relu(m.get_submodule(f"{name}{k}")(x)) for k in (1, 3)]
        return torch.cat(expanded, 1)

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.max_pool2d(fire(m, "a", functional.relu(m.stem(x))), 2)
        return torch.flatten(m.pool(m.classifier(fire(m, "b", x))), 1)

    fires = {
        "a0": nn.Conv2d(4, 2, 1),
        "a1": nn.Conv2d(2, 3, 1),
        "a3": nn.Conv2d(2, 3, 3, padding=1),
        "b0": nn.Conv2d(6, 3, 1),
        "b1": nn.Conv2d(3, 4, 1),
        "b3": nn.Conv2d(3, 4, 3, padding=1),
    }
    classifier = S(nn.Dropout(0.5), nn.Conv2d(8, CLASSES, 1), *end)
    return Written(
        forward,
        stem=nn.Conv2d(3, 4, 3, padding=1),
        **fires,
        classifier=classifier,
        pool=nn.AdaptiveAvgPool2d(1),
    )


def squeezenet_rectified() -> nn.Module:
    """As torchvision has it, with a ReLU between the last convolution and its average."""
    return squeezenet(nn.ReLU(inplace=True))


def atrous() -> nn.Module:
    """Convolutions of several dilations side by side: Chen et al., 2017."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = m.stem(x)
        joined = torch.cat([m.a(x), m.b(x), m.c(x)], dim=1)
        return m.head(m.project(joined)).flatten(1)

    def branch(dilation: int) -> nn.Module:
        return S(nn.Conv2d(4, 3, 3, padding=dilation, dilation=dilation), nn.ReLU())

    return Written(
        forward,
        stem=S(*cbr(3, 4, 3, 2)),
        a=S(*cbr(4, 3, 1)),
        b=branch(2),
        c=branch(3),
        project=S(*cbr(9, 4, 1)),
        head=nn.Conv2d(4, 2, 1),
    )


def segmentation() -> nn.Module:
    """A feature map of classes by position: Long et al., 2015; without upsampling."""
    return S(*cbr(3, 4), *cbr(4, 4), nn.Conv2d(4, 2, 1))


def segmentation_flat() -> nn.Module:
    return S(segmentation(), nn.Flatten())


def regression() -> nn.Module:
    """An encoder with a linear code, a decoder, and one output for each real number."""
    encoder = [nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4)]
    return S(*encoder, nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 10))


#: By name: a builder, and the shape of an image.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP with batch-norm": (mlp, (1, 8, 8)),
    "LeNet-5": (lenet, (1, 12, 12)),
    "AlexNet": (alexnet, (3, 14, 14)),
    "AlexNet, max-pools of 2x2": (functools.partial(alexnet, 2), (3, 14, 14)),
    "VGG": (vgg, (3, 8, 8)),
    "all convolutional net": (all_convolutional, (3, 6, 6)),
    "network in network": (network_in_network, (3, 6, 6)),
    "Darknet: leaky ReLUs": (darknet, (3, 6, 6)),
    "ResNet: basic blocks": (resnet, (3, 6, 6)),
    "ResNet: ImageNet's stem": (resnet_imagenet, (3, 12, 12)),
    "ResNet: option A": (resnet_a, (3, 6, 6)),
    "ResNet: bottlenecks": (bottlenecks, (3, 6, 6)),
    "ResNet: pre-activation": (preactivation, (3, 6, 6)),
    "ResNeXt": (resnext, (3, 6, 6)),
    "MobileNet v1": (mobilenet, (3, 6, 6)),
    "MobileNet v2": (mobilenet_v2, (3, 6, 6)),
    "SqueezeNet": (squeezenet, (3, 6, 6)),
    "SqueezeNet, ReLU at its end": (squeezenet_rectified, (3, 6, 6)),
    "DeepLab: atrous pyramid": (atrous, (3, 6, 6)),
    "segmentation": (segmentation, (3, 6, 6)),
    "segmentation, flattened": (segmentation_flat, (3, 6, 6)),
    "encoder, decoder, regression": (regression, (1, 8, 8)),
}
