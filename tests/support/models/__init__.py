"""PyTorch models to test with."""
