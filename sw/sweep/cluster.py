"""A Dask cluster as a crew: trials run wherever its workers are."""

from __future__ import annotations

import importlib
import importlib.metadata
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikeloom.sw import tables
from spikeloom.sw.errors import ConfigError, ToolError
from spikeloom.sw.files import write_bytes
from spikeloom.sw.sweep.crew import Crew, Lost
from spikeloom.sw.sweep.trial import Answer, Task, carry_out

#: Seconds to wait for the scheduler to answer.
_PATIENCE = 20
#: In a worker's process: trials of its threads run one after another, since torch's random numbers
#: and number of threads belong to the process.
_ONE = threading.Lock()


def on_worker(task: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Carry out a trial in a folder of its own; return its answer and its files by their names."""
    with _ONE, tempfile.TemporaryDirectory(prefix="spikeloom-trial-") as folder:
        given = replace(tables.read(Task, task, "task"), folder=folder)
        answer = carry_out(given)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}
        return answer.plain(), files


def _version() -> str:
    """Return the version of Spikeloom that a worker has."""
    import spikeloom.sw.sweep.cluster  # noqa: F401  # it is of this version, too

    return importlib.metadata.version("spikeloom")


class DaskCrew(Crew):
    """The workers of a Dask cluster, one trial at a time on each.

    A trial's files come back over the network, so that no folder is shared. Files that the recipe
    names, such as a model's or data of your own, are looked for at the same paths on each worker.
    If a worker is lost, Dask itself gives its trial to another.

    Parameters
    ----------
    address : str
        Of the scheduler, as in ``tcp://10.0.0.5:8786``.

    Raises
    ------
    ToolError
        If Dask is not installed, or Spikeloom is not on the workers, in this version.
    ConfigError
        If no scheduler answers at the address, or it has no workers.
    """

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise ToolError(
                f"--dask needs Dask's package distributed, which is not installed here ({error}): "
                f"pip install 'spikeloom[sweep]'"
            ) from None
        self._wait = distributed.wait
        try:
            self._client = distributed.Client(address, timeout=_PATIENCE)
        except (OSError, ValueError) as error:
            text = " ".join(str(error).split())
            raise ConfigError(
                f"no Dask scheduler answers at {address!r} ({text}): give the address that "
                f"`dask scheduler` prints, as in tcp://10.0.0.5:8786"
            ) from None
        self._futures: dict[int, Any] = {}
        self._folders: dict[int, str] = {}
        try:
            self.size = self._require_workers(address)
        except BaseException:
            self.close()
            raise

    def _require_workers(self, address: str) -> int:
        """Return the number of workers, all of which have this Spikeloom."""
        own = _version()
        try:
            versions = self._client.run(_version)
        except Exception as error:  # as pickle raises it where the module is missing
            raise ToolError(
                f"a worker of the cluster at {address} cannot import Spikeloom's sweeps ({error}): "
                f"install the same version, {own}, where it runs"
            ) from None
        if not versions:
            raise ConfigError(
                f"the cluster at {address} has no workers: start some by `dask worker {address}`"
            )
        for worker, version in versions.items():
            if version != own:
                raise ToolError(
                    f"the worker {worker} has Spikeloom {version}, and this is {own}: install the "
                    f"same version"
                )
        return len(versions)

    def begin(self, task: Task) -> None:
        self._folders[task.number] = task.folder
        # Not pure: a trial that is begun again is not taken from the scheduler's memory.
        self._futures[task.number] = self._client.submit(on_worker, task.plain(), pure=False)

    def ended(self) -> list[tuple[int, Answer | Lost]]:
        self._wait(list(self._futures.values()), return_when="FIRST_COMPLETED")
        found: list[tuple[int, Answer | Lost]] = []
        for number, future in list(self._futures.items()):
            if future.done():
                del self._futures[number]
                found.append((number, self._answer(future, Path(self._folders.pop(number)))))
        return found

    def _answer(self, future: Any, folder: Path) -> Answer | Lost:
        try:
            answer, files = future.result()
        except Exception as error:  # KilledWorker, CancelledError, and whatever breaks in between
            return Lost(f"by {type(error).__name__}: {' '.join(str(error).split())[:200]}")
        for name, content in files.items():
            write_bytes(folder / Path(name).name, content)
        return Answer(**answer)

    def close(self) -> None:
        self._client.cancel(list(self._futures.values()))
        self._futures.clear()
        self._client.close()
