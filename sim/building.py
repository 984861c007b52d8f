"""Builds with Verilator: running its tools, and keeping their results for the next build.

Shared by cocotb's simulators (:mod:`spikeloom.sim.runner`) and programs of our own
(:mod:`spikeloom.sim.program`).
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from spikeloom.sim.tools import SPLITTING, Tools
from spikeloom.sw.children import Child
from spikeloom.sw.errors import FileFormatError, ToolError
from spikeloom.sw.locks import workplace
from spikeloom.sw.sealed import digest

BUILD_LOG = "build.log"
#: Name of the Verilog in the folder of a generated design.
DESIGN_FILE = "accelerator.v"
#: Beginning of the names of folders, in that of a simulator, in which simulations run.
RUN = "run-"
_LOG = logging.getLogger(__name__)

#: Verilator's flags. The generator's own tests lint its Verilog, which relies on the language's
#: rules for widths. Here, thousands of warnings would only fill the log.
VERILATOR_FLAGS = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
#: Variables for make, besides those that name the tools (:func:`make_variables`).
MAKE_FLAGS = (
    # The wheel was configured without a way to include a precompiled header, so that a design
    # that is split over several C++ files does not compile.
    "CFG_CXXFLAGS_PCH_I=-include",
)
#: Environment variables of a make that started us: its jobs and flags must not reach our builds.
OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")

#: Most bytes of C++ that :func:`unite` makes one file of: the compiler's memory grows with it.
_UNITED = 8 << 20

#: Number of lines of a log that an error message shows.
_TAIL = 12
#: Seconds between two checks whether a tool has ended.
_INTERVAL = 0.05


def environment(tools: Tools) -> dict[str, str]:
    """Return the environment variables that Verilator and make run with."""
    kept = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    return kept | {"VERILATOR_ROOT": str(tools.verilator)}


def optimising(default: str = "-O2") -> str:
    """Return make's variable for the compiler's option for what runs in each clock cycle.

    It is the user's, if the environment has it. ``-O0`` compiles in a third of the time of ``-O2``,
    and the simulator takes twice as long: it is for simulations that are short.
    """
    return f"OPT_FAST={os.environ.get('OPT_FAST') or default}"


def make_variables(tools: Tools) -> list[str]:
    """Return make's variables as ``NAME=value``: the programs that it calls, and their flags."""
    return [
        optimising(),
        *MAKE_FLAGS,
        f"CXX={tools.compiler}",
        f"LINK={tools.compiler}",
        f"OBJCACHE={tools.ccache or ''}",
        f"PYTHON3={sys.executable}",
    ]


