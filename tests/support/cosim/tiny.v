// A hand-written accelerator with the ports and taps of a generated one, for the tests of the
// simulation alone. Two layers on images of shape (1, 2, 2) with 4-bit pixels:
//   hidden  if, T = 3, 1x1 convolution to 3 channels, count transport, 2 lanes (one left over)
//   output  logits, T = 1, linear 12 to 2, count transport, 2 lanes
// +defect=N breaks it in one of the ways listed below.
module tiny (
    input clk,
    input rst,
    input i__valid,
    output i__ready,
    input [3:0] i__payload,
    output o__valid,
    input o__ready,
    output [10:0] o__payload,
    output reg tap__hidden__step,
    output reg [19:0] tap__hidden__potential,
    output reg [1:0] tap__hidden__spike,
    output reg tap__hidden__sent,
    output reg [3:0] tap__hidden__value,
    output reg tap__output__step,
    output reg [19:0] tap__output__potential,
    output reg [1:0] tap__output__spike,
    output reg tap__output__sent,
    output reg [19:0] tap__output__value,
    output [31:0] counters__hidden__cycles,
    output [31:0] counters__hidden__events,
    output [31:0] counters__hidden__starved,
    output [31:0] counters__hidden__blocked,
    output [31:0] counters__output__cycles,
    output [31:0] counters__output__events,
    output [31:0] counters__output__starved,
    output [31:0] counters__output__blocked
);
  localparam NONE = 0;
  localparam POTENTIAL = 1;  // image 2: one potential too high from (c 1, y 1, x 0), t 1 on
  localparam HANG = 2;       // takes no pixel of image 1
  localparam SURPLUS = 3;    // sends the logits of image 3 twice
  localparam MISSING = 4;    // image 1: shows one timestep less
  localparam LAST = 5;       // never says which logit is the last
  localparam UNSTABLE = 6;   // changes the logit while it waits
  localparam COUNT = 7;      // image 0: shows a wrong count of (c 2, y 0, x 1)
  localparam CRASH = 8;      // ends the simulation at image 1
  integer defect;
  initial if (!$value$plusargs("defect=%d", defect)) defect = NONE;

  function signed [9:0] weight(input [1:0] c);
    case (c) 0: weight = 3; 1: weight = -2; default: weight = 1; endcase
  endfunction
  function signed [9:0] threshold(input [1:0] c);
    case (c) 0: threshold = 20; 1: threshold = 5; default: threshold = 7; endcase
  endfunction
  function signed [9:0] bias(input [1:0] c);
    case (c) 0: bias = 1; 1: bias = 12; default: bias = -2; endcase
  endfunction

  localparam READ = 0, HIDDEN = 1, OUTPUT = 2, SEND = 3;
  reg [1:0] state;
  reg [31:0] image;
  reg [3:0] pixel[0:3];
  reg [1:0] count[0:11];
  reg [1:0] position;
  reg group;
  reg [1:0] t;
  reg signed [9:0] v[0:1];
  reg [1:0] n[0:1];
  reg signed [9:0] logit[0:1];
  reg which;

  assign i__ready = state == READ && !(defect == HANG && image == 1);
  assign o__valid = state == SEND;
  assign o__payload = {which && defect != LAST, logit[which]};

  integer m, s, k;
  reg signed [9:0] potential, sum;
  reg [1:0] c;
  always @(posedge clk) begin
    tap__hidden__step <= 0;
    tap__hidden__sent <= 0;
    tap__output__step <= 0;
    tap__output__sent <= 0;
    if (rst) begin
      state <= READ;
      image <= 0;
      position <= 0;
      group <= 0;
      t <= 0;
      which <= 0;
    end else
      case (state)
        READ:
        if (i__valid && i__ready) begin
          pixel[position] <= i__payload;
          position <= position + 1;
          if (position == 3) state <= HIDDEN;
        end
        HIDDEN: begin
          if (defect == CRASH && image == 1) $fatal(1, "a crash was asked for");
          for (m = 0; m < 2; m = m + 1) begin
            c = {group, m[0]};
            potential = (t == 0 ? threshold(c) >>> 1 : v[m])
                + weight(c) * $signed({1'b0, pixel[position]}) + bias(c);
            if (defect == POTENTIAL && image == 2 && c == 1 && position == 2 && t == 1)
              potential = potential + 1;
            s = potential >= threshold(c);
            if (s != 0) potential = potential - threshold(c);
            v[m] <= potential;
            n[m] = (t == 0 ? 0 : n[m]) + s[1:0];
            tap__hidden__potential[10*m+:10] <= potential;
            tap__hidden__spike[m] <= s[0];
            tap__hidden__value[2*m+:2] <= n[m]
                ^ {1'b0, defect == COUNT && image == 0 && c == 2 && position == 1};
            if (c != 3) count[4*c+position] <= n[m];
          end
          tap__hidden__step <= !(defect == MISSING && image == 1 && position == 3 && t == 2);
          tap__hidden__sent <= t == 2;
          t <= t == 2 ? 0 : t + 1;
          if (t == 2) begin
            group <= !group;
            if (group) begin
              position <= position + 1;
              if (position == 3) state <= OUTPUT;
            end
          end
        end
        OUTPUT: begin
          for (m = 0; m < 2; m = m + 1) begin
            sum = m == 0 ? -20 : 6;
            // The weight of logit m and count k is k - 5 for m = 0, and 4 - k for m = 1.
            for (k = 0; k < 12; k = k + 1)
              sum = sum + (m == 0 ? k[9:0] - 5 : 4 - k[9:0]) * $signed({1'b0, count[k]});
            logit[m] <= sum;
            tap__output__potential[10*m+:10] <= sum;
            tap__output__value[10*m+:10] <= sum;
          end
          tap__output__spike <= 0;
          tap__output__step <= 1;
          tap__output__sent <= 1;
          state <= SEND;
        end
        SEND:
        if (o__ready) begin
          which <= !which;
          if (which) begin
            image <= image + 1;
            state <= defect == SURPLUS && image == 3 ? SEND : READ;
          end
        end else if (defect == UNSTABLE) logit[which] <= logit[which] + 1;
      endcase
  end

  // Working, waiting for input, waiting for the consumer: one of them at every cycle. The counters lag
  // behind by a cycle, as those of real accelerators do.
  reg [31:0] cycles[0:1], starved[0:1], blocked[0:1], events[0:1];
  reg worked[0:1], waited[0:1], stood[0:1], added[0:1];
  always @(posedge clk)
    for (m = 0; m < 2; m = m + 1) begin
      stood[m] <= !rst && state == SEND;
      worked[m] <= !rst && state == (m == 0 ? HIDDEN : OUTPUT);
      added[m] <= !rst && state == (m == 0 ? HIDDEN : OUTPUT) && t != 2;
      waited[m] <= !rst && state != SEND && state != (m == 0 ? HIDDEN : OUTPUT);
      cycles[m] <= rst ? 0 : cycles[m] + worked[m];
      events[m] <= rst ? 0 : events[m] + added[m];
      starved[m] <= rst ? 0 : starved[m] + waited[m];
      blocked[m] <= rst ? 0 : blocked[m] + stood[m];
    end
  assign counters__hidden__cycles = cycles[0];
  assign counters__hidden__events = events[0];
  assign counters__hidden__starved = starved[0];
  assign counters__hidden__blocked = blocked[0];
  assign counters__output__cycles = cycles[1];
  assign counters__output__events = events[1];
  assign counters__output__starved = starved[1];
  assign counters__output__blocked = blocked[1];
endmodule
