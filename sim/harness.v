// Test bench: plays and records streams, records the trace. Filled in by harness.py.
`timescale 1ns/1ps
module dfarray_bench(
  input clk /*verilator public_flat_rw*/,
  input rst /*verilator public_flat_rw*/,
  // Words of the sample file that may be played so far.
  input [31:0] sample_budget /*verilator public_flat_rw*/,
  input [31:0] weight_budget /*verilator public_flat_rw*/,
  // Of 256 cycles, about so many find the stream's other side not there.
  input [7:0] sample_gaps /*verilator public_flat_rw*/,
  input [7:0] result_gaps /*verilator public_flat_rw*/,
  input [7:0] weight_gaps /*verilator public_flat_rw*/,
  input trace_enable /*verilator public_flat_rw*/,
  input signature_enable /*verilator public_flat_rw*/,
  output reg [31:0] samples_played /*verilator public_flat_rw*/,
  output reg [31:0] results_done /*verilator public_flat_rw*/,
  output reg [31:0] weights_played /*verilator public_flat_rw*/,
  output reg [31:0] weights_done /*verilator public_flat_rw*/,
  // In which the latest register read was accepted.
  output reg [63:0] read_cycle /*verilator public_flat_rw*/,
  output reg [63:0] cycle /*verilator public_flat_rw*/,
  output reg unknown_seen /*verilator public_flat_rw*/,
  // Of the cycle before: inputs, then the signature after it.
  output reg [@INPUT_BITS@+64-1:0] signed_record /*verilator public_flat_rw*/,
`ifdef YOSYS
  // CXXRTL has no files: cxxrtl/Vdfarray_bench.h plays and records them.
  input [63:0] next_sample,
  input [31:0] next_weight,
  output takes_sample, takes_weight, takes_result, ends_result, takes_dump, traces,
  output [63:0] result_record,
  output [31:0] dump_record,
  output [64*@TRACE_WORDS@-1:0] trace,
`endif
  @REGISTER_PORTS@
);
  // The counter of multiply-accumulates is to be looked at for a read of it.
  reg macs_wanted;
  wire macs_looked = macs_wanted && cycle % @WALK@ == @MACS_PLACE@;

  reg samples_valid, samples_last;
  reg [@VALUE_BITS@-1:0] samples_value;
  reg [@INDEX_BITS@-1:0] samples_index;
  reg [@LABEL_BITS@-1:0] samples_label;
  wire samples_ready;
  wire results_valid, results_last;
  reg results_ready;
  wire [@LOGIT_BITS@-1:0] results_logit;
  wire [@PREDICTION_BITS@-1:0] results_prediction;
  reg weights_in_valid;
  reg [@WEIGHT_BITS@-1:0] weights_in_data;
  wire weights_in_ready;
  wire weights_out_valid;
  reg weights_out_ready;
  wire [@WEIGHT_BITS@-1:0] weights_out_data;

  // From a register: what depends on an input of the simulation is evaluated at both edges of the clock.
  reg reset = 1;
  always @(posedge clk) reset <= rst;

  @TOP@ dut(
    .clk(clk), .rst(reset),
    @REGISTER_CONNECTIONS@
    .samples__valid(samples_valid), .samples__ready(samples_ready), .samples__value(samples_value),
    .samples__index(samples_index), .samples__label(samples_label), .samples__last(samples_last),
    .results__valid(results_valid), .results__ready(results_ready), .results__logit(results_logit),
    .results__prediction(results_prediction), .results__last(results_last),
    .weights_in__valid(weights_in_valid), .weights_in__ready(weights_in_ready), .weights_in__data(weights_in_data),
    .weights_out__valid(weights_out_valid), .weights_out__ready(weights_out_ready),
    .weights_out__data(weights_out_data)
  );

  integer count;
`ifndef YOSYS
  // Initial contents of large memories, see simplify.py.
  initial begin
    @CONTENTS@
  end

  reg [8*1024-1:0] path;
  integer sample_file, result_file, answer_file, weight_file, dump_file, trace_file, signature_file;
  initial begin
    sample_file = 0; result_file = 0; weight_file = 0; dump_file = 0; trace_file = 0;
    signature_file = 0; answer_file = 0;
    if ($value$plusargs("samples=%s", path)) sample_file = $fopen(path, "rb");
    if ($value$plusargs("results=%s", path)) result_file = $fopen(path, "wb");
    if ($value$plusargs("answers=%s", path)) answer_file = $fopen(path, "wb");
    if ($value$plusargs("weights=%s", path)) weight_file = $fopen(path, "rb");
    if ($value$plusargs("dump=%s", path)) dump_file = $fopen(path, "wb");
`ifndef VERILATOR
    if ($value$plusargs("trace=%s", path)) trace_file = $fopen(path, "wb");
`endif
    if ($value$plusargs("signatures=%s", path)) signature_file = $fopen(path, "wb");
  end
`endif

  // xorshift32: one draw a cycle decides all gaps.
  reg [31:0] draw;
  wire [31:0] draw_a = draw ^ (draw << 13);
  wire [31:0] draw_b = draw_a ^ (draw_a >> 17);

`ifndef YOSYS
  wire takes_sample, takes_weight, takes_result, ends_result, takes_dump;
  wire [63:0] result_record;
  wire [31:0] dump_record;
