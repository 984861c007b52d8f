"""Models by name: a zoo of ordinary torch modules, and models in a user's own files."""

from spikeloom.sw.models import digits, events, mnist, resnet, vgg
from spikeloom.sw.models.registry import MODELS, build, model
from spikeloom.sw.models.spec import build_model, load_model_class
from spikeloom.sw.models.weights import Weights, read_weights

__all__ = [
    "MODELS",
    "Weights",
    "build",
    "build_model",
    "digits",
    "events",
    "load_model_class",
    "mnist",
    "model",
    "read_weights",
    "resnet",
    "vgg",
]
