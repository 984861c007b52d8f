"""The steps from a trained model's real numbers to a network's integers.

In the order in which :mod:`spikeloom.sw.convert` takes them: :mod:`folding` gives layers with
integer weights and real scales; :mod:`options` and :mod:`coding` say how their values become spikes
in time; :mod:`units` brings all weights of a channel to one unit; :mod:`population` is a layer's
neurons in exact real numbers, from which :mod:`absorption` (with :mod:`fitting`) and :mod:`logits`
make integer ones.
"""
