// A verilated device between pipes. A command is two 32-bit numbers, how many cycles to run at
// most and how many levels of the pin rx follow; the answer is the number of cycles that were run,
// the number of bytes that the pin tx has sent, and these. It ends early once a byte has come and
// tx rests for QUIET bytes.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "Vdevice.h"
#include "verilated.h"

static const int BIT = CYCLES_PER_BIT;
static const int QUIET = 3 * 10 * BIT;

int main() {
    VerilatedContext context;
    Vdevice dut(&context);
    auto tick = [&] {
        dut.clk = 0;
        dut.eval();
        dut.clk = 1;
        dut.eval();
    };
    dut.rst = 1;
    dut.rx = 1;
    for (int k = 0; k < 4; ++k) tick();
    dut.rst = 0;
    uint32_t command[2];
    std::vector<uint8_t> levels, bytes;
    int phase = -1, value = 0;
    while (std::fread(command, 4, 2, stdin) == 2) {
        levels.resize(command[1]);
        if (std::fread(levels.data(), 1, levels.size(), stdin) != levels.size()) return 1;
        bytes.clear();
        uint32_t cycle = 0;
        int quiet = 0;
        while (cycle < levels.size() ||
               (cycle < command[0] && (bytes.empty() || phase >= 0 || quiet < QUIET))) {
            dut.rx = cycle < levels.size() ? levels[cycle] : 1;
            tick();
            ++cycle;
            ++quiet;
            if (phase < 0 && !dut.tx) phase = 0;
            if (phase < 0) continue;
            quiet = 0;
            ++phase;
            if (phase % BIT == BIT / 2 && phase / BIT >= 1 && phase / BIT <= 8)
                value |= dut.tx << (phase / BIT - 1);
            if (phase == 9 * BIT + BIT / 2) {
                if (!dut.tx) return 2;
                bytes.push_back(value);
                phase = -1;
                value = 0;
            }
        }
        uint32_t answer[2] = {cycle, static_cast<uint32_t>(bytes.size())};
        std::fwrite(answer, 4, 2, stdout);
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
        std::fflush(stdout);
    }
    return 0;
}
