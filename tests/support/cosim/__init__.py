"""A hand-written accelerator, for tests of the simulation without the generator."""
