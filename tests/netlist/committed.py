"""The committed bitstreams, as a user loads them, as subjects of a simulation."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from netlist.bitstream import unpacked
from netlist.simulator import MismatchError
from netlist.subject import Subject, Verilog
from spikeloom.hw.boards import Board
from spikeloom.hw.link import LinkPlan
from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.sw.inference import Contents
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.network import Network


@dataclass(frozen=True)
class Committed(Subject):
    """A committed bitstream and its manifest.

    Parameters
    ----------
    manifest : Manifest
    """

    manifest: Manifest


def committed(manifest: Manifest, network: Network, folder: Path) -> Committed:
    """Describe a committed bitstream; all but the weights come from its manifest.

    Parameters
    ----------
    manifest : Manifest
    network : Network
        The network that it should hold.
    folder : Path
        Emptied first, or created.

    Raises
    ------
    MismatchError
        If the manifest is of another network.
    """
    content = manifest.content
    contents = Contents.of(manifest)
    if contents.digest != network.digest:
        raise MismatchError(f"{manifest.path} is of another network than {network.name!r}")
    config = HardwareConfig(counters=bool(contents.counters), **content["config"])
    planned = plan(network, config)
    assert contents.baud is not None
    link = LinkPlan.of(planned, round(content["clock_mhz"] * 1e6), contents.baud)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Committed(Board.find(content["board"]), planned, link, contents, folder, manifest)


def bitstream(subject: Committed) -> Verilog:
    """Write the logic that a committed bitstream configures as Verilog.

    Raises
    ------
    FileFormatError
        If it is not the bitstream of its manifest.
    ToolError
        If a tool is missing or fails.
    """
    packed = shutil.copy(subject.manifest.require_bitstream(), subject.folder)
    path = unpacked(subject, Path(packed).name)
    resources = subject.manifest.content["resources"]
    return Verilog(path, sum(resources[name]["used"] for name in subject.family.utilisation))
