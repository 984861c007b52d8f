// What happens at every clock cycle: driving the accelerator's streams, and writing down what it
// shows. Outside of it there are only a clock, and whoever sets this up and watches it: main.cpp,
// or Python by cocotb (testbench.py).

// The simulated accelerator between a source that stalls and a sink that holds back. Macros give
// the accelerator's module name (ACCELERATOR) and its streams' widths (PIXEL, PAYLOAD).
module spikeloom_harness;
  // Set before the first edge of the clock.
  logic clk /*verilator public_flat_rw*/ = 0;
  logic [63:0] pixels /*verilator public_flat_rw*/ = 0;  // to send, over all images
  logic [63:0] logits /*verilator public_flat_rw*/ = 0;  // to receive, over all images
  logic [31:0] input_stall /*verilator public_flat_rw*/ = 0;  // probability times 2^32
  logic [31:0] output_stall /*verilator public_flat_rw*/ = 0;  // probability times 2^32
  logic [63:0] seed /*verilator public_flat_rw*/ = 1;  // not 0 in either half

  // The reset is counted in here. If it were set from outside, Verilator would compute all logic
  // that depends on it once more at every edge, which doubles the time of a cycle.
  logic [2:0] resetting = '1;
  wire rst = resetting[2];
  always_ff @(posedge clk) resetting <= resetting << 1;

  // Read from outside.
  logic [63:0] cycle /*verilator public_flat_rd*/;  // since reset
  logic [63:0] taken /*verilator public_flat_rd*/;  // pixels that the accelerator took
  logic [63:0] given /*verilator public_flat_rd*/;  // logits that it gave
  logic [63:0] broken /*verilator public_flat_rd*/;  // cycles that broke the output stream's rules
  logic finished /*verilator public_flat_rd*/ = 0;  // the last logit has come

  logic i_valid, o_ready;
  wire i_ready, o_valid;
  logic [`PIXEL-1:0] i_payload;
  wire [`PAYLOAD-1:0] o_payload;

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

  always_ff @(posedge clk) cycle <= rst ? 0 : cycle + 1;

  // Marsaglia's xorshift32: the same draws in every simulator, unlike $urandom.
  function automatic logic [31:0] shuffled(input logic [31:0] x);
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ (x << 5);
  endfunction

  // ---- Source. Valid and payload stay until the transfer; while not valid, the payload is noise,
  // so that an accelerator that takes it is found out.
  logic [31:0] i_draw;
  logic [63:0] unsent;
  int pixel_file;
  initial pixel_file = $fopen("pixels.bin", "rb");

  function automatic logic [15:0] next_pixel();
    next_pixel[7:0] = 8'($fgetc(pixel_file));
    next_pixel[15:8] = 8'($fgetc(pixel_file));
  endfunction

  always_ff @(posedge clk) begin
    i_draw <= rst ? seed[31:0] : shuffled(i_draw);
    if (rst) begin
      i_valid <= 0;
      taken   <= 0;
      unsent  <= pixels;
    end else begin
      if (i_valid && i_ready) taken <= taken + 1;
      if (!i_valid || i_ready) begin
        if (unsent != 0 && i_draw >= input_stall) begin
          i_valid <= 1;
          i_payload <= `PIXEL'(next_pixel());
          unsent <= unsent - 1;
        end else begin
          i_valid <= 0;
          i_payload <= `PIXEL'(i_draw);
        end
      end
    end
  end

  // ---- Sink. It writes each logit with the cycle of its transfer.
  logic [31:0] o_draw;
  logic was_waiting;
  logic [`PAYLOAD-1:0] waiting_payload;

  spikeloom_recorder #(.WIDTH(64 + `PAYLOAD), .FILE("logits.bin")) record_logits (
    .clk(clk),
    .rst(rst),
    .strobe(o_valid && o_ready),
    .data({o_payload, cycle})
  );

  always_ff @(posedge clk) begin
    o_draw <= rst ? seed[63:32] : shuffled(o_draw);
    o_ready <= !rst && o_draw >= output_stall;
    was_waiting <= !rst && o_valid && !o_ready;
    waiting_payload <= o_payload;
    if (rst) begin
      given  <= 0;
      broken <= 0;
      finished <= 0;
    end else begin
      finished <= given + (o_valid && o_ready ? 1 : 0) >= logits;
      if (was_waiting && (!o_valid || o_payload != waiting_payload)) broken <= broken + 1;
      if (o_valid && o_ready) given <= given + 1;
    end
  end
endmodule

// Writes `data` to FILE at every cycle in which `strobe` is high, as little-endian 32-bit words.
// One has the output stream, and one for each debug tap is bound into the accelerator. Each record
// is written by C++: $fwrite interprets its format every time, which makes a tenth of the
// simulation, and does not say if the disk is full. Then the simulation ends with status 74
// (WRITE_FAILED in job.py).
module spikeloom_recorder #(
    parameter int WIDTH = 1,
    parameter string FILE = ""
) (
    input wire clk,
    input wire rst,
    input wire strobe,
    input wire [WIDTH-1:0] data
);
  localparam int WORDS = (WIDTH + 31) / 32;
  logic [63:0] records /*verilator public_flat_rd*/ = 0;
  logic [32*WORDS-1:0] words;
  longint file;
  initial file = $c64("(QData)std::fopen((", FILE, ").c_str(), \"wb\")");
  final $c("if (std::fclose((FILE *)", file, ")) std::_Exit(74);");

  always_ff @(posedge clk)
    if (strobe && !rst) begin
      records <= records + 1;
      words = (32 * WORDS)'(data);
      $c("if (std::fwrite(&", words, ", 4, ", WORDS, ", (FILE *)", file, ") != ", WORDS,
         ") std::_Exit(74);");
    end
endmodule

// Shows a layer's counters to whoever watches. Bound into the accelerator, one for each layer.
module spikeloom_counters (
    input wire [31:0] cycles,
    input wire [31:0] events,
    input wire [31:0] starved,
    input wire [31:0] blocked
);
  wire [31:0] shown_cycles /*verilator public_flat_rd*/ = cycles;
  wire [31:0] shown_events /*verilator public_flat_rd*/ = events;
  wire [31:0] shown_starved /*verilator public_flat_rd*/ = starved;
  wire [31:0] shown_blocked /*verilator public_flat_rd*/ = blocked;
endmodule
