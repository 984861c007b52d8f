"""A long run of simulated hardware, with stalls, and resets at random moments: ``make soak``.

``soak.sv`` shows the accelerator's taps to ``main.cpp``, which drives the streams, resets, and
compares every value with the expected ones; ``expected`` prepares these from the golden model;
``soak`` builds and runs it.
"""
