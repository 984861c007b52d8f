"""One execution: a reader is given an input, and how that ends is judged."""

from __future__ import annotations

import hashlib
import re
import resource
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spikeloom.sw.errors import SpikeloomError

if TYPE_CHECKING:
    from fuzz.targets import Target

#: Seconds of processor time that one execution may take.
SECONDS = 5.0
#: Bytes of memory that one execution may add to the most that the process has had: always, and for
#: each byte of the input.
ALWAYS, PER_BYTE = 256 << 20, 256


class TooLongError(BaseException):
    """An execution takes more than :data:`SECONDS`. No reader's ``except Exception`` stops it."""


@dataclass(frozen=True)
class Verdict:
    """The end of one execution.

    Parameters
    ----------
    message : str or None
        Of the project's own error; None if the input was accepted.
    failure : str
        Everything that is wrong, as text of several lines; empty if nothing is.
    """

    message: str | None = None
    failure: str = ""

    @property
    def kind(self) -> str:
        """The message without values of the input, by which refusals are counted as one kind."""
        return re.sub(r"'[^']*'|\"[^\"]*\"|\([^()]*\)|\d+", "_", self.message or "")[:100]

    @property
    def name(self) -> str:
        """A name that failures at one place of the code have in common, for a file."""
        places = re.findall(r'File "[^"]*?([\w.]+)", line (\d+)', self.failure)
        first = self.failure.partition("\n")[0]
        mark = hashlib.sha256(f"{places[-4:]}{first[:40]}".encode()).hexdigest()[:8]
        word = re.match(r"\w+", self.failure.rpartition("\n")[2] or first)
        return f"{word[0] if word else 'failure'}-{mark}"


def execute(target: Target, data: bytes) -> Verdict:
    """Return how the reading of an input ends."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = None
    try:
        with _limited():
            target.take(data)
    except SpikeloomError as error:
        message = str(error)
        if not message or "\n" in message:
            return Verdict(message, f"a message of several lines, or none: {message!r}")
    except TooLongError as error:
        if target.guarded and _in_library(error):
            return Verdict("the library does not return")
        return Verdict(None, f"more than {SECONDS:g} s\n{traceback.format_exc().strip()}")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return Verdict(None, traceback.format_exc().strip())
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if taken > ALWAYS + PER_BYTE * len(data):
        return Verdict(message, f"{taken >> 20} MiB of memory for {len(data)} bytes: {message}")
    return Verdict(message)


def _in_library(error: BaseException) -> bool:
    """Return whether an error rose within Cython, called by the project's own code."""
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(name.endswith(".pyx") for name in frames)


@contextmanager
def _limited() -> Iterator[None]:
    """Raise `TooLongError` in a block that takes too long, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _end(*_: object) -> None:
    raise TooLongError
