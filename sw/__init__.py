"""Software side of Spikeloom: from a PyTorch model to the integer ``Network``."""
