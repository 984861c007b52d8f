"""Memories of constants: inline in the design, or in files beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from amaranth.hdl import ClockSignal, Const, Instance, Module, ShapeLike, unsigned
from amaranth.hdl import Shape as HdlShape
from amaranth.lib import data, memory
from amaranth.utils import ceil_log2

from spikeloom.hw.options import ROM_MODULE
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.sealed import digest

#: Largest memory, in bits, whose contents stand in the design itself: 64 KiB. The Verilog of one
#: memory of this size takes a second longer to generate than with a file, and no more memory;
#: 256 KiB take 6 s and 180 MB, and 1 MiB takes 45 s and 1 GB (`python -m benchmarks.memories`).
#: Designs without a larger memory stay one file, as nearly all that fit an FPGA of the open tools.
INLINE_BITS = 8 << 16

_LABEL = re.compile(r"[a-z][a-z0-9_]{0,100}")
#: Feedback of the check word: the generator of CRC-32, without its highest term.
_FEEDBACK = 0x04C11DB7
_PACKED_AT_ONCE = 1 << 16

# A simulator that finds no file leaves the words as they were, and some say nothing of it: the
# check word is computed anew from the words. xsim's Verilog need not know $fatal, of
# SystemVerilog. Synthesis gets none of this: Yosys stops at a missing file by itself, and the
# scripts for Vivado make it do so.
_VERILOG = """\
// Words of constants, read from FILE, which is looked for in the folder where the simulator runs.
module @MODULE@ #(
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter BITS = 1,
  parameter FILE = "",
  parameter [31:0] CHECK = 0
) (
  input clk,
  input en,
  input [BITS-1:0] addr,
  output reg [WIDTH-1:0] data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) if (en) data <= words[addr];
  generate if (FILE != "") begin : from_file
`ifndef SYNTHESIS
    // synthesis translate_off
    reg [31:0] check;
    reg [WIDTH+31:0] wide;
    integer word, part;
    // synthesis translate_on
`endif
    initial begin
      $readmemh(FILE, words, 0, DEPTH - 1);
`ifndef SYNTHESIS
      // synthesis translate_off
      check = 32'hffffffff;
      /* verilator unroll_disable */
      for (word = 0; word < DEPTH; word = word + 1) begin
        wide = words[word];
        /* verilator unroll_disable */
        for (part = 0; part < WIDTH; part = part + 32)
          check = {check[30:0], 1'b0} ^ (check[31] ? 32'h@FEEDBACK@ : 32'h0) ^ wide[part +: 32];
      end
      if (check !== CHECK) begin
        $display("ERROR: the memory file %0s is missing or damaged: generate it again", FILE);
`ifdef XILINX_SIMULATOR
        $finish;
`else
        $fatal(1, "a memory has other contents than it was generated with");
`endif
      end
      // synthesis translate_on
