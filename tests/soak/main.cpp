// A long run of an accelerator, with stalls and resets, each value compared with the expected one.
//
//   PROGRAM FILE CYCLES SEED
//
// FILE (expected.py) holds images and all values that they give. The images are sent in random
// order, and one behind the other. Every few images the probabilities of stalls change, 0 among
// them. Resets come at random moments; after each, the images from then on are compared. Results
// are lines of NAME=VALUE on standard output.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "Vspikeloom_soak.h"
#include "verilated.h"

namespace {

// Clock cycles between two resets, on average.
constexpr uint64_t BETWEEN_RESETS = 20000;
// Images on their way through the accelerator, at most.
constexpr uint64_t RING = 4096;

struct Tap {
    uint32_t records, words;             // of one image, and of one record
    std::vector<uint32_t> values;        // of each record: those in which a lane holds a channel
    std::vector<uint32_t> mask, wanted;  // of one image, and of all images
    uint64_t image = 0;                  // since the last reset
    uint32_t record = 0;
};

struct Run {
    uint32_t images, pixels, logits, stuck_after;
    std::vector<uint32_t> pixel;
    std::vector<uint64_t> payload;
    std::vector<Tap> taps;
    uint32_t order[RING];
    uint64_t ordered = 0;  // images since the last reset whose place in the order is known
    uint64_t compared = 0, differing = 0, cycle = 0;

    uint64_t state;
    // Marsaglia's xorshift64*.
    uint32_t draw() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return uint32_t(state * 0x2545F4914F6CDD1DULL >> 32);
    }
    bool chance(uint32_t of_2_to_32) { return draw() < of_2_to_32; }

    uint32_t image(uint64_t number) {
        while (ordered <= number) order[ordered++ % RING] = draw() % images;
        return order[number % RING];
    }

    void differ(const std::string &what) {
        if (differing++ == 0)
            std::printf("first=cycle %llu: %s\n", static_cast<unsigned long long>(cycle), what.c_str());
    }
} run;

void read(std::FILE *file, void *into, size_t size) {
    if (size && std::fread(into, size, 1, file) != 1) std::exit(2);
}

void load(const char *path) {
    std::FILE *const file = std::fopen(path, "rb");
    if (!file) std::exit(2);
    uint32_t head[5];
    read(file, head, sizeof head);
    run.images = head[0], run.pixels = head[1], run.logits = head[2], run.stuck_after = head[4];
    run.pixel.resize(size_t(run.images) * run.pixels);
    read(file, run.pixel.data(), 4 * run.pixel.size());
    run.payload.resize(size_t(run.images) * run.logits);
    read(file, run.payload.data(), 8 * run.payload.size());
    run.taps.resize(head[3]);
    for (Tap &tap : run.taps) {
        uint32_t size[2];
        read(file, size, sizeof size);
        tap.records = size[0], tap.words = size[1];
        tap.values.resize(tap.records);
        tap.mask.resize(size_t(tap.records) * tap.words);
        tap.wanted.resize(run.images * tap.mask.size());
        read(file, tap.values.data(), 4 * tap.values.size());
        read(file, tap.mask.data(), 4 * tap.mask.size());
        read(file, tap.wanted.data(), 4 * tap.wanted.size());
    }
    std::fclose(file);
}

// Bytes of memory that the process has at this moment.
unsigned long long resident() {
    std::FILE *const file = std::fopen("/proc/self/statm", "r");
    unsigned long long whole = 0, pages = 0;
    if (!file || std::fscanf(file, "%llu %llu", &whole, &pages) != 2) std::exit(2);
    std::fclose(file);
    return pages * 4096;
}

}  // namespace

void spikeloom_tap(unsigned index, const void *data) {
    Tap &tap = run.taps[index];
    uint32_t words[64];
    std::memcpy(words, data, 4 * tap.words);
    const size_t place = size_t(tap.record) * tap.words;
    const uint32_t *const wanted = &tap.wanted[run.image(tap.image) * tap.mask.size() + place];
    bool same = true;
    for (uint32_t k = 0; k < tap.words; ++k)
        same = same && !((words[k] ^ wanted[k]) & tap.mask[place + k]);
    run.compared += tap.values[tap.record];
    if (!same)
        run.differ("tap " + std::to_string(index) + ", record " + std::to_string(tap.record));
    if (++tap.record == tap.records) tap.record = 0, ++tap.image;
}

