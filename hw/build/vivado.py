"""Projects for Vivado, which makes the bitstreams of Xilinx' FPGAs.

Nothing here runs Vivado. None of these scripts was ever run, and each says so in its first lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Elaboratable

from spikeloom.hw.axi import AxiPlan
from spikeloom.hw.axi.verilog import generate_from
from spikeloom.hw.boards import Board
from spikeloom.hw.options import MEMORY_FILE
from spikeloom.hw.planning.plan import Plan
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.files import write_text

#: Name of the top module, and begin of the names of all files, of a design with pins.
TOP = "top"
#: MHz of the logic in an overlay; the clock comes from the processor, which can give others.
OVERLAY_CLOCK = 100.0
#: The accelerator of an overlay, as Verilog.
CORE = "spikeloom.v"
#: Widths in bytes that a stream of AXI DMA can have.
_DMA_BYTES = (1, 2, 4)

_HEADER = """\
# Made by Spikeloom: {what}
# VIVADO WAS NOT RUN on this script, nor on any of its kind: what stands here follows Vivado's
# manuals. If a command fails in your version, please report it with Vivado's message.
#
#     vivado -mode batch -source {script}
"""

#: A design that misses its clock must not become a bitstream.
_TIMING = """\
set slack [get_property SLACK [get_timing_paths -delay_type max]]
if {$slack < 0} {
    error "the clock is too fast by [expr {-$slack}] ns: build with fewer lanes"
}
"""
#: Vivado would go on with zeros if it did not find the contents of a memory.
_NO_FILE = "set_msg_config -id {Synth 8-4445} -new_severity ERROR"


def _add_memories(names: Iterable[str]) -> str:
    """Return commands by which Vivado finds the contents of memories; none without any."""
    files = " ".join(names)
    return f"{_NO_FILE}\nadd_files -norecurse {{{files}}}\n" if files else ""


class Project(ABC):
    """All files that Vivado needs."""

    #: Name of the script that Vivado runs.
    script: str

    @abstractmethod
    def files(self) -> dict[str, str]:
        """Return the contents of all files by their names."""

    def write(self, folder: str | Path) -> list[Path]:
        """Write all files into ``folder``, and return their paths, the script's first.

        Raises
        ------
        FileFormatError
            If the folder cannot be written to.
        """
        files = self.files()
        names = sorted(files, key=lambda name: (name != self.script, name))
        for name in names:
            write_text(Path(folder) / name, files[name])
        return [Path(folder) / name for name in names]


@dataclass(frozen=True)
class Pins(Project):
    """A board's design with its pins: a device behind its UART.

    Parameters
    ----------
    board : Board
        With a Xilinx device.
    top : Elaboratable
        :class:`~spikeloom.hw.build.top.Top` of this board.
    """

    board: Board
    top: Elaboratable
    script = f"{TOP}.tcl"

    def files(self) -> dict[str, str]:
        platform = self.board.platform()
        made: Mapping[str, str | bytes] = platform.prepare(
            self.top,
            TOP,
            emit_src=False,
            debug_verilog=False,
            # No multiplier is written, and Vivado must not come upon one either.
            synth_design_opts="-max_dsp 0",
            script_after_route=_TIMING,
        ).files
        beside = list(platform.extra_files)
        texts = {
            name: content if isinstance(content, str) else content.decode()
            for name, content in made.items()
            if name in (f"{TOP}.v", f"{TOP}.xdc", self.script, *beside)
        }
        # Amaranth's script adds the Verilog among them, and nothing else.
        memories = _add_memories(name for name in beside if MEMORY_FILE.fullmatch(name))
        texts[self.script] = texts[self.script].replace(
            f"add_files {TOP}.v\n", f"add_files {TOP}.v\n{memories}"
        )
        header = _HEADER.format(what=f"a project for {self.board.title}.", script=self.script)
        return texts | {self.script: header + texts[self.script]}


@dataclass(frozen=True)
class Overlay(Project):
    """The programmable logic of a Zynq-7000: AXI DMA between its memory and an accelerator.

    No pin of the logic is used: there are no constraints but those of the processor.

    Parameters
    ----------
    board : Board
        With a Zynq-7000.
    plan : Plan
    clock : float
        MHz of the logic.

    Raises
    ------
    ConfigError
        If the board has no such processor, or its processor does not give the clock.
    UnsupportedError
        If AXI, or AXI DMA, cannot carry the network's values.
    """

    board: Board
    plan: Plan
    clock: float = OVERLAY_CLOCK
    script = "overlay.tcl"

    def __post_init__(self) -> None:
        require_overlay(self.board, self.clock)
        width = AxiPlan(self.plan).data_bits // 8
        if width not in _DMA_BYTES:
            raise UnsupportedError(
                f"values of {width} bytes, and AXI DMA carries those of "
                f"{', '.join(map(str, _DMA_BYTES))}"
            )

    def files(self) -> dict[str, str]:
        made = generate_from(self.plan)
        header = _HEADER.format(
            what=f"the overlay of {self.plan.network.name!r} for {self.board.title}.",
            script=self.script,
        )
        body = _OVERLAY
        for word, value in {
            "@PART@": self.board.device,
            "@CLOCK@": f"{self.clock:g}",
            "@TOP@": self.plan.config.top,
            "@STREAM@": str(AxiPlan(self.plan).data_bits),
            "@RANGE@": f"{1 << AxiPlan(self.plan).address_bits}",
            "add_files -norecurse spikeloom.v\n": "add_files -norecurse spikeloom.v\n"
            + _add_memories(made.memories),
        }.items():
            body = body.replace(word, value)
        return {CORE: made.verilog, **made.memories, self.script: header + body}


def require_overlay(board: Board, clock: float) -> None:
    """Raise `ConfigError` if a board has no processor that gives its logic a clock, in MHz."""
    if board.processor is None:
        others = ", ".join(name for name in Board.names() if Board.find(name).processor)
        raise ConfigError(
            f"{board.title} has no processor that an overlay could serve: leave out --overlay, or "
            f"take a board that has one: {others}"
        )
    if not 0 < clock <= board.processor.fastest:
        raise ConfigError(
            f"the {board.processor.name} of {board.title} gives its logic "
            f"{board.processor.fastest:g} MHz at most, not {clock:g}: give another --clock"
        )


_OVERLAY = (
    """\
