"""Trainable activations that turn into spiking neurons."""

from spikeloom.sw.activations.qcfs import QCFS, Activation, SignedQCFS

__all__ = ["QCFS", "Activation", "SignedQCFS"]
