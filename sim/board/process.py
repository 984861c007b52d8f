"""A program of a board that runs, and the pseudo-terminal that leads to its pins."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from spikeloom.sw.errors import LinkError

#: Seconds that the program has to end by itself.
_PATIENCE = 5.0
_ENDED = "the simulated board has ended by itself: please report this"


class LightChange(NamedTuple):
    """An LED has changed."""

    #: What the board has it for: ``"passed"``, ``"failed"``, ``"alive"``.
    name: str
    on: bool
    #: Clock cycles since power-up.
    cycle: int


class BoardProcess:
    """Runs a program of ``main.cpp``; a :class:`~spikeloom.sw.link.Transport` to its UART.

    Parameters
    ----------
    changed : callable
        Called with each :class:`LightChange`, from another thread; it may not close this.

    Attributes
    ----------
    port : str
        Path of the pseudo-terminal, while it runs.
    lights : dict of str to bool
        Which LEDs shine.
    changes : list of LightChange
        All changes since power-up.
    """

    def __init__(self, changed: Callable[[LightChange], object] = lambda change: None) -> None:
        self.port = ""
        self.lights: dict[str, bool] = {}
        self.changes: list[LightChange] = []
        self._changed = changed
        self._news = threading.Condition()
        self._over = False

    def start(
        self, program: Path, bit: tuple[int, int], lights: Sequence[str], ends: Sequence[str] = ()
    ) -> None:
        """Switch on.

        Parameters
        ----------
        program : Path
        bit : (int, int)
            Bits and cycles of some time, as :func:`~spikeloom.hw.link.uart.ratio` says.
        lights : sequence of str
            Names of the LEDs, the first the lowest bit of the port ``lights``.
        ends : sequence of str
            Those of which one ends the self test; none if there is no self test.

        Raises
        ------
        LinkError
            If it is switched on already.
        """
        if self.port:
            raise LinkError(f"the simulated board is switched on already, at {self.port}")
        self.lights = dict.fromkeys(lights, False)
        self.changes.clear()
        self._over = False
        mask = sum(1 << lights.index(name) for name in ends)
        # This side stays open, so that the port is there whoever comes and goes.
        master, self._line = os.openpty()
        try:
            tty.setraw(self._line)
            # Ctrl-C is for this process, which then ends the program.
            self._process = subprocess.Popen(
                [program, *map(str, (master, *bit, mask))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[master],
                start_new_session=True,
                text=True,
            )
        except BaseException:
            os.close(self._line)
            raise
        finally:
            os.close(master)
        self.port = os.ttyname(self._line)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return itself, which is switched off when the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch off."""
        self.close()

    def write(self, data: bytes) -> None:
        """Send bytes to the board's UART.

        Raises
        ------
        LinkError
            If it is switched off, or its program has ended.
        """
        with self._using():
            while data:
                data = data[os.write(self._line, data) :]

    def read(self, timeout: float) -> bytes:
        """Return what the board has sent and nobody else has read.

        Raises
        ------
        LinkError
            If it is switched off, or its program has ended.
        """
        with self._using():
            found, _, _ = select.select([self._line], [], [], timeout)
            data = os.read(self._line, 4096) if found else b""
        if found and not data:
            raise LinkError(_ENDED)
        return data

    def close(self) -> None:
        """Switch off; once more is no harm."""
        if not self.port:
            return
        self.port = ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        os.close(self._line)

    @property
    def running(self) -> bool:
        """Whether it is switched on, and its program has not failed."""
        return bool(self.port) and self._process.poll() is None

    def wait_for(self, name: str, on: bool = True, timeout: float = 60.0) -> LightChange:
        """Wait until a light is on or off, and return the change that made it so.

        Parameters
        ----------
        name : str
        on : bool
        timeout : float
            Seconds.

        Raises
        ------
        LinkError
            If that has not happened in time, or does not since the program has ended.
        """

        def found() -> LightChange | None:
            last = next((c for c in reversed(self.changes) if c.name == name), None)
            return last if last is not None and last.on == on else None

        with self._news:
            self._news.wait_for(lambda: found() or self._over, timeout)
            change = found()
        if change is None:
            if self._over:
                raise LinkError(_ENDED)
            state = "on" if on else "off"
            raise LinkError(f"the light {name!r} did not go {state} in {timeout:g} seconds")
        return change

    def _listen(self) -> None:
        """Follow the lights until the program ends."""
        assert self._process.stdout is not None
        names = list(self.lights)
        for line in self._process.stdout:
            _, number, level, cycle = line.split()
            change = LightChange(names[int(number)], level == "1", int(cycle))
            with self._news:
                self.lights[change.name] = change.on
                self.changes.append(change)
                self._news.notify_all()
            self._changed(change)
        with self._news:
            self._over = True
            self._news.notify_all()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Turn what a terminal without a board behind it raises into our own error."""
        if not self.port:
            raise LinkError("the simulated board is switched off")
        try:
            yield
        except OSError:
            raise LinkError(_ENDED) from None