#
# It leaves spikeloom.bit and spikeloom.hwh, which PYNQ's Overlay loads. The processor keeps the
# settings of the memory and pins that its boot loader made: this design has no preset of a board.

set part @PART@
set clock @CLOCK@
cd [file dirname [file normalize [info script]]]

# --- the accelerator as an IP; its ports say which buses they belong to ---------------------------
create_project -force package work/package -part $part
add_files -norecurse spikeloom.v
set_property top @TOP@ [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir work/ip -vendor spikeloom -library user -taxonomy /UserIP \\
    -import_files -set_current true
set core [ipx::current_core]
set_property name spikeloom $core
set_property version 1.0 $core
set_property display_name {Spikeloom accelerator} $core
foreach bus {S_AXIS M_AXIS S_AXI} {
    ipx::associate_bus_interfaces -busif $bus -clock aclk $core
}
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project

# --- the system -----------------------------------------------------------------------------------
create_project -force overlay work/overlay -part $part
set_property ip_repo_paths [file normalize work/ip] [current_project]
update_ip_catalog
create_bd_design system

# Whatever version this Vivado has.
proc cell {name ip} {
    return [create_bd_cell -type ip -vlnv [lindex [lsort -dictionary [get_ipdefs $ip:*]] end] $name]
}
set ps [cell ps xilinx.com:ip:processing_system7]
set_property -dict [list \\
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock \\
    CONFIG.PCW_USE_M_AXI_GP0 1 \\
    CONFIG.PCW_USE_S_AXI_HP0 1 \\
] $ps
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \\
    -config {make_external "FIXED_IO, DDR" apply_board_preset "0"} $ps
set dma [cell dma xilinx.com:ip:axi_dma]
set_property -dict [list \\
    CONFIG.c_include_sg 0 \\
    CONFIG.c_sg_include_stscntrl_strm 0 \\
    CONFIG.c_sg_length_width 26 \\
    CONFIG.c_m_axi_mm2s_data_width 32 \\
    CONFIG.c_m_axis_mm2s_tdata_width @STREAM@ \\
    CONFIG.c_m_axi_s2mm_data_width 32 \\
] $dma
cell spikeloom spikeloom:user:spikeloom
cell reset xilinx.com:ip:proc_sys_reset
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 2] \\
    [cell control xilinx.com:ip:smartconnect]
set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1] \\
    [cell memory xilinx.com:ip:smartconnect]

foreach pin {
    ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK control/aclk memory/aclk reset/slowest_sync_clk
    dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk spikeloom/aclk
} {
    connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins ps/FCLK_RESET0_N] [get_bd_pins reset/ext_reset_in]
foreach pin {control/aresetn memory/aresetn dma/axi_resetn spikeloom/aresetn} {
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}
foreach {from to} {
    ps/M_AXI_GP0     control/S00_AXI
    control/M00_AXI  dma/S_AXI_LITE
    control/M01_AXI  spikeloom/S_AXI
    dma/M_AXI_MM2S   memory/S00_AXI
    dma/M_AXI_S2MM   memory/S01_AXI
    memory/M00_AXI   ps/S_AXI_HP0
    dma/M_AXIS_MM2S  spikeloom/S_AXIS
    spikeloom/M_AXIS dma/S_AXIS_S2MM
} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
assign_bd_address
# The registers take @RANGE@ bytes; Vivado may give them more room.
validate_bd_design
save_bd_design

# --- the bitstream --------------------------------------------------------------------------------
set design [get_files system.bd]
# In one piece, so that the bound on multipliers holds for all of it.
set_property synth_checkpoint_mode None $design
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
set_property top system_wrapper [current_fileset]
set_property STEPS.SYNTH_DESIGN.ARGS.MAX_DSP 0 [get_runs synth_1]
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "the build failed: see work/overlay/overlay.runs"
}
open_run impl_1
report_utilization -hierarchical -file utilization.rpt
report_timing_summary -file timing.rpt
"""
    + _TIMING
    + """\
file copy -force work/overlay/overlay.runs/impl_1/system_wrapper.bit spikeloom.bit
file copy -force [lindex [glob work/overlay/overlay.*/sources_1/bd/system/hw_handoff/*.hwh] 0] \\
    spikeloom.hwh
"""
)
