// The fuzzer: feeds the host link, past its UART, whole and damaged frames, and looks at every reply.
//
//   virtual SCRIPT FRAMES SEED WATCHDOG_CYCLES MODE
//
// SCRIPT has records {length of a frame, frame as it goes onto the line, length of the reply, reply without COBS and
// CRC}, lengths of two bytes, least significant first.
//
// MODE "line": before each frame of the script come others that are damaged, cut, repeated, out of order or invented,
// FRAMES in all. Whatever they are, each frame of the script must get exactly its reply, no other number's reply may
// differ from the script's, and the link's own counters must account for every frame.
// MODE "sense": frames that are whole and in order and make no sense, FRAMES of them; each must be answered. Then the
// script is played, undisturbed.
//
// Prints a line of figures; exit code 1 with a reason on standard error.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vdfarray_virtual.h"
#include "verilated.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int BYTE_CYCLES = 10;  // The fewest that the receiver allows.
constexpr unsigned DAMAGED = 0x80, UNEXPECTED = 0x81, NO_SESSION = 0x82;
constexpr unsigned HELLO = 0, READ = 1, FIRST_COUNTER = 0x80;
constexpr int SLOTS_BEFORE = 12;  // Frames further back than this are not repeated.
constexpr int AHEAD = 3;           // Nor are those sent that are further ahead.

std::uint32_t crc32(const Bytes& data, std::size_t size) {
    static const auto table = [] {
        std::array<std::uint32_t, 256> found{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int k = 0; k < 8; ++k) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
            found[i] = value;
        }
        return found;
    }();
    std::uint32_t value = 0xFFFFFFFFu;
    for (std::size_t i = 0; i < size; ++i) value = table[(value ^ data[i]) & 0xFF] ^ (value >> 8);
    return ~value;
}

// False if the rules of COBS are broken.
bool decode(const Bytes& piece, Bytes& body) {
    body.clear();
    for (std::size_t at = 0; at < piece.size();) {
        const std::size_t code = piece[at];
        if (at + code > piece.size()) return false;
        body.insert(body.end(), piece.begin() + at + 1, piece.begin() + at + code);
        at += code;
        if (at < piece.size()) body.push_back(0);
    }
    return true;
}

bool checked(const Bytes& piece, Bytes& body, std::size_t least) {
    if (!decode(piece, body) || body.size() < least + 4) return false;
    std::uint32_t sent = 0;
    for (int k = 0; k < 4; ++k) sent |= std::uint32_t{body[body.size() - 4 + k]} << 8 * k;
    const bool right = crc32(body, body.size() - 4) == sent;
    body.resize(body.size() - 4);
    return right;
}

Bytes encode(Bytes body) {
    const std::uint32_t check = crc32(body, body.size());
    for (int k = 0; k < 4; ++k) body.push_back(check >> 8 * k & 0xFF);
    Bytes line{0};
    std::size_t code = 0;
    for (const std::uint8_t byte : body) {
        if (byte) {
            line.push_back(byte);
        } else {
            line[code] = line.size() - code;
            code = line.size();
            line.push_back(0);
        }
    }
    line[code] = line.size() - code;
    line.push_back(0);
    return line;
}

struct Step {
    Bytes frame, reply;
};

class Board {
public:
    Board(VerilatedContext& context, std::uint64_t seed) : top_{&context}, random_{seed} {
        for (int i = 0; i < 4; ++i) cycle();
    }

    void send(const Bytes& bytes) {
        for (const std::uint8_t byte : bytes) send(byte);
    }

    void send(std::uint8_t byte) {
        count(byte);
        top_.data = byte;
        top_.valid = 1;
        cycle();
        top_.valid = 0;
        for (int i = 1; i < BYTE_CYCLES; ++i) cycle();
    }

    // As if the UART had found no stop bit.
    void lose() {
        broken_ = true;
        ++line_errors;
        top_.broken = 1;
        cycle();
        top_.broken = 0;
    }

    void wait(std::uint64_t cycles) {
        for (std::uint64_t i = 0; i < cycles; ++i) cycle();
    }

    // Ends what is under way, if anything is; returns whether a watchdog had to.
    bool starve(std::uint64_t cycles) {
        const bool partial = !piece_.empty() || broken_;
        wait(cycles);
        if (partial) end_piece();
        return partial;
    }

    std::deque<Bytes> replies;  // Without CRC.
    std::uint64_t cycles = 0, frames = 0, bad = 0, good = 0, hellos = 0, line_errors = 0;

private:
    void cycle() {
        ++cycles;
        // The line out is not always free.
        if (cycles % 64 == 0) free_ = random_() % 8 != 0;
        top_.out_ready = free_;
        top_.clk = 0;
        top_.eval();
        const bool moves = top_.out_valid && free_;
        const std::uint8_t byte = top_.out;
        top_.clk = 1;
        top_.eval();
        if (!moves) return;
        if (byte) {
            reply_.push_back(byte);
            return;
        }
        Bytes body;
        if (!reply_.empty() && !checked(reply_, body, 2)) throw std::runtime_error("a reply does not pass its check");
        if (!reply_.empty()) replies.push_back(body);
        reply_.clear();
    }

