// A simulation's harness, clocked on request.
//
//   PROGRAM REPLIES NAME=VALUE... [+name=value...]
//
// NAME=VALUE sets one of the harness's variables before the first clock edge. Requests come on
// standard input, one a line: "CYCLES 0" lets clock cycles pass until the last logit has come, and
// at most CYCLES; "CYCLES 1" exactly CYCLES. Each is answered, on the file descriptor REPLIES, by a
// line with the values of all that is shown. The program ends with its standard input, and so with
// the process that started it. A model that is built to be traced writes all signals to "waves.vcd".
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "Vspikeloom_harness.h"
#include "Vspikeloom_harness___024root.h"
#include "shown.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

int main(int count, char **words) {
    if (count < 2) return 2;
    std::FILE *const replies = fdopen(std::atoi(words[1]), "w");
    if (!replies) return 2;
    VerilatedContext context;
    context.commandArgs(count, words);
    Vspikeloom_harness dut(&context);
    Vspikeloom_harness___024root *const root = dut.rootp;
#if VM_TRACE
    VerilatedVcdC waves;
    context.traceEverOn(true);
    dut.trace(&waves, 99);
    waves.set_time_unit("1ns");
    waves.set_time_resolution("1ns");
    waves.open("waves.vcd");
    uint64_t now = 0;  // a clock cycle takes 10 ns
#define DUMP() waves.dump(now), now += 5
#else
#define DUMP()
#endif
    dut.eval();  // runs the initial blocks
    for (int k = 2; k < count; ++k) {
        const char *const value = std::strchr(words[k], '=');
        if (!value || words[k][0] == '+') continue;
        const size_t length = value - words[k];
#define SET(NAME)                                                            \
    if (length == std::strlen(#NAME) && !std::strncmp(words[k], #NAME, length)) \
        root->spikeloom_harness__DOT__##NAME = std::strtoull(value + 1, nullptr, 10);
        SPIKELOOM_PARAMETERS(SET)
    }
    unsigned long long cycles;
    int past_last;
    while (std::scanf("%llu %d", &cycles, &past_last) == 2) {
        for (; cycles && (past_last || !root->spikeloom_harness__DOT__finished); --cycles) {
            root->spikeloom_harness__DOT__clk = 1;
            dut.eval();
            DUMP();
            root->spikeloom_harness__DOT__clk = 0;
            dut.eval();
            DUMP();
        }
        for (const uint64_t value : {SPIKELOOM_SHOWN(root)})
            std::fprintf(replies, "%llu ", static_cast<unsigned long long>(value));
        std::fprintf(replies, "\n");
        std::fflush(replies);
    }
    dut.final();
#if VM_TRACE
    waves.close();
#endif
    return 0;
}
