"""Programs of simulated designs: Verilator's model of a design, compiled with a C++ ``main``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from spikeloom.sim import building
from spikeloom.sim.building import (
    BUILD_LOG,
    MAKE_FLAGS,
    VERILATOR_FLAGS,
    Runtime,
    environment,
    failure,
    fingerprint,
    make_variables,
    unite,
    workshop,
)
from spikeloom.sim.tools import Tools

_VERILATE = ("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast")

#: The headers of newer versions of C++ take longer to read.
_MAKE = ("CFG_CXXFLAGS_STD=-std=gnu++14",)


def build(
    top: str,
    sources: Mapping[str, str],
    main: str,
    root: str | Path,
    *,
    defines: Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    name: str = "",
    optimise: str = "-O1",
    trace: bool = False,
    poll: Callable[[], object] | None = None,
) -> Path:
    """Return the path of a design's program, which is built unless ``root`` holds it already.

    Parameters
    ----------
    top : str
        Name of the top module. Verilator's class for it has a ``V`` in front.
    sources : mapping of str to str
        Text of each Verilog file, by file name.
    main : str
        C++ with the function ``main``.
    root : path
        Folder that keeps all programs, each in a folder of its own, named by a hash of sources,
        flags and tools. An interrupted build leaves nothing in there.
    defines : mapping of str to int, optional
        Preprocessor macros for the C++.
    headers : mapping of str to str, optional
        Text of each file that ``main`` includes, by file name.
    name : str
        Beginning of the folder's name; by default ``top``.
    optimise : str
        The compiler's option for what runs in each clock cycle, unless the environment has another
        in ``OPT_FAST``. ``-O2`` takes twice as long to compile as ``-O1``, and makes a large
        accelerator a seventh faster.
    trace : bool
        Whether the model can write its signals to a file (VCD), which makes it slower. Then the
        macro ``VM_TRACE`` is 1 in the C++.
    poll : callable, optional
        Called about twenty times a second while the tools run.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    FileFormatError
        If nothing can be written under ``root``.
    """
    root = Path(root).resolve()
    tools = Tools.find()
    optimise = building.optimising(optimise)
    flags = " ".join(f"-D{name}={value}" for name, value in (defines or {}).items())
    known = fingerprint(
        "program", *VERILATOR_FLAGS, *_VERILATE, *MAKE_FLAGS, *_MAKE, *tools.identity
    )
    files = {**sources, **(headers or {}), "main.cpp": main}
    traced = ("--trace-vcd",) if trace else ()
    chosen = fingerprint(known, top, *files.values(), flags, optimise, *traced)
    folder = root / f"{name or top}-{chosen}"
    if building.available(folder / top):
        return folder / top
    with workshop(folder, top) as work:
        for file, text in files.items():
            (work / file).write_text(text, encoding="utf-8")
        runtime = Runtime(root / f".runtime-{known}")
        model = f"V{top}"
        verilate = [
            str(tools.verilator / "bin" / "verilator_bin"),
            *(*_VERILATE, *VERILATOR_FLAGS, *traced, "--top-module", top, "--prefix", model),
            *("--Mdir", ".", "-CFLAGS", flags, *sources, "main.cpp"),
        ]
        make = [tools.make, "-f", f"{model}.mk", model, *make_variables(tools), *_MAKE]
        make.append(optimise)
        try:
            with open(work / BUILD_LOG, "w", encoding="utf-8") as log:
                building.execute(verilate, work, environment(tools), log, poll)
                # Now, since make takes objects for outdated that are older than Verilator's files.
                runtime.take(work)
                make += unite(work, model, "main.cpp")
                building.execute(make, work, environment(tools), log, poll)
        except RuntimeError:
            kept = root / f"{folder.name}.log"
            shutil.copyfile(work / BUILD_LOG, kept)
            raise failure(f"building the program {top} failed", kept) from None
        runtime.keep(work)
        (work / model).rename(work / top)
        for path in work.iterdir():
            if path.name not in {top, BUILD_LOG, *files}:
                path.unlink()
    return folder / top