`endif
    end
  end endgenerate
endmodule
"""


def rom_verilog(module: str = ROM_MODULE) -> str:
    """Return the Verilog of the module of memories whose contents are in files.

    Parameters
    ----------
    module : str
        Its name, as one of :attr:`FilePlatform.rom_module`.
    """
    return _VERILOG.replace("@MODULE@", module).replace("@FEEDBACK@", f"{_FEEDBACK:08x}")


@runtime_checkable
class FilePlatform(Protocol):
    """A platform that takes files beside the design, as all of Amaranth's for boards do.

    It may have an attribute ``inline_bits``, the largest memory that stays inline in place of
    :data:`INLINE_BITS`, and ``rom_module``, the name of the module in place of :data:`ROM_MODULE`.
    Without such a platform, as in Amaranth's simulator, all memories are inline.
    """

    def add_file(self, filename: str, content: str) -> None:
        """Put a file beside the design. The same file may come several times."""


@dataclass(frozen=True)
class Contents:
    """Words of a memory that is only read.

    Parameters
    ----------
    label : str
        Beginning of its file's name: small letters, digits and underscores.
    shape : ShapeLike
        Shape of a word.
    words : sequence of int
        The bits of each word, as unsigned integers.
    block : bool
        Whether it is block RAM, though it is so shallow that Yosys might make look-up tables of it.
        It makes no difference where the contents are in a file.
    """

    label: str
    shape: ShapeLike
    words: Sequence[int]
    block: bool = False

    def __post_init__(self) -> None:
        # Layers' names are such labels; no others may reach a path.
        if not _LABEL.fullmatch(self.label):
            raise ValueError(f"a memory's label must match {_LABEL.pattern}, not {self.label!r}")

    @property
    def width(self) -> int:
        """Bits of a word."""
        return HdlShape.cast(self.shape).width

    @property
    def bits(self) -> int:
        """Bits of all words."""
        return self.width * len(self.words)

    @property
    def text(self) -> str:
        """Content of the file: a word in hexadecimal on each line, as ``$readmemh`` reads it."""
        digits = -(-self.width // 4)
        return "".join(f"{word:0{digits}x}\n" for word in self.words)

    @property
    def check(self) -> int:
        """The check word: a remainder of all words' bits, 32 at a time, as the Verilog has it."""
        check, mask = 0xFFFFFFFF, 0xFFFFFFFF
        for word in self.words:
            for part in range(0, self.width, 32):
                check = (check << 1 & mask) ^ (_FEEDBACK if check >> 31 else 0)
                check ^= word >> part & mask
        return check

    def inline(self) -> memory.Memory:
        """Return the memory with its contents inline."""
        shape, init = self.shape, self.words
        if isinstance(shape, data.Layout):
            init = [shape.from_bits(word) for word in self.words]
        style = {"ram_style": "block"} if self.block else {}
        return memory.Memory(shape=shape, depth=len(self.words), init=init, attrs=style)


def packed(values: IntArray, width: int) -> list[int]:
    """Return words of several values each as unsigned integers, the first value lowest.

    Parameters
    ----------
    values : array of int64, shape (words, values)
    width : int
        Bits of a value, in two's complement if it is negative.
    """
    words = []
    # Few at a time: each bit is a number of 8 bytes for a moment.
    for part in np.array_split(values, -(-values.size // _PACKED_AT_ONCE)):
        bits = (part[..., None] >> np.arange(width) & 1).astype(np.uint8)
        rows = np.packbits(bits.reshape(len(part), -1), axis=1, bitorder="little")
        words += [int.from_bytes(row.tobytes(), "little") for row in rows]
    return words


def add_rom(m: Module, name: str, contents: Contents, platform: object) -> memory.ReadPort:
    """Add a memory that is only read, as a submodule, and return its port.

    The word at the port's ``addr`` is there in the next cycle, if ``en`` is high.

    Parameters
    ----------
    m : Module
    name : str
        Of the submodule.
    contents : Contents
    platform : object
        A :class:`FilePlatform` gets the contents as a file, unless they are small.
    """
    if contents.bits <= getattr(platform, "inline_bits", INLINE_BITS):
        m.submodules[name] = rom = contents.inline()
        # Amaranth calls the port's signals by the name of this variable.
        port = rom.read_port()
        return port
    depth, width = len(contents.words), contents.width
    signature = memory.ReadPort.Signature(addr_width=ceil_log2(depth), shape=contents.shape)
    port = signature.create(path=(name,))
    if not isinstance(platform, FilePlatform):
        # Amaranth takes plain integers in a fraction of the time.
        plain = Contents(contents.label, unsigned(width), contents.words)
        m.submodules[name] = rom = plain.inline()
        inner = rom.read_port()
        m.d.comb += [
            inner.addr.eq(port.addr),
            inner.en.eq(port.en),
            _bits(port.data).eq(inner.data),
        ]
        return port
    m.submodules[name] = _instance(contents, port, platform)
    return port


def _instance(contents: Contents, port: memory.ReadPort, platform: FilePlatform) -> Instance:
    text, depth = contents.text, len(contents.words)
    # Of the same name is only the same file: designs may share a folder, and a file that is there
    # already stays right for an older design.
    file = f"{contents.label}_{digest(text)[:12]}.mem"
    module = getattr(platform, "rom_module", ROM_MODULE)
    platform.add_file(f"{module}.v", rom_verilog(module))
    platform.add_file(file, text)
    return Instance(
        module,
        p_WIDTH=contents.width,
        p_DEPTH=depth,
        p_BITS=max(1, len(port.addr)),
        p_FILE=file,
        p_CHECK=contents.check,
        i_clk=ClockSignal(),
        i_en=port.en,
        i_addr=port.addr if depth > 1 else Const(0, 1),
        o_data=_bits(port.data),
    )


def _bits(value: Any) -> Any:
    return value.as_value() if isinstance(value, data.View) else value
