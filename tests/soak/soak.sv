// A simulated accelerator whose streams and reset are driven from outside (main.cpp), cycle by cycle.
module spikeloom_soak (
    input wire clk,
    input wire rst,
    input wire i_valid,
    output wire i_ready,
    input wire [`PIXEL-1:0] i_payload,
    output wire o_valid,
    input wire o_ready,
    output wire [`PAYLOAD-1:0] o_payload
);
  // verilator lint_off PINMISSING
  `ACCELERATOR accelerator (
    .clk(clk),
    .rst(rst),
    .i__valid(i_valid),
    .i__ready(i_ready),
    .i__payload(i_payload),
    .o__valid(o_valid),
    .o__ready(o_ready),
    .o__payload(o_payload)
  );
  // verilator lint_on PINMISSING
endmodule

// Hands `data` to main.cpp at every cycle in which `strobe` is high. Bound into the accelerator, one
// for each debug tap.
module spikeloom_tap #(
    parameter int WIDTH = 1,
    parameter int TAP = 0
) (
    input wire clk,
    input wire rst,
    input wire strobe,
    input wire [WIDTH-1:0] data
);
  localparam int WORDS = (WIDTH + 31) / 32;
  logic [32*WORDS-1:0] words;
  always_ff @(posedge clk)
    if (strobe && !rst) begin
      words = (32 * WORDS)'(data);
      $c("void spikeloom_tap(unsigned, const void *); spikeloom_tap(", TAP, ", &", words, ");");
    end
endmodule
