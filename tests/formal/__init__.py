"""Formal proofs: hardware against specifications written from the contract's text alone."""
