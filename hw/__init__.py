"""Hardware side of Spikeloom: from the integer ``Network`` to Amaranth and Verilog."""
