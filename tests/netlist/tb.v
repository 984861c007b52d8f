// Drives the pin rx with one level per clock cycle, and writes the levels of tx and both LEDs in that
// cycle. Standard input has one character per cycle; the end of a line flushes the answers.

module tb;
    reg clk = 0, rx = 1;
    // These are nets, since a pin can be an inout.
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
