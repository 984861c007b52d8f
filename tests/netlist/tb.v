// Plays levels of the pin rx, a clock cycle each, and writes what the device shows in that cycle.
// Standard input holds a character a cycle; at a line's end the answers are handed over.

module tb;
    reg clk = 0, rx = 1;
    // Nets, as a pin may be an inout.
    wire clock = clk, receive = rx, high = 1'b1;
    wire tx, passed, failed;
    integer got, stdin;

    `TOP top(`PORTS);

    initial begin
        stdin = 32'h8000_0000;
        got = $fgetc(stdin);
        while (got >= 0) begin
            if (got == "\n") begin
                $write("\n");
                $fflush;
            end else begin
                rx = got == "1";
                #1;
                $write("%b%b%b", tx, passed, failed);
                clk = 1;
                #1;
                clk = 0;
            end
            got = $fgetc(stdin);
        end
        $finish;
    end
endmodule