    // What a receiver that keeps to the rules makes of the bytes.
    void count(std::uint8_t byte) {
        if (byte)
            piece_.push_back(byte);
        else
            end_piece();
    }

    void end_piece() {
        if (piece_.empty() && !broken_) return;
        Bytes body;
        ++frames;
        if (broken_ || !checked(piece_, body, 3) || body.size() > 255)
            ++bad;
        else
            ++good, hellos += (body[1] & 7) == HELLO;
        piece_.clear();
        broken_ = false;
    }

    Vdfarray_virtual top_;
    std::mt19937_64 random_;
    Bytes piece_, reply_;
    bool free_ = true, broken_ = false;
};

class Fuzzer {
public:
    Fuzzer(Board& board, std::vector<Step> steps, std::uint64_t seed, std::uint64_t watchdog)
        : board_{board}, steps_{std::move(steps)}, random_{seed}, watchdog_{watchdog} {}

    void line(std::uint64_t frames) {
        const std::size_t each = frames / steps_.size() + 1;
        for (at_ = 0; at_ < steps_.size(); ++at_) {
            for (std::size_t k = 0; k < each; ++k) disturb();
            board_.send(0);
            transact();
        }
        account();
    }

    void sense(std::uint64_t frames) {
        unsigned number = 77;
        ask(encode({0, HELLO, 200}), 0);
        number = 1;
        for (std::uint64_t k = 0; k < frames; ++k) {
            const Bytes body = nonsense(number);
            ask(encode(body), number);
            number = number + 1 & 0xFF;
        }
        for (at_ = 0; at_ < steps_.size(); ++at_) transact();
    }

    std::uint64_t repeated = 0, starved = 0, answered = 0;

private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    Bytes noise(std::size_t size) {
        Bytes found(size);
        for (auto& byte : found) byte = below(4) ? random_() : below(4);
        return found;
    }
    // A frame of the script near to the one whose turn it is, but not that one.
    const Bytes& near(bool ahead) {
        const std::size_t back = std::min<std::size_t>(at_, SLOTS_BEFORE);
        if (!ahead && back) return steps_[at_ - 1 - below(back)].frame;
        return steps_[std::min(steps_.size() - 1, at_ + 1 + below(AHEAD))].frame;
    }

    void disturb() {
        Bytes frame = below(3) ? steps_[at_].frame : near(below(2));
        switch (below(12)) {
            case 0:  // Noise.
                board_.send(noise(1 + below(40)));
                board_.send(0);
                return;
            case 1:  // Cut, with or without an end.
                frame.resize(below(frame.size()));
                if (below(2)) frame.push_back(0);
                break;
            case 2:  // Its beginning is missing.
                frame.erase(frame.begin(), frame.begin() + 1 + below(frame.size() - 1));
                break;
            case 3:
            case 4:  // Bits have flipped.
                for (std::size_t k = 1 + below(3); k; --k) frame[below(frame.size())] ^= 1 << below(8);
                break;
            case 5:  // Sent again.
                frame = near(false);
                break;
            case 6:  // Ahead of its turn.
                frame = near(true);
                break;
            case 7: {  // Half of one and half of another.
                const Bytes& other = near(below(2));
                frame.resize(below(frame.size()));
                frame.insert(frame.end(), other.begin() + below(other.size()), other.end());
                break;
            }
            case 8: {  // Whole, with a number whose turn it is not, and nothing that was ever asked for.
                Bytes body = noise(3 + below(30));
                body[0] = steps_[at_].reply.back() + SLOTS_BEFORE + 8 + below(200);
                body[1] |= 1 + below(7);
                if ((body[1] & 7) == HELLO) body[1] |= READ;
                frame = encode(body);
                break;
            }
            case 9:  // A byte is lost.
                frame.erase(frame.begin() + below(frame.size() - 1));
                if (below(2)) board_.lose();
                break;
            case 10:
                if (below(50) == 0 && at_ > 16) frame = long_noise();
                break;
            case 11:  // The host stops in the middle.
                if (below(500)) break;
                frame.resize(below(frame.size()));
                board_.send(frame);
                starved += board_.starve(3 * watchdog_);
                return;
        }
        if (frame == steps_[at_].frame && below(8)) return;  // Its turn comes.
        board_.send(frame);
    }

    Bytes long_noise() {
        Bytes found = noise(200 + below(2000));
        for (auto& byte : found) byte |= byte == 0;
        found.push_back(0);
        return found;
    }

    Bytes nonsense(unsigned number) {
        Bytes body = noise(3 + below(below(4) ? 12 : 200));
        body[0] = number;
        if ((body[1] & 7) == HELLO) body[1] |= 1 + below(7);
        if ((body[1] & 7) <= 2 && below(8)) {  // An address that exists.
            body[2] = below(20) * 4;
            if (body[2] == 0x0C && body.size() > 6) body[3] = 1 << below(4);
        }
        return body;
    }

