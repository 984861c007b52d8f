"""From a network and a user's choices to every parameter of the hardware; no hardware here.

:mod:`plan` is the whole; :mod:`connection` is what of its source a connection keeps and reads,
:mod:`windows` in which order, :mod:`capacity` how many rows must fit. :mod:`streams` and
:mod:`digits` say what travels: transfers between layers, and signed digits into the elements.
"""
