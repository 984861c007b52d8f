"""Test benches for hardware, in Amaranth's simulator and in cocotb."""
