// Gowin blocks in the modes hw/blocks/gowin.py uses; written after UG285 (BSRAM and SSRAM user guide) and UG287 (DSP user
// guide).

// Port A writes, port B reads through the output register, both on one clock. A row read in the cycle that writes it is
// unknown: the guide promises nothing for two ports on one address.
module SDPX9B #(
  parameter READ_MODE = 1'b0,
  parameter BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36,
  parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0,
  parameter RESET_MODE = "SYNC",
  parameter [287:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0,
  parameter [287:0] INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0, INIT_RAM_08 = 0, INIT_RAM_09 = 0,
  parameter [287:0] INIT_RAM_0A = 0, INIT_RAM_0B = 0, INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0,
  parameter [287:0] INIT_RAM_0F = 0, INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0,
  parameter [287:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, INIT_RAM_18 = 0,
  parameter [287:0] INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0,
  parameter [287:0] INIT_RAM_1E = 0, INIT_RAM_1F = 0, INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0,
  parameter [287:0] INIT_RAM_23 = 0, INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0,
  parameter [287:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0,
  parameter [287:0] INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, INIT_RAM_30 = 0, INIT_RAM_31 = 0,
  parameter [287:0] INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0,
  parameter [287:0] INIT_RAM_37 = 0, INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0,
  parameter [287:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
) (
  input CLKA, CEA, RESETA,
  input [2:0] BLKSELA,
  input [13:0] ADA,
  input [35:0] DI,
  input CLKB, CEB, OCE, RESETB,
  input [2:0] BLKSELB,
  input [13:0] ADB,
  output [35:0] DO
);
`ifdef VERILATOR
  localparam [17:0] UNKNOWN = 18'h2bad1;
`else
  localparam [17:0] UNKNOWN = 18'bx;
`endif
  localparam [64*288-1:0] CONTENTS = {
    INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
    INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
    INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
    INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
    INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
    INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
    INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
    INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00
  };
  localparam BY_18 = BIT_WIDTH_0 == 18;

  // Row after row without gaps, from the lowest bit of INIT_RAM_00.
  reg [8:0] bytes [0:2047];
  reg [287:0] slice;
  integer i, j;
  initial begin
    for (i = 0; i < 64; i = i + 1) begin
      slice = CONTENTS[i * 288 +: 288];
      for (j = 0; j < 32; j = j + 1) bytes[i * 32 + j] = slice[j * 9 +: 9];
    end
    if (READ_MODE != 1'b1 || (BIT_WIDTH_0 != 18 && BIT_WIDTH_0 != 9) || BIT_WIDTH_1 != BIT_WIDTH_0
        || RESET_MODE != "SYNC") begin
      $display("SDPX9B: a parameter has a value that is not modelled");
      $fatal;
    end
  end

  wire [9:0] read_word = ADB[13:4], write_word = ADA[13:4];
  wire same_row = read_word == write_word && (BY_18 || ADA[3] == ADB[3]);
  wire write = CEA && BLKSELA == BLK_SEL_0;

  reg [17:0] latch, register;
  always @(posedge CLKB) begin
    if (CEB !== 1 || OCE !== 1 || RESETB !== 0 || RESETA !== 0 || BLKSELB !== BLK_SEL_1) begin
      $display("SDPX9B: a pin is tied to a level that is not modelled");
      $fatal;
    end
    if (write && same_row) latch <= UNKNOWN;
    else if (BY_18) latch <= {bytes[{read_word, 1'b1}], bytes[{read_word, 1'b0}]};
    else latch <= {9'b0, bytes[ADB[13:3]]};
    register <= latch;
  end
  assign DO = {18'b0, register};

  always @(posedge CLKA) if (write) begin
    if (BY_18) begin
      if (ADA[0]) bytes[{write_word, 1'b0}] <= DI[8:0];
      if (ADA[1]) bytes[{write_word, 1'b1}] <= DI[17:9];
    end else bytes[ADA[13:3]] <= DI[8:0];
  end
endmodule

// Operands and product registered at the input, in the pipeline and at the output.
module MULT18X18 #(
  parameter AREG = 1'b0, BREG = 1'b0, OUT_REG = 1'b0, PIPE_REG = 1'b0,
  parameter ASIGN_REG = 1'b0, BSIGN_REG = 1'b0, SOA_REG = 1'b0,
  parameter MULT_RESET_MODE = "SYNC"
) (
  input [17:0] A, SIA, B, SIB,
  input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
  output [35:0] DOUT,
  output [17:0] SOA, SOB
);
  initial
    if (AREG != 1'b1 || BREG != 1'b1 || PIPE_REG != 1'b1 || OUT_REG != 1'b1 || ASIGN_REG != 1'b0 || BSIGN_REG != 1'b0
        || SOA_REG != 1'b0 || MULT_RESET_MODE != "SYNC") begin
      $display("MULT18X18: a parameter has a value that is not modelled");
      $fatal;
    end

  // One bit more than the operands, so that a signed product serves unsigned operands too. ASIGN and BSIGN have no
  // register, so they act behind those of the operands.
  reg [17:0] input_a, input_b;
  wire signed [18:0] signed_a = {ASIGN & input_a[17], input_a}, signed_b = {BSIGN & input_b[17], input_b};
  reg signed [37:0] pipeline, out;
  always @(posedge CLK) begin
    if (ASEL !== 0 || BSEL !== 0) begin
      $display("MULT18X18: a pin is tied to a level that is not modelled");
      $fatal;
    end
    if (RESET) begin
      input_a <= 0;
      input_b <= 0;
      pipeline <= 0;
      out <= 0;
    end else if (CE) begin
      input_a <= A;
      input_b <= B;
      pipeline <= signed_a * signed_b;
      out <= pipeline;
    end
  end
  assign DOUT = out[35:0];
  assign SOA = 18'bx;
  assign SOB = 18'bx;
endmodule
