"""Log of a training: a line of JSON per epoch, and curves for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spikeloom.sw.files import write_text


class Log:
    """The log of one training, ``log.jsonl`` and ``tensorboard/`` in its folder.

    Parameters
    ----------
    folder : path
    history : list of dict
        Records of earlier epochs, if a training is resumed; the log begins with exactly these.
    """

    def __init__(self, folder: Path, history: list[dict[str, Any]]) -> None:
        from tensorboardX import SummaryWriter

        self.path = folder / "log.jsonl"
        write_text(self.path, "".join(map(_line, history)))
        # TensorBoard drops the curves of epochs that an interruption has lost.
        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=len(history))
        self.step = len(history)

    def add(self, record: Mapping[str, Any]) -> None:
        """Write the record of one epoch."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))
        for name, value in _scalars(record):
            self.writer.add_scalar(name, value, self.step)
        self.writer.flush()
        self.step += 1

    def close(self) -> None:
        """Close the files."""
        self.writer.close()


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"


def _scalars(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the name and value of every number in a record that makes a curve."""
    for key, value in record.items():
        if isinstance(value, bool) or key in ("phase", "epoch"):
            continue
        if isinstance(value, int | float):
            yield key, value
        elif isinstance(value, Mapping):
            yield from ((f"{key}/{name}", x) for name, x in _scalars(value))
        elif isinstance(value, list):
            for layer in value:
                yield from ((f"{key}/{name}/{layer['name']}", x) for name, x in _scalars(layer))