int main(int count, char **words) {
    if (count != 4) return 2;
    load(words[1]);
    const uint64_t cycles = std::strtoull(words[2], nullptr, 10);
    run.state = std::strtoull(words[3], nullptr, 10) * 0x9E3779B97F4A7C15ULL + 1;
    for (int k = 0; k < 16; ++k) run.draw();

    VerilatedContext context;
    Vspikeloom_soak dut(&context);
    uint64_t resets = 0, done = 0, stalled = 0, quiet = 0, longest = 0, behind = 0;
    uint64_t sent = 0, given = 0;  // pixels and logits since the last reset
    uint32_t next_pixel = 0, next_logit = 0;
    uint32_t input_stall = 0, output_stall = 0, resetting = 2;
    uint64_t waiting = 0;
    bool was_waiting = false;
    unsigned long long early = 0;
    const uint32_t probabilities[] = {0, 0, 0x1A000000, 0x80000000, 0xE0000000};

    dut.clk = 0, dut.rst = 1, dut.i_valid = 0, dut.o_ready = 0;
    dut.eval();
    for (run.cycle = 0; run.cycle < cycles; ++run.cycle) {
        if (run.cycle == cycles / 10) early = resident();
        // The edge: transfers happen as the wires are now.
        const bool took = !dut.rst && dut.i_valid && dut.i_ready;
        const bool gave = !dut.rst && dut.o_valid && dut.o_ready;
        if (!dut.rst) {
            stalled += (!dut.i_valid) + (!dut.o_ready);
            if (was_waiting && (!dut.o_valid || dut.o_payload != waiting))
                run.differ("a logit that waits has changed");
            was_waiting = dut.o_valid && !dut.o_ready;
            waiting = dut.o_payload;
        }
        if (gave) {
            const uint64_t wanted =
                run.payload[size_t(run.image(given)) * run.logits + next_logit];
            run.compared += 2;  // a logit, and whether it is the last
            if (wanted != dut.o_payload) run.differ("logit " + std::to_string(next_logit));
            if (++next_logit == run.logits) {
                next_logit = 0, ++given, ++done;
            }
        }
        if (took && ++next_pixel == run.pixels) {
            next_pixel = 0, ++sent;
            if (sent % 4 == 0) {
                input_stall = probabilities[run.draw() % 5];
                output_stall = probabilities[run.draw() % 5];
            }
            if (sent - given >= RING / 2) return 3;
            behind = sent - given > behind ? sent - given : behind;
        }
        quiet = took || gave ? 0 : quiet + 1;
        longest = quiet > longest ? quiet : longest;
        if (quiet > run.stuck_after) {
            run.differ("nothing moves any more");
            break;
        }
        dut.clk = 1;
        dut.eval();
        if (gave && next_logit == 0)
            for (const Tap &tap : run.taps)
                if (tap.image < given) run.differ("an image is done before its taps are");

        // New values behind the edge. Valid and payload stay until the transfer.
        dut.clk = 0;
        if (resetting) {
            --resetting;
        } else if (run.draw() < 0x100000000ULL / BETWEEN_RESETS) {
            resetting = 1 + run.draw() % 3;
            ++resets;
        }
        dut.rst = resetting != 0;
        if (resetting) {
            sent = given = next_pixel = next_logit = run.ordered = quiet = 0;
            was_waiting = false;
            dut.i_valid = 0;
            for (Tap &tap : run.taps) tap.image = tap.record = 0;
        } else if (took || !dut.i_valid) {
            dut.i_valid = !run.chance(input_stall);
            // While not valid, the payload is noise: an accelerator that takes it is found out.
            dut.i_payload = dut.i_valid
                ? run.pixel[size_t(run.image(sent)) * run.pixels + next_pixel]
                : run.draw() & ((1U << PIXEL_BITS) - 1);
        }
        dut.o_ready = !run.chance(output_stall);
        dut.eval();
    }
    const unsigned long long late = resident();
    dut.final();
    const struct {
        const char *name;
        unsigned long long value;
    } results[] = {
        {"cycles", run.cycle}, {"images", done},       {"resets", resets},
        {"stalls", stalled},   {"longest", longest},   {"behind", behind},
        {"compared", run.compared}, {"differing", run.differing},
        {"early", early},      {"late", late},
    };
    for (const auto &result : results) std::printf("%s=%llu\n", result.name, result.value);
    return 0;
}
