"""Frames in hardware: a deframer, a queue that releases intact contents only, and a framer."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from spikeloom.sw.link.frames import CRC_BYTES, ESCAPE, FLAG, FLIP, HEADER_BYTES

#: CRC-32 of Ethernet and zlib, one byte per cycle. We restart it by a ``ResetInserter``, as the
#: reset of a flip-flop is free, whereas ``start`` would put a multiplexer before each bit.
CRC_32 = catalog.CRC32_ISO_HDLC(data_width=8)
#: One byte of a content, and a flag for the last byte.
CONTENT = data.StructLayout({"byte": 8, "last": 1})


class Deframer(wiring.Component):
    """Unwraps frames: gives the bytes of the content, and at its end whether the frame is intact.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes from the wire. The deframer is always ready.
    put : Out(1), byte : Out(8), last : Out(1)
        Bytes of the content, each valid while ``put`` is high. ``last`` comes with ``good``.
    good, bad : Out(1)
        High for one cycle at the end of a frame. All bytes since the last end are the content of
        an intact frame if ``good`` is high, and must be discarded if ``bad`` is.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "put": Out(1),
                "byte": Out(8),
                "last": Out(1),
                "good": Out(1),
                "bad": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc = CRC_32.create()
        restart = Signal()
        m.submodules.crc = ResetInserter(restart)(crc)
        # The last bytes of a frame are its CRC. So a byte is given out once that many follow it,
        # and the last byte of the content when the frame ends.
        held = CRC_BYTES + 1
        line = Signal(8 * held)
        count = Signal(range(CRC_BYTES + HEADER_BYTES + 1))
        skip = Signal(init=1)
        escaped = Signal()
        any_byte = Signal()

        raw = self.i.payload
        value = Mux(escaped, raw ^ FLIP, raw)
        taken = Signal()
        whole = Signal()
        m.d.comb += [
            self.i.ready.eq(1),
            crc.data.eq(value),
            crc.valid.eq(taken),
            self.byte.eq(line[-8:]),
            whole.eq(~skip & ~escaped & (count == CRC_BYTES + HEADER_BYTES) & crc.match_detected),
        ]
        with m.If(self.i.valid):
            with m.If(raw == FLAG):
                m.d.comb += [
                    self.good.eq(whole),
                    self.bad.eq(any_byte & ~whole),
                    self.put.eq(whole),
                    self.last.eq(1),
                    restart.eq(1),
                ]
                m.d.sync += [count.eq(0), skip.eq(0), escaped.eq(0), any_byte.eq(0)]
            with m.Else():
                m.d.sync += any_byte.eq(1)
                with m.If(~escaped & (raw == ESCAPE)):
                    m.d.sync += escaped.eq(1)
                with m.Elif(escaped & (raw != FLAG ^ FLIP) & (raw != ESCAPE ^ FLIP)):
                    m.d.sync += skip.eq(1)
                with m.Elif(~skip):
                    m.d.comb += [taken.eq(1), self.put.eq(count >= held)]
                    m.d.sync += [escaped.eq(0), line.eq(Cat(value, line))]
                    with m.If(count != CRC_BYTES + HEADER_BYTES):
                        m.d.sync += count.eq(count + 1)
        return m


