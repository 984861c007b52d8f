"""Scoreboard: the hardware's values against the golden model's, and the first difference.

All expected values come from :mod:`spikeloom.sw.golden`. They are brought into the hardware's order
(image, row, column, group of lanes, timestep), so that the first difference in a layer's values is
also the first in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from spikeloom.hw.planning.streams import Sends
from spikeloom.sim.design import EngineInfo
from spikeloom.sim.divergence import Divergence, Tally
from spikeloom.sim.order import differences, in_hardware_order, used_lanes
from spikeloom.sim.records import LayerRecords
from spikeloom.sw.golden import LayerTrace, Result
from spikeloom.sw.golden.streams import counts_of, in_stream_order
from spikeloom.sw.network.record import IntArray

#: Name of the values that a layer passes on, by :attr:`~spikeloom.sim.design.EngineInfo.sends`.
SENT: dict[str, str] = {Sends.COUNT: "counts", Sends.SPIKES: "sent", Sends.LOGITS: "logits"}

#: Quantities that have a value at each timestep, unless time is folded.
_OF_STEPS = ("spikes", "potentials", "sent")


class LayerScore:
    """Comparison of one layer, batch by batch.

    Parameters
    ----------
    layer : EngineInfo
    records : LayerRecords
        The hardware's values.
    offset : int
        Index that divergences give to the records' first image.

    Attributes
    ----------
    tallies : dict of str to Tally
        Values compared and differing, by quantity.
    divergence : Divergence or None
        The first difference in time.
    """

    def __init__(self, layer: EngineInfo, records: LayerRecords, offset: int = 0) -> None:
        self.layer = layer
        self.offset = offset
        self.tallies: dict[str, Tally] = {}
        self.divergence: Divergence | None = None
        self._records = records
        steps = layer.timesteps if layer.sends == Sends.SPIKES else 1
        self._used = (
            used_lanes(layer.at_work, layer.shown_timesteps, layer.steps_per_image),
            used_lanes(layer, steps, layer.sent_per_image),
        )

    def check(self, first: int, expected: Result) -> None:
        """Compare one batch of images.

        Parameters
        ----------
        first : int
            Index of the batch's first image.
        expected : Result
            The golden model's result for the batch, with its trace.
        """
        layer = self.layer
        assert expected.trace is not None, "the scoreboard needs the golden model's trace"
        trace = expected.trace[layer.name]
        images = trace.spikes.shape[1]
        counts = expected.counts.get(layer.name)
        values = {
            "spikes": trace.spikes,
            "potentials": trace.potentials,
            SENT[layer.sends]: _sent(layer, expected, trace),
        }
        if layer.folded:
            assert counts is not None, "only layers that fire are folded"
            values = {"counts": counts[None], "potentials": trace.potentials[-1:]}
            values["sent"] = counts[None]
        orders = (layer.at_work, layer.at_work, layer)
        wanted = {
            name: (order, len(x), in_hardware_order(order, x))
            for (name, x), order in zip(values.items(), orders, strict=True)
        }
        sums = None
        if layer.sends == Sends.SPIKES:
            assert counts is not None, "logits are no spikes"
            sums = in_hardware_order(layer, counts[None])
        spikes, potentials, passed = (records for _, _, records in wanted.values())
        if self._records.agree(first, images, (spikes, potentials), passed, self._used):
            for quantity, (_, steps, _) in wanted.items():
                self._tally(quantity, images * steps * math.prod(layer.shape), 0)
            if sums is not None:  # of equal values, and so equal
                self._tally("counts", images * math.prod(layer.shape), 0)
            return
        shown = self._shown(first, first + images)
        self._compare(
            first,
            {
                name: (*expected_records, got)
                for (name, expected_records), got in zip(wanted.items(), shown, strict=True)
            },
        )
        if sums is not None:
            self._compare(first, {"counts": (layer, 1, sums, self._sums(shown[2]))})

    def counts(self, first: int, images: int) -> IntArray:
        """Return the hardware's spike counts of some images.

        Parameters
        ----------
        first, images : int
            Index of the first image, and number of images.

        Returns
        -------
        array of int64, shape (images, *shape)
            Counts that the hardware never sent are 0.
        """
        per_image = self.layer.sent_per_image
        words = self._records.sent(slice(first * per_image, (first + images) * per_image))
        filled = np.zeros((images * per_image, self.layer.lanes), np.int64)
        filled[: len(words)] = words
        return counts_of(self.layer.shape, filled.reshape(images, per_image, -1))

    def check_surplus(self, images: int) -> None:
        """Count the hardware's values after those of all ``images`` as surplus, which differ."""
        spikes, potentials, sent = self._shown(images, None)
        layer = self.layer
        work = layer.at_work
        nothing = np.zeros((0, layer.lanes), np.int64)
        none = np.zeros((0, work.lanes), np.int64)
        steps = layer.timesteps if layer.sends == Sends.SPIKES else 1
        self._compare(
            images,
            {
                "counts" if layer.folded else "spikes": (work, layer.shown_timesteps, none, spikes),
                "potentials": (work, layer.shown_timesteps, none, potentials),
                "sent" if layer.folded else SENT[layer.sends]: (layer, steps, nothing, sent),
            },
        )

    def _shown(self, first: int, last: int | None) -> tuple[IntArray, IntArray, IntArray]:
        """Return the hardware's spikes, potentials and sent values of images ``first`` to ``last``.

        ``last`` is exclusive; None stands for all records.
        """
        of_steps, of_sent = (
            slice(first * per_image, None if last is None else last * per_image)
            for per_image in (self.layer.steps_per_image, self.layer.sent_per_image)
        )
        return (*self._records.steps(of_steps), self._records.sent(of_sent))

    def _sums(self, sent: IntArray) -> IntArray:
        """Return the sums over time of spikes that were passed on in single timesteps."""
        steps, lanes = self.layer.timesteps, self.layer.lanes
        complete = len(sent) // steps
        return sent[: complete * steps].reshape(complete, steps, lanes).sum(axis=1)

    def _compare(
        self, first: int, quantities: dict[str, tuple[EngineInfo, int, IntArray, IntArray]]
    ) -> None:
        """Compare quantities, each given as (order, timesteps, expected records, hardware's).

        ``first`` is the index of the image that the records begin with, and an order is the layer
        whose lanes a record has.
        """
        found = []
        for quantity, (order, steps, expected, got) in quantities.items():
            differs = differences(order, steps, expected, got)
            used = used_lanes(order, steps, len(differs))
            differing = int(differs.sum())
            self._tally(quantity, int(used.sum()), differing)
            if differing and self.divergence is None:
                at = divmod(int(differs.argmax()), order.lanes)
                named = self._named(order, first, steps, quantity, at, expected, got)
                found.append((self._place(named, order), named))
        if found:
            # If several values of one neuron differ, the first quantity wins: a wrong spike tells
            # more than a wrong potential.
            self.divergence = min(found, key=lambda one: one[0])[1]

    def _tally(self, quantity: str, compared: int, differing: int) -> None:
        tally = Tally(compared, differing)
        self.tallies[quantity] = self.tallies.get(quantity, Tally()) + tally

    def _place(self, divergence: Divergence, order: EngineInfo) -> tuple[int, ...]:
        """Return a key that sorts this layer's divergences by time."""
        channel, *position = divergence.neuron
        lanes, units = self.layer.lanes, self.layer.units
        # What is sent leaves after the last turn.
        turn = (channel if order.lanes == units else lanes - 1) % lanes // units
        step = self.layer.timesteps if divergence.timestep is None else divergence.timestep
        return (divergence.image, *position, channel // lanes, turn, step)

    def _named(
        self,
        layer: EngineInfo,
        first: int,
        steps: int,
        quantity: str,
        at: tuple[int, int],
        expected: IntArray,
        got: IntArray,
    ) -> Divergence:
        """Return the divergence of the value at ``at``, a record and a lane in a layer's order."""
        record, lane = at
        rest, step = divmod(record, steps)
        rest, group = divmod(rest, layer.groups)
        image, position = divmod(rest, layer.positions)
        channel = group * layer.lanes + lane
        neuron: tuple[int, ...] = (channel,)
        if len(layer.shape) == 3:
            neuron = (channel, *divmod(position, layer.shape[2]))
        return Divergence(
            image=self.offset + first + image,
            layer=layer.name,
            quantity=quantity,
            neuron=neuron,
            timestep=step if steps > 1 or (quantity in _OF_STEPS and not layer.folded) else None,
            expected=int(expected[record, lane]) if record < len(expected) else None,
            got=int(got[record, lane]) if record < len(got) else None,
        )


@dataclass
class OutputScore:
    """Comparison of the output stream, batch by batch.

    Parameters
    ----------
    layer : EngineInfo
        The last layer.

    Attributes
    ----------
    tallies : dict of str to Tally
        Values compared and differing: ``"logits"``, ``"last"`` (the mark of an image's last logit)
        and ``"labels"``.
    divergence : Divergence or None
        The first difference in time.
    """

    layer: EngineInfo
    tallies: dict[str, Tally] = field(default_factory=dict)
    divergence: Divergence | None = None

    def check(self, first: int, expected: Result, logits: IntArray, last: IntArray) -> None:
        """Compare one batch of images.

        Parameters
        ----------
        first : int
            Index of the batch's first image.
        expected : Result
            The golden model's result for the batch.
        logits, last : array of int64, shape (transfers,)
            The hardware's values in the order of the stream. Those after the batch's last image
            count as surplus.
        """
        images, classes = expected.logits.shape
        wanted = in_stream_order(self.layer.shape, expected.logits.numpy()).reshape(-1)
        marks = np.tile(np.arange(classes) == classes - 1, images).astype(np.int64)
        total = images * classes
        for quantity, want, got in (("logits", wanted, logits), ("last", marks, last)):
            length = max(total, len(got))
            differs = np.ones(length, np.bool_)
            common = min(total, len(got))
            differs[:common] = want[:common] != got[:common]
            tally = Tally(length, int(differs.sum()))
            self.tallies[quantity] = self.tallies.get(quantity, Tally()) + tally
            if tally.differing and self.divergence is None:
                at = int(differs.argmax())
                image, index = divmod(at, classes)
                self.divergence = Divergence(
                    image=first + image,
                    layer=self.layer.name,
                    quantity=f"output {quantity}",
                    neuron=_neuron(self.layer.shape, index),
                    timestep=None,
                    expected=int(want[at]) if at < total else None,
                    got=int(got[at]) if at < len(got) else None,
                )

    def check_labels(self, expected: IntArray, got: IntArray) -> None:
        """Compare a batch's labels; -1 stands for a label that never came."""
        tally = Tally(len(expected), int((expected != got).sum()))
        self.tallies["labels"] = self.tallies.get("labels", Tally()) + tally


def _sent(layer: EngineInfo, expected: Result, trace: LayerTrace) -> Tensor:
    """Return the golden values that a layer passes on, shape (T or 1, N, *shape)."""
    if layer.sends == Sends.SPIKES:
        return trace.spikes
    if layer.sends == Sends.LOGITS:
        return trace.potentials[-1:]
    return expected.counts[layer.name][None]


def _neuron(shape: tuple[int, ...], index: int) -> tuple[int, ...]:
    """Return the neuron whose logit has an index in the output stream."""
    position, channel = divmod(index, shape[0])
    return (channel, *divmod(position, shape[2])) if len(shape) == 3 else (channel,)
