"""Helpers that several test modules share, in a package for each part that they help to test."""