`endif
  assign takes_sample = (!samples_valid || samples_ready) && samples_played != sample_budget && draw[7:0] >= sample_gaps;
  assign takes_weight =
    (!weights_in_valid || weights_in_ready) && weights_played != weight_budget && draw[23:16] >= weight_gaps;
  assign takes_result = results_valid && results_ready;
  assign ends_result = takes_result && results_last;
  assign takes_dump = weights_out_valid && weights_out_ready;
  wire signed [31:0] logit_word = $signed(results_logit), dump_word = $signed(weights_out_data);
  wire [31:0] prediction_word = results_prediction;
  assign result_record = {prediction_word, logit_word};
  assign dump_record = dump_word;

  reg [31:0] word;
  reg [63:0] sample;
  always @(posedge clk) begin
    if (reset) begin
      draw <= 32'h12345678;
      cycle <= 0; unknown_seen <= 0; read_cycle <= 0; macs_wanted <= 0;
      samples_valid <= 0; samples_value <= 0; samples_index <= 0; samples_label <= 0; samples_last <= 0; samples_played <= 0;
      results_ready <= 0; results_done <= 0;
      weights_in_valid <= 0; weights_in_data <= 0; weights_played <= 0;
      weights_out_ready <= 0; weights_done <= 0;
    end else begin
      draw <= draw_b ^ (draw_b << 5);
      cycle <= cycle + 1;
      if (registers__arvalid && registers__arready) read_cycle <= cycle;
      if (registers__arvalid && registers__arready && registers__araddr == @MACS@) macs_wanted <= 1;
      else if (macs_looked) macs_wanted <= 0;

      if (!samples_valid || samples_ready) samples_valid <= 0;
      if (takes_sample) begin
`ifdef YOSYS
        count = 8; sample = next_sample;
`else
        count = $fread(sample, sample_file);
`endif
        if (count == 8) begin
          samples_valid <= 1;
          samples_value <= sample[0 +: @VALUE_BITS@];
          samples_index <= sample[16 +: @INDEX_BITS@];
          samples_label <= sample[32 +: @LABEL_BITS@];
          samples_last <= sample[63];
          samples_played <= samples_played + 1;
        end
      end

      results_ready <= draw[15:8] >= result_gaps;
      if (ends_result) results_done <= results_done + 1;

      if (!weights_in_valid || weights_in_ready) weights_in_valid <= 0;
      if (takes_weight) begin
`ifdef YOSYS
        count = 4; word = next_weight;
`else
        count = $fread(word, weight_file);
`endif
        if (count == 4) begin
          weights_in_valid <= 1;
          weights_in_data <= word[@WEIGHT_BITS@-1:0];
          weights_played <= weights_played + 1;
        end
      end

      weights_out_ready <= draw[31:24] >= weight_gaps;
      if (takes_dump) weights_done <= weights_done + 1;

`ifndef YOSYS
      if (takes_result && result_file != 0) $fwrite(result_file, "%u", result_record);
      if (ends_result) begin
        if (answer_file != 0) $fwrite(answer_file, "%u", cycle);
        if (result_file != 0) $fflush(result_file);
      end
      if (takes_dump && dump_file != 0) $fwrite(dump_file, "%u", dump_record);
`endif
    end
  end

  // For yosys: flattening makes these the signals inside the accelerator that they are named after.
  @INSIDE@
  @WORDS@
  wire [@INPUT_BITS@-1:0] inputs = {@INPUT_WORDS@};

  // docs/architecture.md section 5.
  reg [63:0] signature, folded;
  always @(posedge clk) begin
    if (reset) signature <= 0;
    else if (signature_enable) begin
      folded = {signature[62:0], 1'b0} ^ (signature[63] ? 64'h1b : 64'h0) ^ @FOLD@;
      signature <= folded;
      signed_record <= {folded, inputs};
`ifndef YOSYS
      if (^folded === 1'bx || ^inputs === 1'bx) unknown_seen <= 1;
      if (signature_file != 0) begin
        $fwrite(signature_file, "%u", {folded, inputs});
        if (cycle[7:0] == 8'hff) $fflush(signature_file);
      end
`endif
    end
  end

`ifdef VERILATOR
  // $fwrite, or a concatenation, of as many bits takes longer than the cycle itself.
  import "DPI-C" function void dfarray_trace(input longint unsigned words [0:@TRACE_WORDS@-1], input int count);
  longint unsigned trace [0:@TRACE_WORDS@-1];
  always @(posedge clk) begin
    if (!reset && trace_enable) begin
      @TRACE@
      dfarray_trace(trace, @TRACE_WORDS@);
    end
  end
`elsif YOSYS
  assign trace = {@TRACE_CONCATENATION@};
  assign traces = !reset && trace_enable;
`else
  wire [64*@TRACE_WORDS@-1:0] trace = {@TRACE_CONCATENATION@};
  always @(posedge clk) begin
    if (!reset && trace_enable) begin
      if (^trace === 1'bx) unknown_seen <= 1;
      $fwrite(trace_file, "%u", trace);
      if (cycle[7:0] == 8'hff) $fflush(trace_file);
    end
  end
`endif
endmodule
