"""Trained models, as training returns them, checkpoints hold them and conversion takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx

from spikeloom.sw.datasets import Dataset
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.spiking import SpikingNetwork


@dataclass(frozen=True)
class Trained:
    """A trained, prepared model, its origin and its accuracy.

    Parameters
    ----------
    model : fx.GraphModule or SpikingNetwork
        From :func:`~spikeloom.sw.quantized.prepare`, or
        :func:`~spikeloom.sw.spiking.spiking` if it was trained through time or calibrated; in eval
        mode.
    spec : str
        Zoo name or ``"path/to/module.py:Net"`` of the original model; ``""`` if unknown.
    dataset : str
        Name of the data that the model was trained on.
    float_accuracy, quantized_accuracy : float or None
        Share of the test images that the ReLU model, and the quantized one, got right; or another
        task's score: see :func:`~spikeloom.sw.training.evaluate`.
    start : mapping of layer name to float, or None
        λ of each layer before training, for diagnosis; None if unknown.
    report : mapping, or None
        Figures of the quantized model on the test images, such as the confusion matrix: see
        :mod:`spikeloom.sw.tasks.report`. Not part of a checkpoint.
    """

    model: fx.GraphModule | SpikingNetwork
    spec: str
    dataset: str
    float_accuracy: float | None
    quantized_accuracy: float | None
    start: Mapping[str, float] | None = None
    report: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        figures = [
            f"{what} {accuracy:.2%}".replace("%", " %")
            for what, accuracy in (
                ("float", self.float_accuracy),
                ("quantized", self.quantized_accuracy),
            )
            if accuracy is not None
        ]
        accuracies = f"; accuracy: {', '.join(figures)}" if figures else ""
        first = f"<Trained {self.spec or 'model'!r} on {self.dataset or 'unknown data'}{accuracies}"
        return f"{first}\n  {self.model!r}>"

    @property
    def prepared(self) -> fx.GraphModule:
        """The prepared model, also of a spiking network."""
        return self.model.prepared if isinstance(self.model, SpikingNetwork) else self.model

    def as_seen(self, data: Dataset) -> Dataset:
        """Return a data set with the pixels that the model was prepared for.

        Raises
        ------
        ConfigError
            If the data set's pixels cannot become such ones.
        """
        pixels = self.prepared.meta[META].get("pixels")
        return data if pixels is None else data.with_pixels(pixels)

    @classmethod
    def of(
        cls,
        model: fx.GraphModule | SpikingNetwork,
        *,
        spec: str = "",
        dataset: str = "",
        input_bits: int | None = None,
        input_scale: float | None = None,
        float_accuracy: float | None = None,
        quantized_accuracy: float | None = None,
        start: Mapping[str, float] | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> Trained:
        """Return a trained model, and store in it the properties of its input for conversion.

        Parameters
        ----------
        model : fx.GraphModule or SpikingNetwork
            Its ``meta``, or that of its prepared model, is extended.
        input_bits, input_scale : int and float, optional
            As in :func:`~spikeloom.sw.conversion.convert`; of no use for a model that was prepared
            for pixels, which it knows itself.
        spec, dataset, float_accuracy, quantized_accuracy, start, report
            As above.
        """
        about = {
            "model": spec,
            "dataset": dataset,
            "accuracy": {"float": float_accuracy, "quantized": quantized_accuracy},
        }
        trained = cls(model, spec, dataset, float_accuracy, quantized_accuracy, start, report)
        meta = trained.prepared.meta[META]
        meta["about"] = about
        if "pixels" not in meta:
            meta |= {"input_bits": input_bits, "input_scale": input_scale}
        return trained
