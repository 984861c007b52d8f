"""The hardware of one layer: from its source's values to the spikes, counts or logits it sends.

In the order of the data: :mod:`alignment`, :mod:`pool` (with :mod:`sliding`) and :mod:`buffer` take
in the values of the source and :mod:`scanner` (with :mod:`walk`) reads windows of them;
:mod:`reader` joins these for a connection.
:mod:`gather` joins the connections, :mod:`events` turns values into events (with :mod:`queue` and
:mod:`select`), :mod:`pe` adds these up, :mod:`sums` holds the sums, of several copies in the order
of windows, and :mod:`population` runs the neurons. :mod:`engine` is the whole layer;
:mod:`unrolled` is one whose weights are logic, made of :mod:`lines` and
:mod:`planes`; :mod:`fork` hands its output to several readers, :mod:`skid` ends long ways of ready,
and :mod:`relay` those of transfers, too. What turns pixels into values stands before the first
layers, found by the kind of the input in :mod:`inputs`: :mod:`zero` subtracts the zero point, and
:mod:`bernoulli` makes random spikes.

Clock cycles from input to output are constants of each component, ``LATENCY`` and the like, or
functions of the plan; :mod:`spikeloom.hw.prediction` reads them.
"""

from spikeloom.hw.engine.bernoulli import BernoulliCoder
from spikeloom.hw.engine.engine import COUNTERS, Engine
from spikeloom.hw.engine.fork import Fork
from spikeloom.hw.engine.inputs import InputUnit
from spikeloom.hw.engine.population import tap_signature
from spikeloom.hw.engine.relay import Relay
from spikeloom.hw.engine.skid import Skid
from spikeloom.hw.engine.unrolled import UnrolledEngine
from spikeloom.hw.engine.zero import ZeroPoint

__all__ = [
    "COUNTERS",
    "BernoulliCoder",
    "Engine",
    "Fork",
    "InputUnit",
    "Relay",
    "Skid",
    "UnrolledEngine",
    "ZeroPoint",
    "tap_signature",
]
