"""Networks to test with: examples, random ones, and the contract once more in plain Python."""
