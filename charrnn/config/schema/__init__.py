"""The schema of a config: one file per section, frozen, unions told apart by `kind:`.

The defaults are the documentation: every key has one but `corpus.source`, and a config of three lines trains
a good small model. `identity` keys make a run what it is; a resumed run refuses a change of them. All others
may change.
"""

from __future__ import annotations

from charrnn.config.schema.base import Section
from charrnn.config.schema.corpus import Corpus
from charrnn.config.schema.keys import BY_CONTENT, is_by_content, is_identity, is_manner
from charrnn.config.schema.model import Network
from charrnn.config.schema.pseudo import Pseudo
from charrnn.config.schema.pseudo_ratings import RatingRounds
from charrnn.config.schema.pseudo_texts import TextRounds
from charrnn.config.schema.rate import Ratings
from charrnn.config.schema.stream import Lanes, Windows
from charrnn.config.schema.tasks import (
    TASKS,
    ClassifyConfig,
    Config,
    LanguageConfig,
    RateConfig,
    VectorsConfig,
    config_class,
    config_from,
)
from charrnn.config.schema.train import RecurrentTrain, Train
from charrnn.config.schema.tune import Tune
from charrnn.config.schema.use import Evaluate, Sample

__all__ = [
    "BY_CONTENT",
    "TASKS",
    "ClassifyConfig",
    "Config",
    "Corpus",
    "Evaluate",
    "Lanes",
    "LanguageConfig",
    "Network",
    "Pseudo",
    "RateConfig",
    "RatingRounds",
    "Ratings",
    "RecurrentTrain",
    "Sample",
    "Section",
    "TextRounds",
    "Train",
    "Tune",
    "VectorsConfig",
    "Windows",
    "config_class",
    "config_from",
    "is_by_content",
    "is_identity",
    "is_manner",
]
