// A board's design between a pseudo-terminal and its pins.
//
//   PROGRAM FD STEP PERIOD OVER
//
// FD is the master side of the pseudo-terminal. A bit takes PERIOD / STEP clock cycles. OVER is a
// mask of lights of which one ends the self test, or 0 if there is none. Changes of lights are told
// on stdout, as "light NUMBER LEVEL CYCLE". The program ends with its standard input.
//
// While the line is at rest, no image is computed and the self test is over, simulated time stands
// still: nothing that can be seen of the board would change, but for a light that blinks.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "Vboard.h"
#include "verilated.h"

// More cycles than the device takes for what it does without sending: serving what fills its
// receive buffer.
static const uint64_t SETTLE = 4096;
// Cycles between two looks for bytes, and for the end.
static const uint64_t LOOK = 64, LOOK_FOR_END = 65536;

// Strobes once per bit: exactly on average, and never more than a cycle off.
struct Timing {
    uint32_t step, period, phase = 0;
    bool tick() {
        phase += step;
        if (phase < period) return false;
        phase -= period;
        return true;
    }
};

// From a host to the pin, without a pause between bytes.
struct Sender {
    Timing timing;
    uint8_t buffer[4096];
    size_t at = 0, end = 0;
    int left = 0;  // bits of the byte under way, its stop bit included
    unsigned bits = 1;

    bool idle() const { return left == 0 && at == end; }
    uint8_t level() {
        if (left == 0) {
            if (at == end) return 1;
            bits = buffer[at++] << 1 | 0x200;
            left = 10;
        }
        uint8_t now = bits & 1;
        if (timing.tick()) {
            bits >>= 1;
            if (--left == 0 && at == end) timing.phase = 0;
        }
        return now;
    }
};

// From the pin to a host: each bit is sampled in its middle.
struct Receiver {
    Timing timing;
    uint8_t buffer[256];
    size_t end = 0;
    int left = 0;
    unsigned bits = 0;

    bool idle() const { return left == 0; }
    void see(uint8_t level) {
        if (left == 0) {
            if (level) return;
            left = 10;
            timing.phase = timing.period / 2;
        }
        if (!timing.tick()) return;
        bits = bits >> 1 | level << 9;
        // A start bit that is high was none; a byte without its stop bit is none.
        if (left == 10 && level) {
            left = 0;
            return;
        }
        if (--left == 0 && (bits & 0x201) == 0x200) buffer[end++] = bits >> 1;
    }
};

// Waits for a file; false: the program is to end.
static bool ready(int fd, short events, int milliseconds) {
    pollfd files[2] = {{fd, events, 0}, {0, POLLIN, 0}};
    if (poll(files, 2, milliseconds) < 0 && errno != EINTR) return false;
    char ignored;
    return !(files[1].revents && read(0, &ignored, 1) <= 0);
}

int main(int count, char **words) {
    if (count != 5) return 2;
    const int fd = std::atoi(words[1]);
    const Timing timing = {uint32_t(std::strtoul(words[2], nullptr, 10)),
                           uint32_t(std::strtoul(words[3], nullptr, 10))};
    const uint32_t over = std::strtoul(words[4], nullptr, 10);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);

    VerilatedContext context;
    Vboard dut(&context);
    Sender sender = {timing};
    Receiver receiver = {timing};
    uint32_t lights = 0;
    uint64_t cycle = 0, quiet = 0, look = LOOK;
    bool goes_on = true;
    while (goes_on) {
        if (sender.at == sender.end && cycle >= look) {
            look = cycle + LOOK;
            ssize_t found = read(fd, sender.buffer, sizeof sender.buffer);
            sender.at = 0;
            sender.end = found > 0 ? found : 0;
        }
        dut.rx = sender.level();
        dut.clk = 0;
        dut.eval();
        dut.clk = 1;
        dut.eval();
        receiver.see(dut.tx);
        for (uint32_t changed = lights ^ dut.lights; changed; changed &= changed - 1) {
            const int number = __builtin_ctz(changed);
            std::printf("light %d %d %llu\n", number, dut.lights >> number & 1,
                        static_cast<unsigned long long>(cycle));
            std::fflush(stdout);
        }
        lights = dut.lights;
        ++cycle;
        quiet = sender.idle() && receiver.idle() ? quiet + 1 : 0;
        // Bytes go to the host when the line is silent for two bytes' time, or enough are there.
        if (receiver.end && (quiet * timing.step > 20ull * timing.period ||
                             receiver.end == sizeof receiver.buffer)) {
            size_t sent = 0;
            while (goes_on && sent < receiver.end) {
                ssize_t done = write(fd, receiver.buffer + sent, receiver.end - sent);
                if (done > 0)
                    sent += done;
                else  // nobody reads: the board waits, and loses nothing
                    goes_on = ready(fd, POLLOUT, 100);
            }
            receiver.end = 0;
        }
        if (quiet > SETTLE && quiet * timing.step > 40ull * timing.period && !dut.busy &&
            (!over || lights & over)) {
            goes_on = goes_on && ready(fd, POLLIN, -1);
            look = cycle;
            quiet = 0;
        } else if (cycle % LOOK_FOR_END == 0) {
            goes_on = goes_on && ready(fd, 0, 0);
        }
    }
    return 0;
}
