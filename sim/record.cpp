// Writes the trace: what harness.v records of a cycle, to the file named by +trace=.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "verilated.h"

namespace {

std::FILE* open_trace() {
    const std::string argument = Verilated::threadContextp()->commandArgsPlusMatch("trace=");
    std::FILE* const file = argument.empty() ? nullptr : std::fopen(argument.c_str() + std::string("+trace=").size(), "wb");
    if (!file) {
        std::fprintf(stderr, "cannot write the trace: %s\n", argument.c_str());
        std::exit(2);
    }
    std::setvbuf(file, nullptr, _IOFBF, 1 << 20);
    return file;
}

}  // namespace

extern "C" void dfarray_trace(const unsigned long long* words, int count) {
    static std::FILE* const file = open_trace();
    static unsigned cycle = 0;
    std::fwrite(words, sizeof *words, count, file);
    if (++cycle % 256 == 0) std::fflush(file);
}
