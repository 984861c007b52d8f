"""What a torch model means as a spiking network, node by node.

:mod:`walk` traces a model and visits its nodes. :mod:`rules` is the table of what each kind of node
means, its entries are in :mod:`layer_rules`, :mod:`activation_rules`, :mod:`sum_rules` and
:mod:`shape_rules`, and :mod:`nodes` says what a meaning is.
"""
