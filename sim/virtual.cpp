// The virtual board: clocks a board's top level and serves its UART on a pseudo-terminal.
//
//   virtual CYCLES_PER_BIT
//
// Prints the terminal's path and a line break. SIGINT or SIGTERM ends it, SIGUSR1 presses the button for a while.
// As on a real serial port nobody has to listen: what is not read in time is lost.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <termios.h>
#include <unistd.h>

#include "Vdfarray_virtual.h"
#include "verilated.h"

namespace {

volatile std::sig_atomic_t ended = 0, pressed = 0;

void on_signal(int number) {
    if (number == SIGUSR1)
        pressed = 1;
    else
        ended = 1;
}

constexpr unsigned WORKING = 2;  // Of the lights.
constexpr int BUTTON_CYCLES = 100;
constexpr int LOOK = 256;  // Cycles from one look for bytes to the next, which costs as much as they do.
constexpr int QUIET_CYCLES = 200;  // So long nothing works: nothing will, until a byte comes.

// The other end of the line, at the bit rate of the board's own divisor.
class Line {
public:
    Line(int terminal, int cycles_per_bit) : terminal_{terminal}, per_bit_{cycles_per_bit} {}

    // The level of the board's receiving pin in this cycle.
    bool drive() {
        if (!sending_) {
            if (next_ == filled_) fill();
            if (next_ == filled_) return true;
            bits_ = 0x200u | unsigned{incoming_[next_++]} << 1;  // Start bit, data, stop bit.
            sending_ = 10 * per_bit_;
        }
        const int bit = 10 - (sending_ + per_bit_ - 1) / per_bit_;
        --sending_;
        return bits_ >> bit & 1;
    }

    // Its sending pin.
    void sample(bool level) {
        if (!receiving_) {
            if (level) return;
            receiving_ = true;
            taken_ = 0;
            until_ = per_bit_ + per_bit_ / 2;
            byte_ = 0;
        }
        if (--until_) return;
        until_ = per_bit_;
        if (taken_++ < 8) {
            byte_ |= unsigned{level} << (taken_ - 1);
            return;
        }
        receiving_ = false;
        if (level) outgoing_ += static_cast<char>(byte_);
        if (byte_ == 0 || outgoing_.size() >= 64) flush();
    }

    void flush() {
        if (outgoing_.empty()) return;
        if (::write(terminal_, outgoing_.data(), outgoing_.size()) < 0 && errno != EAGAIN && errno != EINTR)
            ended = 1;
        outgoing_.clear();
    }

    bool idle() const { return !sending_ && !receiving_ && next_ == filled_; }

    void wait() {
        flush();
        pollfd waiting{terminal_, POLLIN, 0};
        ::poll(&waiting, 1, 1000);
        skipped_ = LOOK;
    }

private:
    void fill() {
        if (++skipped_ < LOOK) return;
        skipped_ = 0;
        const ssize_t got = ::read(terminal_, incoming_, sizeof incoming_);
        next_ = 0;
        filled_ = got > 0 ? static_cast<std::size_t>(got) : 0;
        if (filled_) skipped_ = LOOK;
    }

    int terminal_, per_bit_;
    unsigned char incoming_[4096];
    std::size_t next_ = 0, filled_ = 0;
    int skipped_ = LOOK, sending_ = 0, taken_ = 0, until_ = 0;
    unsigned bits_ = 0, byte_ = 0;
    bool receiving_ = false;
    std::string outgoing_;
};

int open_terminal(std::string& path) {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0 || ::grantpt(master) || ::unlockpt(master)) return -1;
    path = ::ptsname(master);
    // Kept open, so that the line outlives a host; raw, so that every byte passes.
    const int slave = ::open(path.c_str(), O_RDWR | O_NOCTTY);
    termios settings;
    if (slave < 0 || ::tcgetattr(slave, &settings)) return -1;
    ::cfmakeraw(&settings);
    return ::tcsetattr(slave, TCSANOW, &settings) ? -1 : master;
}

}  // namespace

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    const int cycles_per_bit = argc > 1 ? std::atoi(argv[1]) : 0;
    if (cycles_per_bit < 1) {
        std::fprintf(stderr, "virtual CYCLES_PER_BIT\n");
        return 2;
    }
    std::string path;
    const int terminal = open_terminal(path);
    if (terminal < 0) {
        std::perror("no pseudo-terminal");
        return 2;
    }
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (const int number : {SIGINT, SIGTERM, SIGUSR1}) ::sigaction(number, &action, nullptr);
    std::printf("%s\n", path.c_str());
    std::fflush(stdout);

    Vdfarray_virtual top{&context};
    Line line{terminal, cycles_per_bit};
    std::uint64_t cycle = 0;
    int quiet = 0, held = 0;
    top.uart_rx = 1;
    while (!ended) {
        if (pressed) {
            pressed = 0;
            held = BUTTON_CYCLES;
        }
        top.button = held > 0;
        held -= held > 0;
        top.uart_rx = line.drive();
        top.clk = 0;
        top.eval();
        line.sample(top.uart_tx);
        top.clk = 1;
        top.eval();
        ++cycle;
        quiet = line.idle() && !held && !(top.leds & WORKING) ? quiet + 1 : 0;
        if (quiet > QUIET_CYCLES) {
            line.wait();
            quiet = 0;
        }
    }
    line.flush();
    top.final();
    std::fprintf(stderr, "%llu cycles\n", static_cast<unsigned long long>(cycle));
    return 0;
}
