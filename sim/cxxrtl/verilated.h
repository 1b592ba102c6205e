// As much of Verilator's context as loop.cpp asks for: the program's +name=value arguments.
#pragma once
#include <string>
#include <vector>

class VerilatedContext {
public:
    void commandArgs(int argc, char** argv) { arguments_.assign(argv + 1, argv + argc); }

    // The first argument that begins with +prefix, or nothing.
    std::string commandArgsPlusMatch(const char* prefix) const {
        const std::string begin = std::string("+") + prefix;
        for (const std::string& argument : arguments_)
            if (argument.compare(0, begin.size(), begin) == 0) return argument;
        return {};
    }

private:
    std::vector<std::string> arguments_;
};
