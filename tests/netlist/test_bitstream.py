"""Verilog from a bitstream: flip-flops are grouped by their clocks."""

from __future__ import annotations

from netlist.bitstream import by_clock

#: Verilog in the form that icebox_vlog writes.
TEXT = """\

module chip (input c, input d, output q);

reg q = 0, n1 = 0, n2 = 1, n3 = 0, n4 = 0;
assign n5 = /* LUT    5  3  6 */ (n1 ? !n2 : n2);
/* FF 24 29  6 */ always @(posedge c) if (n4) n1 <= n3 ? 1'b0 : d;
/* FF  1 29  6 */ always @(posedge c) q <= n5;
/* FF  2 29  6 */ always @(posedge c) if (n4) n2 <= n1;
/* FF  3 29  6 */ always @(posedge c, posedge d) if (d) n3 <= 1'b0; else n3 <= n2;
/* FF  4 29  6 */ always @(negedge c) n4 <= d;

endmodule

"""
GROUPED = """\

module chip (input c, input d, output q);

reg q = 0, n1 = 0, n2 = 1, n3 = 0, n4 = 0;
assign n5 = /* LUT    5  3  6 */ (n1 ? !n2 : n2);



/* FF  3 29  6 */ always @(posedge c, posedge d) if (d) n3 <= 1'b0; else n3 <= n2;


always @(posedge c) begin
if (n4) begin
n1 <= n3 ? 1'b0 : d;
n2 <= n1;
end
begin
q <= n5;
end
end
always @(negedge c) begin
begin
n4 <= d;
end
end
endmodule

"""


def test_flip_flops_of_a_clock_and_an_enable_are_together() -> None:
    assert by_clock(TEXT) == GROUPED
