// The compiled loop: clocks the test bench of harness.v without cocotb, and plays host from a list of steps.
//
//   +steps=FILE     one step a line, see play() below; sim/loop.py writes them
//   +outcome=FILE   a line for every register read: its name, the cycle in which it was accepted, the value
//   +trace_from=N +trace_until=N   cycles to be traced to +trace=
//   +stop_at=N      end there
//
// Standard output takes the signed record of every cycle. The other +names are those of harness.v.
// Exit code 3: a count that is waited for did not move for +patience=N cycles.
#include <cstdio>
#include <cstdlib>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "Vdfarray_bench.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 10;
constexpr std::size_t BUFFER_WORDS = 1 << 15;

struct Hang {
    std::string reason;
};

struct Stopped {};

struct Limits {
    std::uint64_t trace_from, trace_until, stop_at, patience;
};

class Bench {
public:
    Bench(VerilatedContext& context, const Limits& limits) : top_{&context}, limits_{limits} {
        buffer_.reserve(BUFFER_WORDS);
        top_.rst = 1;
        for (int i = 0; i < RESET_CYCLES; ++i) clock();
        top_.rst = 0;
        clock();  // It passes a register.
        top_.signature_enable = 1;
    }

    ~Bench() {
        flush();
        top_.final();
    }

    Vdfarray_bench& top() { return top_; }
    std::uint64_t cycle() const { return cycle_; }

    void step() {
        settle();
        finish_step();
    }

    void write(unsigned address, std::uint32_t data) {
        top_.registers___05Fawaddr = address;
        top_.registers___05Fawvalid = 1;
        top_.registers___05Fwdata = data;
        top_.registers___05Fwstrb = 15;
        top_.registers___05Fwvalid = 1;
        top_.registers___05Fbready = 1;
        transfer(top_.registers___05Fawready, [] {});
        top_.registers___05Fawvalid = top_.registers___05Fwvalid = 0;
        transfer(top_.registers___05Fbvalid, [] {});
        top_.registers___05Fbready = 0;
    }

    // The cycle in which the address was taken, and the data.
    std::pair<std::uint64_t, std::uint32_t> read(unsigned address) {
        top_.registers___05Faraddr = address;
        top_.registers___05Farvalid = 1;
        top_.registers___05Frready = 1;
        std::uint64_t taken = 0;
        std::uint32_t data = 0;
        transfer(top_.registers___05Farready, [&] { taken = cycle_; });
        top_.registers___05Farvalid = 0;
        transfer(top_.registers___05Frvalid, [&] { data = top_.registers___05Frdata; });
        top_.registers___05Frready = 0;
        return {taken, data};
    }

    void await(const IData& count, const std::string& name, std::uint32_t target) {
        std::uint32_t last = count;
        std::uint64_t moved = cycle_;
        while (count < target) {
            step();
            if (count != last) {
                last = count;
                moved = cycle_;
            } else if (cycle_ - moved > limits_.patience) {
                throw Hang{name + " stays at " + std::to_string(last) + " of " + std::to_string(target) +
                           ": the accelerator hangs"};
            }
        }
    }

private:
    void clock() {
        top_.clk = 0;
        top_.eval();
        top_.clk = 1;
        top_.eval();
    }

    // To just before the next edge: what is read now belongs to this cycle.
    void settle() {
        if (cycle_ >= limits_.stop_at) throw Stopped{};
        top_.trace_enable = cycle_ >= limits_.trace_from && cycle_ < limits_.trace_until;
        top_.clk = 0;
        top_.eval();
    }

    void finish_step() {
        top_.clk = 1;
        top_.eval();
        ++cycle_;
        constexpr std::size_t words = sizeof top_.signed_record / sizeof(std::uint32_t);
        for (std::size_t i = 0; i < words; ++i) buffer_.push_back(top_.signed_record[i]);
        if (buffer_.size() + words > BUFFER_WORDS) flush();
    }

    template <typename Seen>
    void transfer(const CData& ready, Seen seen) {
        for (std::uint64_t waited = 0;; ++waited) {
            if (waited > limits_.patience) throw Hang{"the register port does not answer"};
            settle();
            const bool done = ready;
            if (done) seen();
            finish_step();
            if (done) return;
        }
    }

    void flush() {
        if (!buffer_.empty() && std::fwrite(buffer_.data(), sizeof buffer_[0], buffer_.size(), stdout) != buffer_.size())
            std::exit(2);  // Nobody listens any more.
        std::fflush(stdout);
        buffer_.clear();
    }

    Vdfarray_bench top_;
    Limits limits_;
    std::uint64_t cycle_ = 0;
    std::vector<std::uint32_t> buffer_;
};

void play(Bench& bench, std::istream& steps, std::ostream& outcome) {
    Vdfarray_bench& top = bench.top();
    std::string line;
    while (std::getline(steps, line)) {
        std::istringstream words{line};
        std::string what, name;
        std::uint64_t a = 0, b = 0;
        words >> what;
        if (what == "write" && words >> a >> b) {
            bench.write(a, b);
        } else if (what == "read" && words >> name >> a) {
            const auto [cycle, value] = bench.read(a);
            outcome << name << ' ' << cycle << ' ' << value << '\n';
        } else if (what == "samples" && words >> a) {
            top.sample_budget = a;
        } else if (what == "weights" && words >> a) {
            top.weight_budget = a;
        } else if (what == "gaps" && words >> name >> a) {
            (name == "sample_gaps" ? top.sample_gaps : name == "result_gaps" ? top.result_gaps : top.weight_gaps) = a;
        } else if (what == "await" && words >> name >> a) {
            const IData& count = name == "results" ? top.results_done
                                 : name == "loaded" ? top.weights_played
                                                    : top.weights_done;
            bench.await(count, name, a);
        } else if (what == "cycles" && words >> a) {
            for (std::uint64_t i = 0; i < a; ++i) bench.step();
        } else {
            throw std::runtime_error("not a step: " + line);
        }
    }
}

std::string option(VerilatedContext& context, const std::string& name, const std::string& otherwise) {
    const std::string found = context.commandArgsPlusMatch((name + "=").c_str());
    return found.empty() ? otherwise : found.substr(name.size() + 2);
}

}  // namespace

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    const auto number = [&](const char* name, const char* otherwise) {
        return std::stoull(option(context, name, otherwise));
    };
    std::ifstream steps{option(context, "steps", "")};
    std::ofstream outcome{option(context, "outcome", "")};
    if (!steps || !outcome) {
        std::fprintf(stderr, "+steps= and +outcome= must name files\n");
        return 2;
    }
    const std::string never = std::to_string(UINT64_MAX);
    const Limits limits{number("trace_from", "0"), number("trace_until", "0"), number("stop_at", never.c_str()),
                        number("patience", "1000000")};
    Bench bench{context, limits};
    try {
        play(bench, steps, outcome);
    } catch (const Stopped&) {
    } catch (const Hang& hang) {
        std::fprintf(stderr, "%s\n", hang.reason.c_str());
        return 3;
    } catch (const std::runtime_error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
    outcome << "cycles " << bench.cycle() << " 0\n";
    return 0;
}
