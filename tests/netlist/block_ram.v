// Block RAM of 2048 bytes of 8 or 9 bits, with two ports of any width. The cells of ECP5 and Gowin
// have this in common, and Yosys' own models of them lack it. Written from the vendors' data sheets
// and from the assumptions of Yosys' mapping.
//
// It is stricter than the hardware: a value that the hardware leaves undefined, because one port
// reads a byte while the other writes it, is X; and a control input that is X ends the simulation.

module block_ram #(
    parameter BYTE = 9,
    parameter WIDTH_A = 9,
    parameter WIDTH_B = 9,
    // Output of a port after it has written: 0 its previous output, 1 the new content, 2 the old
    // content.
    parameter MODE_A = 0,
    parameter MODE_B = 0
) (
    input CLKA, CEA, WEA, RSTA,
    input [13:0] ADA,
    input [35:0] DIA,
    output reg [35:0] DOA,
    input CLKB, CEB, WEB, RSTB,
    input [13:0] ADB,
    input [35:0] DIB,
    output reg [35:0] DOB
);
    localparam BYTES_A = WIDTH_A < BYTE ? 1 : WIDTH_A / BYTE;
    localparam BYTES_B = WIDTH_B < BYTE ? 1 : WIDTH_B / BYTE;
    localparam BITS_A = WIDTH_A < BYTE ? WIDTH_A : BYTE;
    localparam BITS_B = WIDTH_B < BYTE ? WIDTH_B : BYTE;
    localparam [8:0] ONES_A = (1 << BITS_A) - 1;
    localparam [8:0] ONES_B = (1 << BITS_B) - 1;

    reg [8:0] mem [0:2047];
    integer i, ka, kb;
    reg [8:0] worda, wordb;

    initial begin
        // Registers of the output are 0 after configuration.
        DOA = 0;
        DOB = 0;
    end

    // Sets the initial content of 32 bytes.
    task load(input integer row, input [287:0] bytes);
        for (i = 0; i < 32; i = i + 1) mem[32 * row + i] = bytes[i * BYTE +: BYTE];
    endtask

    // The first byte that a port addresses, and the offset of a narrow port's bits in it.
    wire [10:0] firsta = ADA[13:3] & ~(BYTES_A - 1);
    wire [10:0] firstb = ADB[13:3] & ~(BYTES_B - 1);
    wire [3:0] offa = WIDTH_A < BYTE ? ADA[2:0] & ~(WIDTH_A - 1) : 0;
    wire [3:0] offb = WIDTH_B < BYTE ? ADB[2:0] & ~(WIDTH_B - 1) : 0;
    // Wide ports get their byte enables in the lowest bits of the address.
    wire [3:0] onesa = BYTES_A == 1 ? 4'b1 : ADA[3:0] & ((1 << BYTES_A) - 1);
    wire [3:0] onesb = BYTES_B == 1 ? 4'b1 : ADB[3:0] & ((1 << BYTES_B) - 1);
    wire [3:0] writea = CEA & WEA ? onesa : 4'b0;
    wire [3:0] writeb = CEB & WEB ? onesb : 4'b0;

    // The bits of a byte that a port writes.
    function [8:0] mask(input [10:0] at, input [10:0] first, input [3:0] bytes, input [3:0] off,
                        input [8:0] ones);
        reg [10:0] k;
        begin
            k = at - first;
            mask = k < 4 && bytes[k[1:0]] ? ones << off : 9'd0;
        end
    endfunction

    always @(posedge CLKA) begin
        if (^{CEA, WEA, RSTA, writea, writeb} === 1'bx
            || (CEA && ^{firsta, offa} === 1'bx)) begin
            $display("error: %m: port A is controlled by X");
            $finish;
        end
        if (CEA)
            for (ka = 0; ka < BYTES_A; ka = ka + 1) begin
                worda = mem[firsta + ka];
                if (writea[ka]) begin
                    if (mask(firsta + ka, firstb, writeb, offb, ONES_B) != 0) begin
                        $display("error: %m: both ports write byte %0d", firsta + ka);
                        $finish;
                    end
                    worda = (worda & ~(ONES_A << offa))
                        | ((DIA[ka * BYTE +: BITS_A] & ONES_A) << offa);
                    mem[firsta + ka] <= worda;
                    if (MODE_A == 2) worda = mem[firsta + ka];
                end else if (writeb != 0) begin
                    worda = worda ^ (mask(firsta + ka, firstb, writeb, offb, ONES_B) & 9'bx);
                end
                if (!WEA || MODE_A != 0) DOA[ka * BYTE +: BITS_A] <= worda >> offa;
            end
        if (RSTA) DOA <= 0;
    end

    always @(posedge CLKB) begin
        if (^{CEB, WEB, RSTB, writeb, writea} === 1'bx
            || (CEB && ^{firstb, offb} === 1'bx)) begin
            $display("error: %m: port B is controlled by X");
            $finish;
        end
        if (CEB)
            for (kb = 0; kb < BYTES_B; kb = kb + 1) begin
                wordb = mem[firstb + kb];
                if (writeb[kb]) begin
                    wordb = (wordb & ~(ONES_B << offb))
                        | ((DIB[kb * BYTE +: BITS_B] & ONES_B) << offb);
                    mem[firstb + kb] <= wordb;
                    if (MODE_B == 2) wordb = mem[firstb + kb];
                end else if (writea != 0) begin
                    wordb = wordb ^ (mask(firstb + kb, firsta, writea, offa, ONES_A) & 9'bx);
                end
                if (!WEB || MODE_B != 0) DOB[kb * BYTE +: BITS_B] <= wordb >> offb;
            end
        if (RSTB) DOB <= 0;
    end
endmodule
