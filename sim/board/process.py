"""Board process: runs a simulated board's program, and connects its UART to a pseudo-terminal."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from spikeloom.sw.children import Child
from spikeloom.sw.closing import Closing
from spikeloom.sw.errors import LinkError

#: Seconds after which a program that does not end by itself is killed.
_KILL_AFTER = 5.0
_ENDED = "the simulated board has ended by itself: please report this"


class LightChange(NamedTuple):
    """A change of an LED."""

    #: The LED's name on the board: ``"passed"``, ``"failed"`` or ``"alive"``.
    name: str
    #: Whether the LED is on now.
    on: bool
    #: Clock cycle of the change, counted from power-up.
    cycle: int


class BoardProcess(Closing):
    """A simulated board's process, and a :class:`~spikeloom.sw.link.Line` to its UART.

    Parameters
    ----------
    changed : callable
        Called with each :class:`LightChange`, from another thread. It must not close the board.

    Attributes
    ----------
    port : str
        Path of the pseudo-terminal; empty while the board is switched off.
    lights : dict of str to bool
        Whether each LED is on, by name.
    changes : list of LightChange
        All changes of LEDs since power-up.
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
        """Switch the board on.

        Parameters
        ----------
        program : Path
            Program that :func:`~spikeloom.sim.program.build` made with ``main.cpp``.
        bit : (int, int)
            Rate of the UART in bits per clock cycle, as the fraction that
            :func:`~spikeloom.hw.link.uart.ratio` returns.
        lights : sequence of str
            Names of the LEDs; the first is the lowest bit of the design's port ``lights``.
        ends : sequence of str
            Names of the LEDs that show the end of the self test; empty if there is no self test.

        Raises
        ------
        LinkError
            If the board is switched on already.
        """
        if self.port:
            raise LinkError(f"the simulated board is switched on already, at {self.port}")
        self.lights = dict.fromkeys(lights, False)
        self.changes.clear()
        self._over = False
        mask = sum(1 << lights.index(name) for name in ends)
        # We keep the terminal's end open, so that the port exists however often hosts open and
        # close it.
        master, self._line = os.openpty()
        try:
            tty.setraw(self._line)
            self._child = Child(
                [str(program), *map(str, (master, *bit, mask))],
                [master],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._process = self._child.process
        except BaseException:
            os.close(self._line)
            raise
        finally:
            os.close(master)
        self.port = os.ttyname(self._line)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Send bytes to the board's UART.

        Raises
        ------
        LinkError
            If the board is switched off, or its program has ended.
        """
        with self._using():
            while data:
                data = data[os.write(self._line, data) :]

    def read(self, timeout: float) -> bytes:
        """Return bytes that the board has sent, at least one unless ``timeout`` seconds pass.

        Raises
        ------
        LinkError
            If the board is switched off, or its program has ended.
        """
        with self._using():
            found, _, _ = select.select([self._line], [], [], timeout)
            data = os.read(self._line, 4096) if found else b""
        if found and not data:
            raise LinkError(_ENDED)
        return data

    def close(self) -> None:
        """Switch the board off; does nothing if it is off already."""
        if not self.port:
            return
        self.port = ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_AFTER)
        self._child.end()
        self._thread.join()
        self._process.stdout.close()
        os.close(self._line)

    @property
    def running(self) -> bool:
        """Whether the board is switched on and its program has not ended."""
        return bool(self.port) and self._process.poll() is None

    def wait_for(self, name: str, on: bool = True, timeout: float = 60.0) -> LightChange:
        """Wait until an LED is on or off, and return its last change.

        Parameters
        ----------
        name : str
            Name of the LED.
        on : bool
            State to wait for.
        timeout : float
            Seconds to wait at most.

        Raises
        ------
        LinkError
            If the LED has not reached the state in time, or the program has ended before.
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
        """Read changes of LEDs from the program until it ends; runs in a thread of its own."""
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
        """Raise `LinkError` if the board is off, or in place of the terminal's `OSError`."""
        if not self.port:
            raise LinkError("the simulated board is switched off")
        try:
            yield
        except OSError:
            raise LinkError(_ENDED) from None
