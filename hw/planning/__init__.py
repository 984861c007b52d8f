"""From a network and a user's choices to every parameter of the hardware; no hardware here.

:mod:`plan` is the whole; :mod:`connection` is the part of a connection: the values that it keeps,
:mod:`windows` the order in which it reads them, :mod:`synapses` the convolution that stands for its
synapses, :mod:`capacity` the number of rows that must fit. :mod:`streams` are the transfers between
layers.
"""
