// Cells of ECP5 for which Yosys has no models.

// Holds all flip-flops at their initial values until GSR is high. They start with them anyway.
module SGSR(input GSR, CLK);
endmodule

module DP16KD(
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0,
        INITVAL_03 = 0,
        INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
        INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
        INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
        INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
        INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
        INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
        INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
        INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
        INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
        INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
        INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
        INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
        INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
        INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
        INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;

    // 16 words of 18 bits, each in 20 bits.
    function [287:0] words(input [319:0] value);
        integer k;
        for (k = 0; k < 16; k = k + 1) words[k * 18 +: 18] = value[k * 20 +: 18];
    endfunction

    localparam MODE_A = WRITEMODE_A == "NORMAL" ? 0 : WRITEMODE_A == "WRITETHROUGH" ? 1 : 2;
    localparam MODE_B = WRITEMODE_B == "NORMAL" ? 0 : WRITEMODE_B == "WRITETHROUGH" ? 1 : 2;
    wire [35:0] qa, qb;
    // With 36 bits, port A only writes and port B only reads; each uses the pins of both.
    wire [17:0] lowa = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] lowb = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0};
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? qb[17:0] : qa[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? qb[35:18] : qb[17:0];

    wire chosen = {CSA2, CSA1, CSA0, CSB2, CSB1, CSB0} === 6'b0;
    wire plain = REGMODE_A == "NOREG" && REGMODE_B == "NOREG"
        && CSDECODE_A == "0b000" && CSDECODE_B == "0b000"
        && CLKAMUX == "CLKA" && CLKBMUX == "CLKB";
    always @(posedge CLKA, posedge CLKB)
        if (!plain || !chosen || (RESETMODE == "ASYNC" && ({RSTA, RSTB} !== 2'b0))) begin
            $display("error: %m: a DP16KD in a mode that its model lacks");
            $finish;
        end

    block_ram #(
        .WIDTH_A(DATA_WIDTH_A), .WIDTH_B(DATA_WIDTH_B), .MODE_A(MODE_A), .MODE_B(MODE_B)
    ) ram (
        .CLKA(CLKA), .CEA(CEA), .WEA(WEA), .RSTA(RSTA), .DOA(qa), .DIA({lowb, lowa}),
        .ADA({ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
            ADA0}),
        .CLKB(CLKB), .CEB(CEB), .WEB(WEB), .RSTB(RSTB), .DOB(qb), .DIB({18'b0, lowb}),
        .ADB({ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
            ADB0})
    );

    initial begin
        ram.load(0, words(INITVAL_00)); ram.load(1, words(INITVAL_01));
        ram.load(2, words(INITVAL_02)); ram.load(3, words(INITVAL_03));
        ram.load(4, words(INITVAL_04)); ram.load(5, words(INITVAL_05));
        ram.load(6, words(INITVAL_06)); ram.load(7, words(INITVAL_07));
        ram.load(8, words(INITVAL_08)); ram.load(9, words(INITVAL_09));
        ram.load(10, words(INITVAL_0A)); ram.load(11, words(INITVAL_0B));
        ram.load(12, words(INITVAL_0C)); ram.load(13, words(INITVAL_0D));
        ram.load(14, words(INITVAL_0E)); ram.load(15, words(INITVAL_0F));
        ram.load(16, words(INITVAL_10)); ram.load(17, words(INITVAL_11));
        ram.load(18, words(INITVAL_12)); ram.load(19, words(INITVAL_13));
        ram.load(20, words(INITVAL_14)); ram.load(21, words(INITVAL_15));
        ram.load(22, words(INITVAL_16)); ram.load(23, words(INITVAL_17));
        ram.load(24, words(INITVAL_18)); ram.load(25, words(INITVAL_19));
        ram.load(26, words(INITVAL_1A)); ram.load(27, words(INITVAL_1B));
        ram.load(28, words(INITVAL_1C)); ram.load(29, words(INITVAL_1D));
        ram.load(30, words(INITVAL_1E)); ram.load(31, words(INITVAL_1F));
        ram.load(32, words(INITVAL_20)); ram.load(33, words(INITVAL_21));
        ram.load(34, words(INITVAL_22)); ram.load(35, words(INITVAL_23));
        ram.load(36, words(INITVAL_24)); ram.load(37, words(INITVAL_25));
        ram.load(38, words(INITVAL_26)); ram.load(39, words(INITVAL_27));
        ram.load(40, words(INITVAL_28)); ram.load(41, words(INITVAL_29));
        ram.load(42, words(INITVAL_2A)); ram.load(43, words(INITVAL_2B));
        ram.load(44, words(INITVAL_2C)); ram.load(45, words(INITVAL_2D));
        ram.load(46, words(INITVAL_2E)); ram.load(47, words(INITVAL_2F));
        ram.load(48, words(INITVAL_30)); ram.load(49, words(INITVAL_31));
        ram.load(50, words(INITVAL_32)); ram.load(51, words(INITVAL_33));
        ram.load(52, words(INITVAL_34)); ram.load(53, words(INITVAL_35));
        ram.load(54, words(INITVAL_36)); ram.load(55, words(INITVAL_37));
        ram.load(56, words(INITVAL_38)); ram.load(57, words(INITVAL_39));
        ram.load(58, words(INITVAL_3A)); ram.load(59, words(INITVAL_3B));
        ram.load(60, words(INITVAL_3C)); ram.load(61, words(INITVAL_3D));
        ram.load(62, words(INITVAL_3E)); ram.load(63, words(INITVAL_3F));
    end
endmodule

// Yosys' model initialises Q from a wire that has no value yet in Icarus: Q would begin as X,
// whereas the hardware begins with a value. A test compares the two after a reset.
module TRELLIS_FF(input CLK, LSR, CE, DI, M, output reg Q);
    parameter GSR = "ENABLED";
    parameter CEMUX = "1";
    parameter CLKMUX = "CLK";
    parameter LSRMUX = "LSR";
    parameter LSRONMUX = "LSRMUX";
    parameter SRMODE = "LSR_OVER_CE";
    parameter REGSET = "RESET";
    parameter LSRMODE = "LSR";

    localparam VALUE = REGSET == "SET";
    initial Q = VALUE;
    wire enable = CEMUX == "INV" ? ~CE : CE;
    generate
        if (CLKMUX != "CLK" || LSRMUX != "LSR" || LSRONMUX != "LSRMUX" || LSRMODE != "LSR")
            model_lacks_this error();
        else if (SRMODE == "ASYNC" && CEMUX == "1") begin
            always @(posedge CLK, posedge LSR) Q <= LSR ? VALUE : DI;
        end else if (SRMODE == "ASYNC") begin
            model_lacks_this error();
        end else if (CEMUX == "1") begin
            always @(posedge CLK) Q <= LSR ? VALUE : DI;
        end else if (CEMUX == "CE" || CEMUX == "INV") begin
            always @(posedge CLK) Q <= LSR ? VALUE : enable ? DI : Q;
        end else
            model_lacks_this error();
    endgenerate
endmodule
