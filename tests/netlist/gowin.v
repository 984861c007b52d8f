// Block RAM of Gowin's GW1N.

// Initial content of a memory: 64 parameters of BITS bits each, and statements that load them.
`define INIT_RAM(BITS) parameter [BITS-1:0] \
    INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, \
    INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, \
    INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, \
    INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, \
    INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0, \
    INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
    INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, \
    INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0, \
    INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, \
    INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, \
    INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, \
    INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
    INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, \
    INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0, \
    INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
    INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0;
`define LOAD_RAM initial begin \
    ram.load(0, INIT_RAM_00); ram.load(1, INIT_RAM_01); \
    ram.load(2, INIT_RAM_02); ram.load(3, INIT_RAM_03); \
    ram.load(4, INIT_RAM_04); ram.load(5, INIT_RAM_05); \
    ram.load(6, INIT_RAM_06); ram.load(7, INIT_RAM_07); \
    ram.load(8, INIT_RAM_08); ram.load(9, INIT_RAM_09); \
    ram.load(10, INIT_RAM_0A); ram.load(11, INIT_RAM_0B); \
    ram.load(12, INIT_RAM_0C); ram.load(13, INIT_RAM_0D); \
    ram.load(14, INIT_RAM_0E); ram.load(15, INIT_RAM_0F); \
    ram.load(16, INIT_RAM_10); ram.load(17, INIT_RAM_11); \
    ram.load(18, INIT_RAM_12); ram.load(19, INIT_RAM_13); \
    ram.load(20, INIT_RAM_14); ram.load(21, INIT_RAM_15); \
    ram.load(22, INIT_RAM_16); ram.load(23, INIT_RAM_17); \
    ram.load(24, INIT_RAM_18); ram.load(25, INIT_RAM_19); \
    ram.load(26, INIT_RAM_1A); ram.load(27, INIT_RAM_1B); \
    ram.load(28, INIT_RAM_1C); ram.load(29, INIT_RAM_1D); \
    ram.load(30, INIT_RAM_1E); ram.load(31, INIT_RAM_1F); \
    ram.load(32, INIT_RAM_20); ram.load(33, INIT_RAM_21); \
    ram.load(34, INIT_RAM_22); ram.load(35, INIT_RAM_23); \
    ram.load(36, INIT_RAM_24); ram.load(37, INIT_RAM_25); \
    ram.load(38, INIT_RAM_26); ram.load(39, INIT_RAM_27); \
    ram.load(40, INIT_RAM_28); ram.load(41, INIT_RAM_29); \
    ram.load(42, INIT_RAM_2A); ram.load(43, INIT_RAM_2B); \
    ram.load(44, INIT_RAM_2C); ram.load(45, INIT_RAM_2D); \
    ram.load(46, INIT_RAM_2E); ram.load(47, INIT_RAM_2F); \
    ram.load(48, INIT_RAM_30); ram.load(49, INIT_RAM_31); \
    ram.load(50, INIT_RAM_32); ram.load(51, INIT_RAM_33); \
    ram.load(52, INIT_RAM_34); ram.load(53, INIT_RAM_35); \
    ram.load(54, INIT_RAM_36); ram.load(55, INIT_RAM_37); \
    ram.load(56, INIT_RAM_38); ram.load(57, INIT_RAM_39); \
    ram.load(58, INIT_RAM_3A); ram.load(59, INIT_RAM_3B); \
    ram.load(60, INIT_RAM_3C); ram.load(61, INIT_RAM_3D); \
    ram.load(62, INIT_RAM_3E); ram.load(63, INIT_RAM_3F); \
end

// Bytes of 9 bits, one port.
module SPX9(
    output [35:0] DO, input [35:0] DI, input [2:0] BLKSEL, input [13:0] AD,
    input WRE, CLK, CE, OCE, RESET
);
    parameter READ_MODE = 1'b0;
    parameter WRITE_MODE = 2'b00;
    parameter BIT_WIDTH = 36;
    parameter BLK_SEL = 3'b000;
    parameter RESET_MODE = "SYNC";
    `INIT_RAM(288)

    wire [35:0] q;
    assign DO = q[35:0];
    plain check(CLK, BLKSEL === BLK_SEL && READ_MODE == 0
        && (RESET_MODE == "SYNC" || RESET === 1'b0));
    block_ram #(
        .BYTE(9),
        .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE)
    ) ram (
        .CLKA(CLK), .CEA(CE), .WEA(WRE), .RSTA(RESET), .ADA(AD), .DIA({DI}), .DOA(q),
        .CLKB(1'b0), .CEB(1'b0), .WEB(1'b0), .RSTB(1'b0), .ADB(14'b0), .DIB(36'b0)
    );

    `LOAD_RAM
endmodule

