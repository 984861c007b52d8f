"""Tasks: a class for each meaning that a model's outputs can have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from spikeloom.sw.errors import ConfigError, DataError
from spikeloom.sw.registry import Registered
from spikeloom.sw.tasks import report

if TYPE_CHECKING:
    # Importing torch takes seconds, and commands that only name a task do without it.
    import numpy.typing as npt
    from torch import Tensor


#: Names of the tasks.
CLASSES, LABELS, VALUES = "classes", "labels", "values"
#: Key of the task in a network's ``about``.
ABOUT = "task"
#: Divisor of logits before they are compared as probabilities, if none is given.
TEMPERATURE = 2.0


class Task(Registered, ABC):
    """Meaning of a model's outputs, and of the targets that belong to it; found by its ``name``.

    Outputs are tensors of shape (N, K): real numbers of a torch model, or the integer logits of a
    network.
    """

    kinds: ClassVar[dict[str, type[Task]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    #: Name of :meth:`score`, divided by the number of images, in tables.
    figure: ClassVar[str]
    #: Whether it is a share, which tables show in percent.
    is_share: ClassVar[bool] = True

    @abstractmethod
    def decide(self, outputs: Tensor) -> Tensor:
        """Return the decision for each image, in the form of the targets."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, reduction: str = "sum") -> Tensor:
        """Return the plain loss of a batch: the task's default loss, without weights.

        Parameters
        ----------
        outputs, targets : tensor
        reduction : {"sum", "mean"}
            Over the images of the batch.
        """

    @abstractmethod
    def divergence(
        self, student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE
    ) -> Tensor:
        """Return the distance of a model's outputs from its teacher's, a mean over the batch.

        Parameters
        ----------
        student, teacher : tensor, shape (N, K)
        temperature : float
            Divisor of logits before they are compared as probabilities; values are not divided.
        """

    @abstractmethod
    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return a figure of merit, at most 1 for each image, summed over the images."""

    @abstractmethod
    def report(self, decided: Tensor, targets: Tensor, count: int) -> dict[str, Any]:
        """Return the figures of :mod:`~spikeloom.sw.tasks.report` for decisions.

        Parameters
        ----------
        decided : tensor
            From :meth:`decide`.
        targets : tensor
            As a data set has them.
        count : int
            Number of classes, labels or values.
        """

    def accuracy(self, decided: Tensor, targets: Tensor) -> float:
        """Return the share of decisions that are right; of values, R², a mean over them."""
        same = decided == targets
        return int(same.sum()) / same.numel()

    def targets(self, labels: npt.ArrayLike | Tensor, decided: Tensor) -> Tensor:
        """Return labels in the form of decisions.

        Parameters
        ----------
        labels : array or tensor
            Right decisions; of one value for each image, shape (N,) will do.
        decided : tensor
            From :meth:`decide`.

        Raises
        ------
        DataError
            If they have another shape than the decisions.
        """
        import torch

        found = torch.as_tensor(labels)
        if found.shape != decided.shape:
            raise DataError(
                f"there are {len(decided)} images, but labels of shape {tuple(found.shape)}"
                + ("" if decided.ndim == 1 else f", not {tuple(decided.shape)}")
            )
        return found

    def same(self, decided: Tensor, others: Tensor) -> Tensor:
        """Return for which images two models decide alike; bool, shape (N,)."""
        return (decided == others).reshape(len(decided), -1).all(1)

    def texts(self, decided: Tensor) -> list[str]:
        """Return each decision as a text."""
        return [str(value) for value in decided.tolist()]


@dataclass(frozen=True)
class Classes(Task, name=CLASSES):
    """Each image is of one class: the one of the largest output, of equal ones the lowest.

    A single output decides between two classes by its sign: class 1 if it is above 0. It stands for
    the two logits 0 and x, so everything here holds for it, too.
    """

    figure = "accuracy"

    def decide(self, outputs: Tensor) -> Tensor:
        """Return the classes, int64, shape (N,)."""
        from spikeloom.sw.golden import lowest_argmax

        return (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else lowest_argmax(outputs)

    def loss(self, outputs: Tensor, targets: Tensor, reduction: str = "sum") -> Tensor:
        from torch.nn import functional

        return functional.cross_entropy(two_sided(outputs), targets, reduction=reduction)

    def divergence(
        self, student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE
    ) -> Tensor:
        return softened_divergence(two_sided(student), two_sided(teacher), temperature)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the number of images whose class is right."""
        # Not the lowest of equal ones: in training, speed counts.
        decided = self.decide(outputs) if outputs.shape[1] == 1 else outputs.argmax(1)
        return (decided == targets).sum()

    def report(self, decided: Tensor, targets: Tensor, count: int) -> dict[str, Any]:
        return report.of_classes(decided, targets, count)


