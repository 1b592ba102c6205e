// Gives a test bench its orders from a file, three 32-bit words each: see player.py.
`timescale 1ns/1ps
module player;
  parameter ADDRESS_BITS = 1, STATUS = 0;
  reg clk = 0, rst = 1;
  always #5 clk = ~clk;

  reg [31:0] sample_budget = 0, weight_budget = 0;
  reg [7:0] sample_gaps = 0, result_gaps = 0, weight_gaps = 0, register_gaps = 0;
  wire [31:0] samples_played, results_done, weights_played, weights_done;
  wire unknown_seen;
  reg [ADDRESS_BITS-1:0] awaddr = 0, araddr = 0;
  reg [31:0] wdata = 0;
  reg [3:0] wstrb = 0;
  reg awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
  wire awready, wready, bvalid, arready, rvalid;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  dfarray_bench bench(
    .clk(clk), .rst(rst), .sample_budget(sample_budget), .weight_budget(weight_budget),
    .sample_gaps(sample_gaps), .result_gaps(result_gaps), .weight_gaps(weight_gaps),
    .trace_enable(1'b1), .signature_enable(1'b0),
    .samples_played(samples_played), .results_done(results_done), .weights_played(weights_played),
    .weights_done(weights_done), .unknown_seen(unknown_seen),
    .registers__awaddr(awaddr), .registers__awprot(3'd0), .registers__awvalid(awvalid), .registers__awready(awready),
    .registers__wdata(wdata), .registers__wstrb(wstrb), .registers__wvalid(wvalid), .registers__wready(wready),
    .registers__bresp(bresp), .registers__bvalid(bvalid), .registers__bready(bready),
    .registers__araddr(araddr), .registers__arprot(3'd0), .registers__arvalid(arvalid), .registers__arready(arready),
    .registers__rdata(rdata), .registers__rresp(rresp), .registers__rvalid(rvalid), .registers__rready(rready)
  );

  localparam END = 0, WRITE = 1, READ = 2, GAPS = 3, SAMPLES = 4, WEIGHTS = 5, RESULTS = 6, PLAYED = 7, DUMPED = 8,
    CYCLES = 9, RESET = 10, IDLE = 11, TAKEN = 12;

  reg [8*1024-1:0] path;
  integer orders, answers, count;
  reg [31:0] kind, a, b, limit, last, waited, answer;
  integer seed = 1;

  // What an order waits for; no progress for so many cycles ends the run.
  task until_it_is(input integer what);
    begin
      waited = 0; last = 0;
      while (progress(what) < a) begin
        @(negedge clk);
        waited = progress(what) == last ? waited + 1 : 0;
        last = progress(what);
        if (waited == limit) begin
          $fwrite(answers, "stalls at %0d of %0d\n", last, a);
          finish;
        end
      end
    end
  endtask

  function [31:0] progress(input integer what);
    progress = what == RESULTS ? results_done : what == PLAYED ? weights_played :
      what == TAKEN ? samples_played : weights_done;
  endfunction

  task finish;
    begin
      // The last cycles of the trace are flushed with these.
      repeat (512) @(negedge clk);
      if (unknown_seen === 1'b0) $fwrite(answers, "end\n");
      else $fwrite(answers, "unknown\n");
      $fclose(answers);
      $finish;
      #1000;
    end
  endtask

  // A port that does not answer ends the run too.
  task until_true(input integer what);
    begin
      waited = 0;
      while (!(what == 0 ? awready && wready : what == 1 ? bvalid : what == 2 ? arready : rvalid)) begin
        @(negedge clk);
        waited = waited + 1;
        if (waited == limit) begin
          $fwrite(answers, "the register port does not answer\n");
          finish;
        end
      end
    end
  endtask

  // Of the register port: up to so many cycles.
  function [31:0] pauses(input [31:0] most);
    pauses = register_gaps == 0 ? 0 : {$random(seed)} % (most + 1);
  endfunction

  task pause;
    repeat (pauses(register_gaps)) @(negedge clk);
  endtask

  task read_register(input [31:0] address);
    begin
      araddr = address; arvalid = 1;
      #1 until_true(2);
      @(negedge clk) arvalid = 0;
      until_true(3);
      answer = rdata;
      pause;
      if (!rvalid || rdata != answer) $fwrite(answers, "changes its answer to a read\n");
      if (rresp != 0) $fwrite(answers, "refuses the read of %0d\n", address);
      rready = 1;
      @(negedge clk) rready = 0;
      if (rvalid) $fwrite(answers, "answers a read twice\n");
    end
  endtask

  initial begin
    if (!$value$plusargs("limit=%d", limit)) limit = 20000;
    count = $value$plusargs("orders=%s", path);
    orders = $fopen(path, "rb");
    count = $value$plusargs("told=%s", path);
    answers = $fopen(path, "w");
    repeat (10) @(negedge clk);
    rst = 0;
    repeat (2) @(negedge clk);
    kind = END + 1;
    while (kind != END) begin
      count = $fread(kind, orders);
      count = $fread(a, orders);
      count = $fread(b, orders);
      case (kind)
        WRITE: begin
          awaddr = a; wdata = b; wstrb = 15;
          // Address or data may come first.
          if (pauses(1)) begin
            awvalid = pauses(1); wvalid = ~awvalid;
            pause;
          end
          awvalid = 1; wvalid = 1;
          #1 until_true(0);
          @(negedge clk) awvalid = 0; wvalid = 0;
          pause;
          until_true(1);
          if (bresp != 0) $fwrite(answers, "refuses the write of %0d\n", a);
          bready = 1;
          @(negedge clk) bready = 0;
          if (bvalid) $fwrite(answers, "answers a write twice\n");
        end
        READ: begin
          read_register(a);
          $fwrite(answers, "read %0d %0d\n", a, answer);
        end
        IDLE: begin
          waited = 0;
          read_register(STATUS);
          while (answer[0]) begin
            waited = waited + 1;
            if (waited == limit / 8) begin
              $fwrite(answers, "stays busy\n");
              finish;
            end
            read_register(STATUS);
          end
        end
        GAPS: {register_gaps, weight_gaps, result_gaps, sample_gaps} = a;
        SAMPLES: sample_budget = a;
        WEIGHTS: weight_budget = a;
        RESULTS, PLAYED, DUMPED, TAKEN: until_it_is(kind);
        CYCLES: repeat (a) @(negedge clk);
        RESET: begin
          rst = 1; sample_budget = 0; weight_budget = 0;
          repeat (4) @(negedge clk);
          count = $fseek(bench.sample_file, 0, 0);
          count = $fseek(bench.weight_file, 0, 0);
          count = $fseek(bench.result_file, 0, 0);
          count = $fseek(bench.dump_file, 0, 0);
          rst = 0;
          repeat (2) @(negedge clk);
        end
      endcase
    end
    finish;
  end
endmodule
