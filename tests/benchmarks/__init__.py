"""Measurements behind the figures in the documentation; a ``make`` target runs each of them."""
