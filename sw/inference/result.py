"""Results of inference, in the same form for the golden model, a simulation and a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
from torch import Tensor

from spikeloom.sw.golden import Work
from spikeloom.sw.link import Traffic
from spikeloom.sw.progress import Report
from spikeloom.sw.tasks import Classes, Task

#: ``progress(stage, done, total)`` is called as work proceeds. In stage ``"run"``, images are
#: counted; a simulation has further stages.
Progress = Report


@dataclass(frozen=True, eq=False)
class Inference:
    """Results of N images. Logits, labels and counts are the same for all targets.

    Parameters
    ----------
    target : str
        Name of the target that ran the images.
    logits : Tensor of int64, shape (N, K)
        In the order of the network: a feature map is flattened channel by channel.
    labels : Tensor of int64, shape (N,)
        The contract's label: index of the largest logit, the lowest of equals.
    counts : mapping of str to Tensor of int64, shape (N, *shape)
        Spikes summed over the timesteps, for each layer that was asked for.
    seconds : float
        Time from the first image to the last result.
    cycles : Tensor of int64, shape (N,), or None
        Clock cycles of each image, from its first value to its last logit; None if the target does
        not count them.
    cycles_per_image : float or None
        Average of ``cycles``. In a simulation, where images overlap: all clock cycles, divided by
        the number of images.
    counters : mapping of str to mapping of str to int, or None
        Counters of each layer, if there are any: ``cycles``, ``starved``, ``blocked``, ``events``.
        On a board, they are modulo 2^32, and count on while the accelerator waits for the link.
    traffic : Traffic or None
        Numbers of requests and images on a board's link, with those that were sent again.
    task : Task or None
        Meaning of the logits, as the network's ``about`` states it; None if the largest decides.
    work : Work or None
        Additions, reads of weights and spikes, which the golden model counts, also beside a
        simulation; None on a board.
    """

    target: str
    logits: Tensor
    labels: Tensor
    counts: Mapping[str, Tensor]
    seconds: float
    cycles: Tensor | None = None
    cycles_per_image: float | None = None
    counters: Mapping[str, Mapping[str, int]] | None = None
    traffic: Traffic | None = field(default=None)
    task: Task | None = None
    work: Work | None = None

    @property
    def decisions(self) -> Tensor:
        """The meaning of the logits by the network's task.

        Of one class of several, int64 of shape (N,), the labels; of a network with one logit, 1
        where it is above 0. Of several labels at once, bool of shape (N, K). Of real values,
        float64 of shape (N, K): the logits times the factor in the network's ``about``.
        """
        return self.labels if self.task is None else self.task.decide(self.logits)

    def report(self, targets: npt.ArrayLike | Tensor) -> dict[str, Any]:
        """Return how good the decisions are: see :mod:`spikeloom.sw.tasks.report`.

        Parameters
        ----------
        targets : tensor or array
            In the form of :attr:`decisions`.

        Raises
        ------
        DataError
            If they have another shape.
        """
        task, decided = self.task or Classes(), self.decisions
        return task.report(decided, task.targets(targets, decided), max(2, self.logits.shape[1]))

    @property
    def images_per_second(self) -> float:
        """Images per second, with the time on the link included."""
        return len(self.labels) / self.seconds

    def accuracy(self, labels: npt.ArrayLike | Tensor) -> float:
        """Return the fraction of images whose label equals that in ``labels``, shape (N,).

        Of a network with several labels, it is the share of all labels that are right; of real
        values, R², a mean over them.

        Raises
        ------
        DataError
            If there is not one label for each image.
        """
        task, decided = self.task or Classes(), self.decisions
        return task.accuracy(decided, task.targets(labels, decided))
