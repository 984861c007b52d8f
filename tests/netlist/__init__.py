"""Proof down to the bits: netlists and bitstreams simulated against the golden model."""