@dataclass(frozen=True)
class Labels(Task, name=LABELS):
    """Each image has any number of labels: those whose outputs are above 0."""

    figure = "accuracy per label"

    def decide(self, outputs: Tensor) -> Tensor:
        """Return whether each label applies, bool, shape (N, K)."""
        return outputs > 0

    def loss(self, outputs: Tensor, targets: Tensor, reduction: str = "sum") -> Tensor:
        from torch.nn import functional

        mean = functional.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype))
        return mean if reduction == "mean" else mean * len(outputs)

    def divergence(
        self, student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE
    ) -> Tensor:
        ours, theirs = (two_sided(outputs.reshape(-1, 1)) for outputs in (student, teacher))
        return softened_divergence(ours, theirs, temperature)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the share of each image's labels that is right, summed."""
        import torch

        same = self.decide(outputs) == (targets > 0)
        return same.to(torch.get_default_dtype()).mean(1).sum()

    def report(self, decided: Tensor, targets: Tensor, count: int) -> dict[str, Any]:
        return report.of_labels(decided, targets > 0)

    def texts(self, decided: Tensor) -> list[str]:
        """Return the numbers of each image's labels, as ``0+2``; ``-`` if it has none."""
        rows = ([str(k) for k, on in enumerate(row) if on] for row in decided.tolist())
        return ["+".join(row) or "-" for row in rows]


@dataclass(frozen=True, eq=False)
class Values(Task, name=VALUES):
    """Outputs are real values themselves.

    Parameters
    ----------
    factor : float
        Real value of one step of the outputs: 1 of a torch model; of a network, that of its
        integer logits.
    spread : tensor of float64, shape (K,), optional
        Variance of the targets, for scores; by default that of the targets at hand.
    """

    figure = "R²"
    is_share = False

    factor: float = 1.0
    spread: Tensor | None = field(default=None, repr=False)

    def decide(self, outputs: Tensor) -> Tensor:
        """Return the values, float64, shape (N, K)."""
        return outputs.double() * self.factor

    def loss(self, outputs: Tensor, targets: Tensor, reduction: str = "sum") -> Tensor:
        from torch.nn import functional

        mean = functional.mse_loss(outputs, targets.to(outputs.dtype))
        return mean if reduction == "mean" else mean * len(outputs)

    def divergence(
        self, student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE
    ) -> Tensor:
        from torch.nn import functional

        return functional.mse_loss(student, teacher)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return R², a mean over the values, times the number of images."""
        spread = report.spread(targets) if self.spread is None else self.spread
        error = (self.decide(outputs) - targets.double()).square() / spread.to(outputs.device)
        return (1 - error.mean(1)).sum()

    def report(self, decided: Tensor, targets: Tensor, count: int) -> dict[str, Any]:
        return report.of_values(decided, targets)

    def targets(self, labels: npt.ArrayLike | Tensor, decided: Tensor) -> Tensor:
        import torch

        found = torch.as_tensor(labels)
        return super().targets(found[:, None] if found.ndim == 1 else found, decided)

    def accuracy(self, decided: Tensor, targets: Tensor) -> float:
        """Return R², a mean over the values."""
        return float(Values().score(decided, targets)) / len(targets)

    def same(self, decided: Tensor, others: Tensor) -> Tensor:
        """Return for which images all values are equal up to one step of the factor."""
        return ((decided - others).abs() <= self.factor).all(1)

    def texts(self, decided: Tensor) -> list[str]:
        return [",".join(f"{value:.6g}" for value in row) for row in decided.tolist()]


def softened_divergence(
    student: Tensor, teacher: Tensor, temperature: float = TEMPERATURE
) -> Tensor:
    """Return the divergence of the teacher's classes from the student's, both softened.

    A factor makes its gradients as large as they would be without the temperature.

    Parameters
    ----------
    student, teacher : tensor, shape (N, classes)
        Logits.
    temperature : float
        Divisor of the logits.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
    """
    return divergence(student / temperature, teacher / temperature) * temperature**2


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of logits as distributions, a mean over the batch."""
    from torch.nn import functional

    return functional.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
    )


def two_sided(outputs: Tensor) -> Tensor:
    """Return the logits of both classes, if outputs are one logit: 0 and itself."""
    if outputs.shape[1] != 1:
        return outputs
    import torch

    return torch.cat([torch.zeros_like(outputs), outputs], 1)


def require_task(name: str) -> str:
    """Return the name of a task.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    return Task.member(name, ConfigError, f"no task is called {name!r}; there are").name


def name_of_network(about: Mapping[str, Any]) -> str | None:
    """Return the name of the task of a network by its ``about``; None if it says nothing.

    Raises
    ------
    ConfigError
        As :func:`of_network`.
    """
    task = of_network(about)
    return None if task is None else task.name


def of_network(about: Mapping[str, Any]) -> Task | None:
    """Return the task of a network by its ``about``; None if it says nothing.

    The contract's label, the largest logit, is then all there is to decide.

    Raises
    ------
    ConfigError
        If ``about`` has a task that is none, or values without a factor.
    """
    stated = about.get(ABOUT)
    if stated is None:
        return None
    if not isinstance(stated, Mapping) or not isinstance(stated.get("kind"), str):
        raise ConfigError(f"the network has the task {stated!r}, which is none: convert again")
    kind = require_task(stated["kind"])
    if kind != VALUES:
        return Task.kinds[kind]()
    factor = stated.get("factor")
    if not isinstance(factor, float | int) or isinstance(factor, bool) or factor <= 0:
        raise ConfigError(
            f"the network has the factor {factor!r} from logits to values, which must be a "
            f"positive number: convert again"
        )
    return Values(float(factor))
