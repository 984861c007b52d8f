"""One layer's hardware: from the source's values to the spikes, counts or logits that it sends.

In the order of the data: :mod:`alignment`, :mod:`pool` and :mod:`buffer` take the source in,
:mod:`scanner` reads windows of it (all of them together are :mod:`reader`), :mod:`gather` joins
connections, :mod:`events` makes events of values, :mod:`pe` adds them up, :mod:`population` fires,
:mod:`fork` hands the result to all who read it; :mod:`engine` is the whole.
"""

from spikeloom.hw.engine.engine import COUNTERS, Engine
from spikeloom.hw.engine.fork import Fork
from spikeloom.hw.engine.population import tap_signature

__all__ = ["COUNTERS", "Engine", "Fork", "tap_signature"]
