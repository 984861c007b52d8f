"""History of the layers' health, read from the log of a training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sw.diagnostics.health import LayerHealth
from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.files import read_bytes

#: Name of the log in a training's folder.
LOG = "log.jsonl"


@dataclass(frozen=True)
class Phase:
    """Health of the layers in a phase of a training, or in one measurement.

    Parameters
    ----------
    name : str
    epochs : sequence of sequences of LayerHealth
        Health of all layers, epoch by epoch; at least one epoch.
    """

    name: str
    epochs: Sequence[Sequence[LayerHealth]]


def read_log(folder: str | Path) -> list[Phase]:
    """Return the phases of the training in ``folder`` whose layers were watched, in order.

    Each line of ``log.jsonl`` is a JSON object for one epoch. It has ``phase``, perhaps ``kind``,
    ``epoch`` and, if the layers were watched, ``health``: the
    :class:`~spikeloom.sw.diagnostics.LayerHealth` of each layer. A last line that a killed training
    left unfinished is skipped.

    Raises
    ------
    FileFormatError
        If there is no log, it is damaged, or no layer was ever watched.
    """
    path = Path(folder) / LOG
    phases: list[Phase] = []
    previous: tuple[Any, int] | None = None
    for number, record in enumerate(_records(path), 1):
        try:
            phase, epoch = record["phase"], int(record["epoch"])
            title = " ".join(str(record[key]) for key in ("phase", "kind") if key in record)
            layers = [LayerHealth.from_json(layer) for layer in record.get("health") or ()]
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(
                f"{path} is damaged in line {number}: {error!r}; it should have phase, epoch and "
                f"health"
            ) from None
        except FileFormatError as error:
            raise FileFormatError(f"{path} is damaged in line {number}: {error}") from None
        if layers:
            if previous is None or previous[0] != phase or previous[1] >= epoch:
                phases.append(Phase(title, []))
            phases[-1] = Phase(phases[-1].name, [*phases[-1].epochs, layers])
            previous = (phase, epoch)
    if not phases:
        raise FileFormatError(
            f"{path} tells nothing of layers: only phases with quantized activations watch them"
        )
    return phases


def _records(path: Path) -> list[dict[str, Any]]:
    text = read_bytes(path, "training log").decode("utf-8", errors="replace")
    lines = text.splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines) and not text.endswith("\n"):
                break  # the training was killed while it wrote
            raise FileFormatError(f"{path} is damaged in line {number}: it is no JSON") from None
        if not isinstance(record, dict):
            raise FileFormatError(f"{path} is damaged in line {number}: it is no JSON object")
        records.append(record)
    return records
