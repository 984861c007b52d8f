"""Trainable activations that turn into spiking neurons."""

from spikeloom.sw.quantized.activations.base import Activation
from spikeloom.sw.quantized.activations.qcfs import QCFS
from spikeloom.sw.quantized.activations.signed import SignedQCFS
from spikeloom.sw.quantized.activations.timesteps import MAX_LEARNED, Timesteps

__all__ = ["MAX_LEARNED", "QCFS", "Activation", "SignedQCFS", "Timesteps"]
