"""Frozen networks that turn photographs into features: ``catalogue`` by name, ``weights``, ``extraction``."""

from influence_core.models.backbones.backbone import PACKAGED, Backbone, frozen
from influence_core.models.backbones.catalogue import OWN, build, names
from influence_core.models.backbones.extraction import BATCH, extract, features_of
from influence_core.models.backbones.packaged_features import shipped
from influence_core.models.backbones.weight_files import SUFFIXES, load_into
from influence_core.models.backbones.weights import WEIGHTS_FOLDER, download, download_size, weights_path

__all__ = [
    "BATCH",
    "OWN",
    "PACKAGED",
    "SUFFIXES",
    "WEIGHTS_FOLDER",
    "Backbone",
    "build",
    "download",
    "download_size",
    "extract",
    "features_of",
    "frozen",
    "load_into",
    "names",
    "shipped",
    "weights_path",
]
