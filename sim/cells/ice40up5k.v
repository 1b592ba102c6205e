// Lattice iCE40 UltraPlus blocks in the modes hw/blocks/ice40up5k.py uses; written after FPGA-TN-02002 (memory usage guide),
// FPGA-TN-02022 (SPRAM usage guide), FPGA-TN-02007 (DSP function usage guide) and the iCE Technology Library.

// One port. After a write the output is unknown, and so are the contents until they are written.
module SB_SPRAM256KA (
  input [13:0] ADDRESS,
  input [15:0] DATAIN,
  input [3:0] MASKWREN,
  input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
  output reg [15:0] DATAOUT
);
`ifdef VERILATOR
  localparam [15:0] UNKNOWN = 16'hbad1;
`else
  localparam [15:0] UNKNOWN = 16'bx;
`endif
  reg [15:0] words [0:16383];
  integer i;
  initial for (i = 0; i < 16384; i = i + 1) words[i] = UNKNOWN;

  always @(posedge CLOCK) begin
    // POWEROFF is active low.
    if (CHIPSELECT !== 1 || MASKWREN !== 4'b1111 || STANDBY !== 0 || SLEEP !== 0 || POWEROFF !== 1) begin
      $display("SB_SPRAM256KA: a pin is tied to a level that is not modelled");
      $fatal;
    end
    DATAOUT <= WREN ? UNKNOWN : words[ADDRESS];
    if (WREN) words[ADDRESS] <= DATAIN;
  end
endmodule

// 256 x 16 (mode 0) to 2048 x 2 (mode 3), both ports in one mode and on one clock. In mode m a word has 16 >> m bits; bit j
// uses pin (j << m) + 0, 0, 1, 3, and address bits 8.. select one of the 1 << m memory bits from (j << m) on. A row read in
// the cycle that writes it is unknown.
module SB_RAM40_4K #(
  parameter READ_MODE = 0, WRITE_MODE = 0,
  parameter [255:0] INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0, INIT_4 = 0, INIT_5 = 0, INIT_6 = 0, INIT_7 = 0,
  parameter [255:0] INIT_8 = 0, INIT_9 = 0, INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0, INIT_E = 0, INIT_F = 0
) (
  output [15:0] RDATA,
  input RCLK, RCLKE, RE,
  input [10:0] RADDR,
  input WCLK, WCLKE, WE,
  input [10:0] WADDR,
  input [15:0] MASK, WDATA
);
`ifdef VERILATOR
  localparam [15:0] UNKNOWN = 16'hbad1;
`else
  localparam [15:0] UNKNOWN = 16'bx;
`endif
  localparam [16*256-1:0] CONTENTS = {
    INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8,
    INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
  };
  localparam GROUP = 1 << READ_MODE;
  localparam PIN = READ_MODE == 0 ? 0 : (GROUP >> 1) - 1;

  reg [15:0] words [0:255];
  integer i;
  initial begin
    for (i = 0; i < 256; i = i + 1) words[i] = CONTENTS[i * 16 +: 16];
    if (READ_MODE != WRITE_MODE || READ_MODE > 3) begin
      $display("SB_RAM40_4K: a parameter has a value that is not modelled");
      $fatal;
    end
  end

  wire [2:0] read_select = RADDR[10:8] & (GROUP - 1), write_select = WADDR[10:8] & (GROUP - 1);
  wire same_row = RADDR[7:0] == WADDR[7:0] && read_select == write_select;

  reg [15:0] word, spread, merged, out;
  integer j, k;
  always @(posedge RCLK) begin
    if (RCLKE !== 1 || RE !== 1 || WCLKE !== 1 || MASK !== 0) begin
      $display("SB_RAM40_4K: a pin is tied to a level that is not modelled");
      $fatal;
    end
    word = WE && same_row ? UNKNOWN : words[RADDR[7:0]];
    spread = 0;
    for (j = 0; j < 16; j = j + GROUP) spread[j + PIN] = word[j + read_select];
    out <= spread;
  end
  assign RDATA = out;

  always @(posedge WCLK) if (WE) begin
    merged = words[WADDR[7:0]];
    for (k = 0; k < 16; k = k + GROUP) merged[k + write_select] = WDATA[k + PIN];
    words[WADDR[7:0]] <= merged;
  end
