"""Models: a zoo of ordinary torch modules, and the user's own, by name."""

from spikeloom.sw.models import digits, events, mnist, resnet, vgg
from spikeloom.sw.models.registry import MODELS, build, model

__all__ = ["MODELS", "build", "digits", "events", "mnist", "model", "resnet", "vgg"]