    // Sends a frame until its reply comes, and compares it.
    void transact() {
        const unsigned number = steps_[at_].reply.back();
        bool first = true;
        for (int tries = 0; tries < 40; ++tries) {
            board_.send(steps_[at_].frame);
            if (!first) ++repeated;
            first = false;
            for (int k = 0; k < 200; ++k) {
                if (look(number)) return;
                board_.wait(watchdog_ / 64);
            }
            board_.send(0);
        }
        throw std::runtime_error("step " + std::to_string(at_) + " is not answered");
    }

    // Looks through the replies; true if that of a number is among them.
    bool look(unsigned number) {
        bool found = false;
        while (!board_.replies.empty()) {
            const Bytes reply = board_.replies.front();
            board_.replies.pop_front();
            const unsigned status = reply[reply.size() - 2], of = reply.back();
            ++answered;
            if (status == NO_SESSION && at_ == 0) continue;
            if (status == DAMAGED || status == UNEXPECTED) {
                if ((of - number & 0xFF) > AHEAD + 1 && at_)
                    throw std::runtime_error("the board expects " + std::to_string(of) + ", not " +
                                             std::to_string(number));
                continue;
            }
            // Where a disturbance is the very frame whose turn it is, those ahead have their turn too.
            std::size_t step = std::min(steps_.size() - 1, at_ + AHEAD + 1), last = step;
            while (step && steps_[step].reply.back() != of && last - step < 2 * SLOTS_BEFORE) --step;
            if (reply != steps_[step].reply)
                throw std::runtime_error("step " + std::to_string(step) + " is answered differently, with status " +
                                         std::to_string(status) + " at step " + std::to_string(at_));
            found |= of == number;
        }
        return found;
    }

    // Any reply will do.
    Bytes ask(const Bytes& frame, unsigned number) {
        board_.send(frame);
        for (int k = 0; k < 6400; ++k) {
            while (!board_.replies.empty()) {
                const Bytes reply = board_.replies.front();
                board_.replies.pop_front();
                ++answered;
                if (reply.back() == number && reply[reply.size() - 2] < DAMAGED) return reply;
            }
            board_.wait(watchdog_ / 64);
        }
        throw std::runtime_error("frame " + std::to_string(number) + " is not answered: the design hangs");
    }

    void account() {
        const std::uint64_t executed = steps_.size() - 1;
        const std::uint64_t refused = board_.bad + board_.good - board_.hellos - executed;
        const std::uint64_t lines = board_.line_errors;
        std::uint64_t counters[5];
        unsigned number = steps_.back().reply.back();
        for (unsigned k = 0; k < 5; ++k) {
            number = number + 1 & 0xFF;
            const Bytes reply = ask(encode({std::uint8_t(number), READ, std::uint8_t(FIRST_COUNTER + 4 * k)}), number);
            counters[k] = reply[0];
        }
        const auto same = [](std::uint64_t a, std::uint64_t b) { return (a & 0xFF) == (b & 0xFF); };
        if (!same(counters[0], lines) || !same(counters[4], starved) ||
            !same(counters[1] + counters[2] + counters[3], refused))
            throw std::runtime_error(
                "counted line errors " + std::to_string(counters[0]) + ", bad " + std::to_string(counters[1]) +
                ", overruns " + std::to_string(counters[2]) + ", out of sequence " + std::to_string(counters[3]) +
                ", timeouts " + std::to_string(counters[4]) + "; expected line errors " + std::to_string(lines) +
                ", refused " + std::to_string(refused) + ", timeouts " + std::to_string(starved) + ", modulo 256");
    }

    Board& board_;
    std::vector<Step> steps_;
    std::mt19937_64 random_;
    std::uint64_t watchdog_;
    std::size_t at_ = 0;
};

std::vector<Step> script(const char* path) {
    std::ifstream file{path, std::ios::binary};
    const Bytes data{std::istreambuf_iterator<char>(file), {}};
    std::vector<Step> found;
    std::size_t at = 0;
    const auto next = [&] {
        const std::size_t size = data.at(at) | data.at(at + 1) << 8;
        at += 2 + size;
        return Bytes(data.begin() + at - size, data.begin() + at);
    };
    while (at < data.size()) {
        Bytes frame = next();
        found.push_back({frame, next()});
    }
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fprintf(stderr, "virtual SCRIPT FRAMES SEED WATCHDOG_CYCLES line|sense\n");
        return 2;
    }
    VerilatedContext context;
    const std::uint64_t frames = std::stoull(argv[2]), seed = std::stoull(argv[3]);
    try {
        Board board{context, seed};
        Fuzzer fuzzer{board, script(argv[1]), seed + 1, std::stoull(argv[4])};
        if (std::string{argv[5]} == "line")
            fuzzer.line(frames);
        else
            fuzzer.sense(frames);
        std::printf("%llu %llu %llu %llu %llu %llu %llu\n", static_cast<unsigned long long>(board.frames),
                    static_cast<unsigned long long>(board.bad), static_cast<unsigned long long>(board.good),
                    static_cast<unsigned long long>(fuzzer.repeated), static_cast<unsigned long long>(fuzzer.starved),
                    static_cast<unsigned long long>(fuzzer.answered), static_cast<unsigned long long>(board.cycles));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