def execute(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    output: TextIO | None,
    poll: Callable[[], object] | None,
) -> None:
    """Run a command and wait until it ends.

    Any exception while waiting, such as Ctrl-C, kills the command and its children, as does the
    end of this process.

    Parameters
    ----------
    command : sequence of str
    cwd : Path
        Folder to run it in.
    env : mapping of str to str
        Environment variables.
    output : file, optional
        Receives standard output and standard error.
    poll : callable, optional
        Called about twenty times a second while the command runs.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    _LOG.info("running %s", shlex.join(command))
    with Child(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    ) as child:
        while child.process.poll() is None:
            if poll is not None:
                poll()
            time.sleep(_INTERVAL)
    if child.process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {child.process.returncode}")


def available(product: Path) -> bool:
    """Return whether an earlier build has left its product, and note that it is used again.

    The note is the time of change of its folder, by which :mod:`spikeloom.sim.kept` tells how long
    nobody has used it.
    """
    if not product.exists():
        return False
    with suppress(OSError):  # of another user, or on a disk that cannot be written to
        os.utime(product.parent)
    return True


@contextmanager
def workshop(folder: Path, product: str) -> Iterator[Path]:
    """Build in a temporary folder that is renamed to ``folder`` once the block succeeds.

    A block that fails or is interrupted leaves nothing behind.

    Parameters
    ----------
    folder : Path
        Where the result is kept.
    product : str
        Name of the file that the build produces. ``folder`` counts as built if it is there.

    Yields
    ------
    Path
        The temporary folder, empty, beside ``folder``.

    Raises
    ------
    FileFormatError
        If nothing can be written beside ``folder``.
    """
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"cannot write {root}: {error.strerror or error}") from None
    with workplace(root, ".work-") as work:
        with _plain(work) as place:
            yield place
        work.chmod(0o755)
        try:
            work.rename(folder)
        except OSError:
            # Another process built the same at the same time.
            if not (folder / product).exists():
                raise


@contextmanager
def _plain(work: Path) -> Iterator[Path]:
    """Give a folder in which make works, whose files are in ``work`` afterwards.

    make takes a path with a space for two. Then the work is done in the system's folder for
    temporary files.

    Raises
    ------
    ToolError
        If that has a space, too.
    """
    if not SPLITTING.search(str(work)):
        yield work
        return
    elsewhere = Path(tempfile.gettempdir()).resolve()
    if SPLITTING.search(str(elsewhere)):
        raise ToolError(
            f"make cannot build in {str(work.parent)!r}, nor in {str(elsewhere)!r}: name a folder "
            f"without spaces by --build-dir"
        )
    with workplace(elsewhere, "spikeloom-build-") as place:
        yield place
        for path in place.iterdir():
            shutil.move(path, work / path.name)


def unite(work: Path, model: str, main: str = "") -> list[str]:
    """Make one file of the C++ of a model, so that the compiler reads its headers only once.

    Reading them takes a second for each of a dozen files, which is most of the compiler's time for
    a small design. Functions that run only once, at the start, are compiled without optimisation.

    Parameters
    ----------
    work : Path
        Folder with the model's C++, after Verilator and before make.
    model : str
        Verilator's name of the model.
    main : str
        File with the function ``main``, if it is to be compiled with the model.

    Returns
    -------
    list of str
        Variables for make.
    """
    files = sorted(path.name for path in work.glob(f"{model}*.cpp"))
    if sum((work / name).stat().st_size for name in files) > _UNITED:
        return []
    slow = [name for name in files if name.endswith("__Slow.cpp")]
    fast = [name for name in files if name not in slow]
    lines = [f'#include "{name}"' for name in [*fast, *filter(None, [main])]]
    lines += ["#ifdef __clang__", "#pragma clang optimize off", "#else"]
    lines += ['#pragma GCC diagnostic ignored "-Wattributes"', '#pragma GCC optimize ("O0")']
    lines += ["#endif", *(f'#include "{name}"' for name in slow)]
    # The name of Verilator's own file of this kind, which make takes as up to date.
    (work / f"{model}__ALL.cpp").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["VM_PARALLEL_BUILDS=0", *(["VM_USER_CLASSES="] if main else [])]


class Runtime:
    """Object files of Verilator's run-time library, kept from one build for the next.

    They take four of the five seconds of a small design's build, and are the same for all designs.
    Copied into a build, they are newer than their sources, so that make does not compile them
    again.

    Parameters
    ----------
    folder : Path
        Where the object files for one set of tools and flags are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, work: Path) -> None:
        """Copy the kept object files, if there are any, into the folder of a build."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                shutil.copyfile(path, work / path.name)

    def keep(self, work: Path) -> None:
        """Keep the object files of a finished build, unless there are kept ones already."""
        if self.folder.is_dir():
            return
        with workplace(self.folder.parent, ".work-") as copy:
            for path in work.glob("verilated*.o"):
                shutil.copyfile(path, copy / path.name)
            with suppress(OSError):  # another process was first
                copy.rename(self.folder)


def failure(what: str, log: Path) -> ToolError:
    """Return an error that says ``what`` failed and shows the end of its log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    # Without cocotb's table of one test, but with make's reasons, which follow three asterisks.
    lines = [line for line in lines if " ** " not in line and " ****" not in line]
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    return ToolError(f"{what}; the end of {log} says:\n{tail}")


def fingerprint(*texts: str) -> str:
    """Return a short hash of some texts, as hexadecimal digits."""
    return digest(json.dumps(texts))[:16]