endmodule

// The signed 16 x 16 multiplier, its operands in registers or not. Output 3 is the product in its register; output 1 the register
// behind the adder of all 32 bits, which adds the product to, or subtracts it from, C and D or its own sum, or takes C and D.
module SB_MAC16 #(
  parameter NEG_TRIGGER = 1'b0, A_REG = 1'b0, B_REG = 1'b0, C_REG = 1'b0, D_REG = 1'b0,
  parameter TOP_8x8_MULT_REG = 1'b0, BOT_8x8_MULT_REG = 1'b0,
  parameter PIPELINE_16x16_MULT_REG1 = 1'b0, PIPELINE_16x16_MULT_REG2 = 1'b0,
  parameter TOPOUTPUT_SELECT = 2'b0, BOTOUTPUT_SELECT = 2'b0,
  parameter TOPADDSUB_LOWERINPUT = 2'b0, TOPADDSUB_UPPERINPUT = 1'b0, TOPADDSUB_CARRYSELECT = 2'b0,
  parameter BOTADDSUB_LOWERINPUT = 2'b0, BOTADDSUB_UPPERINPUT = 1'b0, BOTADDSUB_CARRYSELECT = 2'b0,
  parameter MODE_8x8 = 1'b0, A_SIGNED = 1'b0, B_SIGNED = 1'b0
) (
  input CLK, CE,
  input [15:0] A, B, C, D,
  input AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
  input ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
  output [31:0] O,
  output CO, ACCUMCO, SIGNEXTOUT
);
  localparam FROM_REGISTER = TOPOUTPUT_SELECT == 3;
  initial
    if (NEG_TRIGGER != 0 || A_REG != B_REG || C_REG != 0 || D_REG != 0 || TOP_8x8_MULT_REG != 0 || BOT_8x8_MULT_REG != 0
        || PIPELINE_16x16_MULT_REG1 != 0 || PIPELINE_16x16_MULT_REG2 != FROM_REGISTER
        || (TOPOUTPUT_SELECT != 1 && TOPOUTPUT_SELECT != 3) || BOTOUTPUT_SELECT != TOPOUTPUT_SELECT
        || MODE_8x8 != 0 || A_SIGNED != 1 || B_SIGNED != 1
        || (!FROM_REGISTER && (TOPADDSUB_LOWERINPUT != 2 || BOTADDSUB_LOWERINPUT != 2
          || TOPADDSUB_UPPERINPUT != BOTADDSUB_UPPERINPUT
          || TOPADDSUB_CARRYSELECT != 2 || BOTADDSUB_CARRYSELECT != 0))) begin
      $display("SB_MAC16: a parameter has a value that is not modelled");
      $fatal;
    end

  reg signed [15:0] a_register, b_register;
  reg signed [31:0] product_register, sum;
  wire signed [15:0] a = A_REG ? a_register : A, b = B_REG ? b_register : B;
  wire signed [31:0] product = a * b;
  wire [31:0] upper = TOPADDSUB_UPPERINPUT ? {C, D} : sum;
  always @(posedge CLK) begin
    if (CE !== 1 || AHOLD !== 0 || BHOLD !== 0 || IRSTTOP !== 0 || IRSTBOT !== 0 || ORSTTOP !== 0 || ORSTBOT !== 0
        || OLOADTOP !== OLOADBOT || ADDSUBTOP !== ADDSUBBOT || OHOLDTOP !== OHOLDBOT) begin
      $display("SB_MAC16: a pin is tied to a level that is not modelled");
      $fatal;
    end
    a_register <= A;
    b_register <= B;
    product_register <= product;
    if (!OHOLDTOP) sum <= OLOADTOP ? {C, D} : ADDSUBTOP ? upper - product : upper + product;
  end
  assign O = FROM_REGISTER ? product_register : sum;
  assign {CO, ACCUMCO, SIGNEXTOUT} = 3'bx;
endmodule