// Port A writes, port B reads.
module SDPX9B(
    output [35:0] DO, input [35:0] DI, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
    input CLKA, CLKB, CEA, CEB, OCE, RESETA, RESETB
);
    parameter READ_MODE = 1'b0;
    parameter BIT_WIDTH_0 = 36;
    parameter BIT_WIDTH_1 = 36;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    `INIT_RAM(288)

    wire [35:0] q;
    assign DO = q[35:0];
    plain check(CLKB, BLKSELA === BLK_SEL_0 && BLKSELB === BLK_SEL_1 && READ_MODE == 0
        && (RESET_MODE == "SYNC" || {RESETA, RESETB} === 2'b0));
    block_ram #(
        .BYTE(9),
        .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1)
    ) ram (
        .CLKA(CLKA), .CEA(CEA), .WEA(1'b1), .RSTA(RESETA), .ADA(ADA), .DIA({DI}),
        .CLKB(CLKB), .CEB(CEB), .WEB(1'b0), .RSTB(RESETB), .ADB(ADB), .DIB(36'b0), .DOB(q)
    );

    `LOAD_RAM
endmodule

// Two ports that read and write.
module DPX9B(
    output [17:0] DOA, DOB, input [17:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB, input WREA, WREB, CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB
);
    parameter READ_MODE0 = 1'b0;
    parameter READ_MODE1 = 1'b0;
    parameter WRITE_MODE0 = 2'b00;
    parameter WRITE_MODE1 = 2'b00;
    parameter BIT_WIDTH_0 = 18;
    parameter BIT_WIDTH_1 = 18;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    `INIT_RAM(288)

    wire [35:0] qa, qb;
    assign DOA = qa[17:0];
    assign DOB = qb[17:0];
    plain check(CLKB, BLKSELA === BLK_SEL_0 && BLKSELB === BLK_SEL_1 && READ_MODE0 == 0
        && READ_MODE1 == 0 && (RESET_MODE == "SYNC" || {RESETA, RESETB} === 2'b0));
    block_ram #(
        .BYTE(9),
        .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1)
    ) ram (
        .CLKA(CLKA), .CEA(CEA), .WEA(WREA), .RSTA(RESETA), .ADA(ADA), .DIA({18'b0, DIA}),
        .DOA(qa),
        .CLKB(CLKB), .CEB(CEB), .WEB(WREB), .RSTB(RESETB), .ADB(ADB), .DIB({18'b0, DIB}),
        .DOB(qb)
    );

    `LOAD_RAM
endmodule

// Bytes of 8 bits, for narrow memories; one port.
module SP(
    output [31:0] DO, input [31:0] DI, input [2:0] BLKSEL, input [13:0] AD,
    input WRE, CLK, CE, OCE, RESET
);
    parameter READ_MODE = 1'b0;
    parameter WRITE_MODE = 2'b00;
    parameter BIT_WIDTH = 32;
    parameter BLK_SEL = 3'b000;
    parameter RESET_MODE = "SYNC";
    `INIT_RAM(256)

    wire [35:0] q;
    assign DO = q[31:0];
    plain check(CLK, BLKSEL === BLK_SEL && READ_MODE == 0
        && (RESET_MODE == "SYNC" || RESET === 1'b0));
    block_ram #(
        .BYTE(8),
        .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE)
    ) ram (
        .CLKA(CLK), .CEA(CE), .WEA(WRE), .RSTA(RESET), .ADA(AD), .DIA({4'b0, DI}), .DOA(q),
        .CLKB(1'b0), .CEB(1'b0), .WEB(1'b0), .RSTB(1'b0), .ADB(14'b0), .DIB(36'b0)
    );

    `LOAD_RAM
endmodule

// Two ports that read and write.
module DPB(
    output [15:0] DOA, DOB, input [15:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB,
    input [13:0] ADA, ADB, input WREA, WREB, CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB
);
    parameter READ_MODE0 = 1'b0;
    parameter READ_MODE1 = 1'b0;
    parameter WRITE_MODE0 = 2'b00;
    parameter WRITE_MODE1 = 2'b00;
    parameter BIT_WIDTH_0 = 16;
    parameter BIT_WIDTH_1 = 16;
    parameter BLK_SEL_0 = 3'b000;
    parameter BLK_SEL_1 = 3'b000;
    parameter RESET_MODE = "SYNC";
    `INIT_RAM(256)

    wire [35:0] qa, qb;
    assign DOA = qa[15:0];
    assign DOB = qb[15:0];
    plain check(CLKB, BLKSELA === BLK_SEL_0 && BLKSELB === BLK_SEL_1 && READ_MODE0 == 0
        && READ_MODE1 == 0 && (RESET_MODE == "SYNC" || {RESETA, RESETB} === 2'b0));
    block_ram #(
        .BYTE(8),
        .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1)
    ) ram (
        .CLKA(CLKA), .CEA(CEA), .WEA(WREA), .RSTA(RESETA), .ADA(ADA), .DIA({20'b0, DIA}),
        .DOA(qa),
        .CLKB(CLKB), .CEB(CEB), .WEB(WREB), .RSTB(RESETB), .ADB(ADB), .DIB({20'b0, DIB}),
        .DOB(qb)
    );

    `LOAD_RAM
endmodule

// Ends the simulation if a cell is in a mode that its model lacks.
module plain(input clk, input right);
    always @(posedge clk)
        if (right !== 1'b1) begin
            $display("error: %m: a block RAM in a mode that its model lacks");
            $finish;
        end
endmodule
