"""Measurements behind figures in the documentation; ``make neurons`` runs those of neurons.md."""
