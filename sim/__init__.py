"""Cosimulation: the generated Verilog against the golden model."""
