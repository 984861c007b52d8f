"""Lock files: the exact version of each package, and the SHA-256 of every wheel of that version.

``python -m supply.locks UV [OPTION ...]`` writes them anew, with the program uv, as ``make lock``
does. Versions stay as they are where pyproject.toml allows them; ``--upgrade`` asks for the newest.

pip installs from them with ``--require-hashes``, and so refuses a file that was not there when the
lock was written. Only wheels are listed, since a source package is built by whatever its author
names, at no version in particular; norse has no wheel, and is built by the setuptools that is
locked.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
RUN = ROOT / "requirements.txt"
#: PyTorch's wheels for CPUs, which users may have pip configured to find: ``2.13.0+cpu``.
CPU = ROOT / "requirements-cpu.txt"
#: What the wheel for GPUs needs in addition, which the index has for Linux.
CUDA = ROOT / "requirements-cuda.txt"
DEV = FOLDER / "dev.txt"
#: Installed apart, without what they depend on: groups of pyproject.toml.
APART = {
    name: FOLDER / f"{name}.txt"
    for name in ("toolkits", "browser", "docs", "notebooks", "examples", "peers", "fuzz")
}
#: What writes locks and the bill of materials, in an environment of its own.
TOOLS = FOLDER / "tools.txt"
ALL = (RUN, CPU, CUDA, DEV, *APART.values(), TOOLS)

#: Never installed, though a package asks for it: cocotb-bus prints packets with Scapy (GPL) in
#: drivers that cocotbext-axi does not import.
EXCLUDED = ("scapy",)

_CUDA = re.compile(r"(cuda|nvidia)-|triton$")
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.+]+)(?: ; (?P<marker>[^\\]+?))? ?\\?$")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """A package's line in a lock.

    Parameters
    ----------
    name : str
        Name in the index's spelling: small letters, and hyphens.
    version : str
        The exact version.
    marker : str
        Where it is installed (PEP 508); empty for everywhere.
    hashes : tuple of str
        ``sha256:`` and 64 digits, for every file that may be installed.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")
        return " \\\n    --hash=".join((head, *self.hashes))


def read(path: Path) -> dict[str, Pin]:
    """Return the pins of a lock by their names; none if there is no such file."""
    pins: dict[str, Pin] = {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for block in re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*\n", "", text)):
        lines = block.strip().splitlines()
        if not lines:
            continue
        head = _PIN.match(lines[0])
        if head is None:
            raise ValueError(f"{path}: {lines[0]!r} is no pin")
        hashes = tuple(_HASH.findall(block))
        pins[head["name"]] = Pin(head["name"], head["version"], head["marker"] or "", hashes)
    return pins


def normal(name: str) -> str:
    """Return a package's name in the index's spelling."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def write(path: Path, pins: dict[str, Pin], what: str) -> None:
    """Write a lock; ``what`` says in its first line what it is for."""
    lines = [
        f"# {what}",
        "# Written by `make lock`: versions, and the SHA-256 of their files.",
    ]
    lines += [str(pins[name]) for name in sorted(pins)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def resolve(uv: str, arguments: list[str], options: list[str]) -> dict[str, Pin]:
    """Return what uv finds for Python 3.11 and newer, on all platforms."""
    with tempfile.TemporaryDirectory() as folder:
        # uv keeps the versions that it finds in the file that it writes.
        out = Path(folder) / "lock.txt"
        kept = {name: pin for path in ALL if path != CPU for name, pin in read(path).items()}
        out.write_text("\n".join(map(str, kept.values())) + "\n", encoding="utf-8")
        excluded = Path(folder) / "excluded.txt"
        excluded.write_text("\n".join(EXCLUDED) + "\n", encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-annotate", "--no-header"]
        command += ["--excludes", str(excluded), "--output-file", str(out)]
        subprocess.run([*command, *arguments, *options], cwd=ROOT, check=True)
        return read(out)


def cpu_wheel(version: str) -> dict[str, Pin]:
    """Return the pin of torch's wheels for CPUs.

    They are in no index but PyTorch's own. The hash of the one that pip finds here, if any, is
    added to those that are known of the same version.
    """
    before = read(CPU).get("torch")
    version += "+cpu"
    hashes = set(before.hashes) if before is not None and before.version == version else set()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, f"torch=={version}"]
        if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
            print(f"pip finds no torch=={version} here: its hashes stay as they are")
        for wheel in Path(folder).iterdir():
            hashes.add(f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    return {"torch": Pin("torch", version, "", tuple(sorted(hashes)))} if hashes else {}


def main(uv: str, options: list[str]) -> None:
    """Write all locks."""
    wheels = ["--only-binary", ":all:"]
    run = resolve(uv, ["pyproject.toml", *wheels], options)
    cuda = {name: run.pop(name) for name in sorted(run) if _CUDA.match(name)}
    write(RUN, run, "What users run.")
    write(CPU, cpu_wheel(run["torch"].version), "torch's wheels for CPUs.")
    write(CUDA, cuda, "What torch's wheel for GPUs needs in addition to requirements.txt.")
    both = resolve(uv, ["pyproject.toml", "--all-extras", *wheels], options)
    other = [name for name, pin in run.items() if both[name].version != pin.version]
    if other:
        raise SystemExit(f"the tests need other versions of {', '.join(other)} than users run")
    dev = {name: pin for name, pin in both.items() if name not in {*run, *cuda}}
    write(DEV, dev, "What the tests and the boards need in addition to requirements.txt.")
    for name, path in APART.items():
        pins = resolve(uv, ["--no-deps", "--group", f"pyproject.toml:{name}"], options)
        write(path, pins, f"The group {name!r} of pyproject.toml, without what it depends on.")
    tools = resolve(uv, ["--group", "pyproject.toml:tools", *wheels], options)
    write(TOOLS, tools, "What writes locks and the bill of materials.")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
