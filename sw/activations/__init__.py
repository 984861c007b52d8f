"""Trainable activations that turn into spiking neurons."""

from spikeloom.sw.activations.base import Activation
from spikeloom.sw.activations.qcfs import QCFS
from spikeloom.sw.activations.signed import SignedQCFS
from spikeloom.sw.activations.timesteps import MAX_LEARNED, Timesteps

__all__ = ["MAX_LEARNED", "QCFS", "Activation", "SignedQCFS", "Timesteps"]
