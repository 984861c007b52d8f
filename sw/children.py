"""Programs that end with the process that has started them, whatever ends it.

A signal that cannot be caught, such as SIGKILL, leaves no time to end anything. So each program
gets a watcher, which waits at the other end of a pipe. The system closes the pipe when its owner is
gone, and the watcher then kills the program's process group: make, and the compilers that it runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from spikeloom.sw.closing import Closing

#: Leaves a watcher behind, in the same group, and becomes the program. The watcher is a child of
#: nobody, so that a program that waits for its children does not find it; it ignores signals that
#: a program may survive, and keeps no file open, since others wait for the end of those.
_LAUNCH = """
import os, signal, sys
pipe = int(sys.argv[1])
if not os.fork():
    if not os.fork():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(0, pipe)
        os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))
        os.read(pipe, 1)
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
os.wait()
os.close(pipe)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


class Child(Closing):
    """A program in a session of its own, all of whose processes end with this one.

    Ctrl-C reaches this process alone. As a context manager, it kills the program, and all that it
    has started, at the end of the block.

    Parameters
    ----------
    command : sequence of str
        The program, as a path or a name on PATH, and its arguments.
    pass_fds : sequence of int
        File descriptors that it gets.
    options
        Of :class:`subprocess.Popen`.

    Attributes
    ----------
    process : subprocess.Popen
        The program. If it cannot be started, it ends with status 1 and says so on standard error.
    """

    def __init__(
        self, command: Sequence[str], pass_fds: Sequence[int] = (), **options: Any
    ) -> None:
        watched, self._alive = os.pipe()
        try:
            self.process: subprocess.Popen[Any] = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCH, str(watched), *command],
                pass_fds=[watched, *pass_fds],
                start_new_session=True,
                **options,
            )
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(watched)

    def close(self) -> None:
        """Kill it; see :meth:`end`."""
        self.end()

    def end(self) -> int:
        """Kill the program, if it has not ended, and all that it has started.

        Returns
        -------
        int
            Its exit status; negative if a signal has ended it.
        """
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
        return self.process.wait()
