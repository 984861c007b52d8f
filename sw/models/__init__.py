"""Models: a zoo of ordinary torch modules, and the user's own, by name."""

from spikeloom.sw.models.zoo import MODELS, build, model

__all__ = ["MODELS", "build", "model"]
