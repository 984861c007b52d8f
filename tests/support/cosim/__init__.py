"""Hardware for tests of the simulation without the generator: written by hand, and made up."""