class FrameQueue(wiring.Component):
    """Queue of contents. A content is visible at the output once its frame is known to be intact.

    Parameters
    ----------
    depth : int
        Bytes that the queue holds, a power of two.

    Members
    -------
    put : In(1), byte : In(8), last : In(1), good : In(1), bad : In(1)
        See :class:`Deframer`.
    dropped : Out(1)
        High for one cycle at the end of an intact frame that found no room.
    o : Out(stream)
        Contents; see :data:`CONTENT`.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "put": In(1),
                "byte": In(8),
                "last": In(1),
                "good": In(1),
                "bad": In(1),
                "dropped": Out(1),
                "o": Out(stream.Signature(CONTENT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=CONTENT, depth=self.depth, init=[])
        write, read = ring.write_port(), ring.read_port()
        bits = self.depth.bit_length() - 1
        # One bit more than an address, to tell full from empty.
        head, whole, tail = Signal(bits + 1), Signal(bits + 1), Signal(bits + 1)
        overflow = Signal()
        lost = Signal()
        full = Signal()
        following = Signal(bits + 1)
        m.d.comb += [
            full.eq((head ^ tail) == self.depth),
            lost.eq(overflow | (self.put & full)),
            following.eq(head + (self.put & ~lost)),
            write.addr.eq(head[:bits]),
            write.data.byte.eq(self.byte),
            write.data.last.eq(self.last),
            write.en.eq(self.put & ~lost),
            self.dropped.eq(self.good & lost),
        ]
        m.d.sync += [head.eq(following), overflow.eq(lost)]
        with m.If(self.good | self.bad):
            m.d.sync += overflow.eq(0)
            with m.If(self.good & ~lost):
                m.d.sync += whole.eq(following)
            with m.Else():
                m.d.sync += head.eq(whole)

        # A register behind the memory, which takes half of a clock cycle itself.
        shown, moves, advance = Signal(), Signal(), Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            advance.eq(~shown | moves),
            read.addr.eq(tail[:bits]),
            read.en.eq(advance),
        ]
        with m.If(moves):
            m.d.sync += [self.o.valid.eq(shown), self.o.payload.eq(read.data)]
        with m.If(advance):
            m.d.sync += shown.eq(tail != whole)
            with m.If(tail != whole):
                m.d.sync += tail.eq(tail + 1)
        return m


class Framer(wiring.Component):
    """Wraps contents into frames: adds flags and the CRC, and escapes bytes.

    Members
    -------
    i : In(stream)
        Contents; see :data:`CONTENT`.
    o : Out(stream of 8 bits)
        Bytes for the wire.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(CONTENT)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        crc = CRC_32.create()
        restart = Signal()
        m.submodules.crc = ResetInserter(restart)(crc)
        rest = Signal(8 * CRC_BYTES)
        left = Signal(range(CRC_BYTES))
        current = Signal(8)
        special = Signal()
        escaped = Signal()
        # The current byte itself, not an escape before it, is transferred.
        done = Signal()
        m.d.comb += [
            special.eq((current == FLAG) | (current == ESCAPE)),
            crc.data.eq(self.i.payload.byte),
        ]

        def send(valid: Signal | int) -> None:
            m.d.comb += [
                self.o.valid.eq(valid),
                self.o.payload.eq(Mux(escaped, current ^ FLIP, Mux(special, ESCAPE, current))),
                done.eq(self.o.ready & valid & (escaped | ~special)),
            ]
            with m.If(self.o.ready & valid):
                m.d.sync += escaped.eq(special & ~escaped)

        with m.FSM():
            with m.State("OPEN"):
                m.d.comb += [
                    self.o.valid.eq(self.i.valid),
                    self.o.payload.eq(FLAG),
                    restart.eq(1),
                ]
                with m.If(self.i.valid & self.o.ready):
                    m.next = "CONTENT"
            with m.State("CONTENT"):
                m.d.comb += [
                    current.eq(self.i.payload.byte),
                    self.i.ready.eq(self.o.ready & (escaped | ~special)),
                    crc.valid.eq(done),
                ]
                send(self.i.valid)
                with m.If(done & self.i.payload.last):
                    m.next = "SUM"
            with m.State("SUM"):
                m.d.sync += [rest.eq(crc.crc), left.eq(CRC_BYTES - 1)]
                m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += current.eq(rest[:8])
                send(1)
                with m.If(done):
                    m.d.sync += [rest.eq(rest >> 8), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(FLAG)]
                with m.If(self.o.ready):
                    m.next = "OPEN"
        return m
