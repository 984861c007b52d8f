"""Formal proofs: hardware against specifications that are written from the contract alone."""
