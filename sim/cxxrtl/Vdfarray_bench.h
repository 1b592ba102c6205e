// The test bench of harness.v as CXXRTL simulates it, with the face that Verilator would give it, for loop.cpp.
//
// CXXRTL has no files, so what harness.v does with them is done here.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "design.cc"
#include "verilated.h"

using CData = std::uint8_t;
using IData = std::uint32_t;

class Vdfarray_bench {
    using Design = cxxrtl_design::p_dfarray__bench;

public:
    CData clk = 0, rst = 0, trace_enable = 0, signature_enable = 0;
    CData sample_gaps = 0, result_gaps = 0, weight_gaps = 0;
    IData sample_budget = 0, weight_budget = 0;
    IData results_done = 0, weights_played = 0, weights_done = 0;
    IData signed_record[decltype(Design::p_signed__record.curr)::bits / 32] = {};
    CData registers___05Fawvalid = 0, registers___05Fawready = 0, registers___05Fwvalid = 0, registers___05Fwstrb = 0;
    CData registers___05Fbvalid = 0, registers___05Fbready = 0, registers___05Farvalid = 0, registers___05Farready = 0;
    CData registers___05Frvalid = 0, registers___05Frready = 0;
    IData registers___05Fawaddr = 0, registers___05Fwdata = 0, registers___05Faraddr = 0, registers___05Frdata = 0;

    explicit Vdfarray_bench(const VerilatedContext* context)
        : samples_{open(context, "samples", "rb")},
          results_{open(context, "results", "wb")},
          answers_{open(context, "answers", "wb")},
          weights_{open(context, "weights", "rb")},
          dump_{open(context, "dump", "wb")},
          trace_{open(context, "trace", "wb")} {
        next_sample();
        next_weight();
    }

    void eval() {
        const bool rises = clk && !design_.p_clk.get<bool>();
        drive();
        if (rises) {
            edge();
        } else {
            design_.step();
        }
        read();
    }

    void final() {
        for (std::FILE* file : {results_, answers_, dump_, trace_})
            if (file && std::fclose(file)) fail("a file could not be written to its end");
    }

private:
    [[noreturn]] static void fail(const std::string& reason) {
        std::fprintf(stderr, "%s\n", reason.c_str());
        std::exit(2);
    }

    static std::FILE* open(const VerilatedContext* context, const std::string& name, const char* mode) {
        const std::string argument = context->commandArgsPlusMatch((name + "=").c_str());
        if (argument.empty()) return nullptr;
        std::FILE* const file = std::fopen(argument.c_str() + name.size() + 2, mode);
        if (!file) fail("cannot open " + argument);
        return file;
    }

    template <typename Value>
    static void put(std::FILE* file, const Value& value) {
        if (file && std::fwrite(value.data, sizeof value.data[0], Value::bits / 32, file) != Value::bits / 32)
            fail("a file could not be written");
    }

    // Big-endian, as $fread takes them; after the last word 0.
    template <typename Word>
    static Word next(std::FILE* file) {
        Word word = 0;
        for (std::size_t i = 0; i < sizeof word; ++i) {
            const int byte = file ? std::getc(file) : EOF;
            if (byte == EOF) return 0;
            word = word << 8 | Word(byte);
        }
        return word;
    }

    void next_sample() { design_.p_next__sample.set(next<std::uint64_t>(samples_)); }
    void next_weight() { design_.p_next__weight.set(next<std::uint32_t>(weights_)); }

    void drive() {
        design_.p_clk.set(clk);
        design_.p_rst.set(rst);
        design_.p_trace__enable.set(trace_enable);
        design_.p_signature__enable.set(signature_enable);
        design_.p_sample__gaps.set(sample_gaps);
        design_.p_result__gaps.set(result_gaps);
        design_.p_weight__gaps.set(weight_gaps);
        design_.p_sample__budget.set(sample_budget);
        design_.p_weight__budget.set(weight_budget);
        design_.p_registers____awaddr.set(registers___05Fawaddr);
        design_.p_registers____awvalid.set(registers___05Fawvalid);
        design_.p_registers____wdata.set(registers___05Fwdata);
        design_.p_registers____wstrb.set(registers___05Fwstrb);
        design_.p_registers____wvalid.set(registers___05Fwvalid);
        design_.p_registers____bready.set(registers___05Fbready);
        design_.p_registers____araddr.set(registers___05Faraddr);
        design_.p_registers____arvalid.set(registers___05Farvalid);
        design_.p_registers____rready.set(registers___05Frready);
    }

    // What is settled before the edge is what the edge takes.
    void edge() {
        const bool sample = design_.p_takes__sample.get<bool>(), weight = design_.p_takes__weight.get<bool>();
        if (design_.p_takes__result.get<bool>()) put(results_, design_.p_result__record);
        if (design_.p_ends__result.get<bool>()) {
            put(answers_, design_.p_cycle.curr);
            if (results_) std::fflush(results_);
        }
        if (design_.p_takes__dump.get<bool>()) put(dump_, design_.p_dump__record);
        if (design_.p_traces.get<bool>()) {
            put(trace_, design_.p_trace);
            if (++traced_ % 256 == 0) std::fflush(trace_);
        }
        design_.step();
        if (sample) next_sample();
        if (weight) next_weight();
    }

    void read() {
        results_done = design_.p_results__done.get<IData>();
        weights_played = design_.p_weights__played.get<IData>();
        weights_done = design_.p_weights__done.get<IData>();
        registers___05Fawready = design_.p_registers____awready.get<CData>();
        registers___05Fbvalid = design_.p_registers____bvalid.get<CData>();
        registers___05Farready = design_.p_registers____arready.get<CData>();
        registers___05Frvalid = design_.p_registers____rvalid.get<CData>();
        registers___05Frdata = design_.p_registers____rdata.get<IData>();
        const auto& record = design_.p_signed__record.curr;
        for (std::size_t i = 0; i < sizeof signed_record / sizeof signed_record[0]; ++i) signed_record[i] = record.data[i];
    }

    Design design_;
    std::FILE *samples_, *results_, *answers_, *weights_, *dump_, *trace_;
    unsigned traced_ = 0;
};
