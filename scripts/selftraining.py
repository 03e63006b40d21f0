"""scikit-learn's self-training on the very items of a config: those that our corpus says are labelled, unlabelled, for
validation and for the test.

    python scripts/selftraining.py configs/pseudo/sms-100.yaml [--set KEY=VALUE]

Texts are counted by their characters (TF-IDF of runs of 1 to 5 within words, learned from all training items, for which
no labels are needed) and scored by logistic regression; pictures go through a dense layer as they are. How much the
estimator is regularised, and the threshold of `SelfTrainingClassifier`, are chosen by validation: with pseudo-labels
and without them, each on its own. Pictures, which take minutes for every choice, keep the regularisation that they
have without, and have five rounds in place of ten. The test set is scored once, for each seed. Where all items have
labels, the estimator alone is scored.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import sklearn
from measure import SEEDS, Measured, Place
from recording import ROOT
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import SelfTrainingClassifier

from charrnn.config.load import load_config
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared

THRESHOLDS = (0.75, 0.9, 0.99)
TEXTS, PICTURES = (0.1, 1.0, 10.0, 100.0, 1000.0), (1e-4, 1e-2, 1.0)
"""How weakly logistic regression is regularised; how strongly a dense network is."""


@dataclass(frozen=True)
class Items:
    """The items of a corpus as scikit-learn reads them.

    Attributes:
        x: for `train`, `unlabelled`, `valid` and `test`, those that there are, the features, a row each.
        y: the numbers of their labels; -1 of those without.
        pictures: whether the features are pixels.
    """

    x: dict[str, Any]
    y: dict[str, np.ndarray]
    pictures: bool


def items_of(corpus: LabelledCorpus) -> Items:
    """The items of a corpus, and their features."""
    splits = {name: corpus.split(name) for name in ("train", "unlabelled", "valid", "test")}
    y = {name: np.asarray(split.labels) for name, split in splits.items()}
    if corpus.highest is not None:
        values = {name: np.asarray(split.items, np.float32) / corpus.highest for name, split in splits.items()}
        return Items({name: part.reshape(len(y[name]), -1) for name, part in values.items()}, y, pictures=True)
    texts = {name: [str(split.text(i)) for i in range(len(split))] for name, split in splits.items()}
    features = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), min_df=2, sublinear_tf=True, lowercase=False)
    features.fit(texts["train"] + texts["unlabelled"])
    return Items({name: features.transform(given) for name, given in texts.items() if given}, y, pictures=False)


def strengths(items: Items, quick: bool) -> tuple[float, ...]:
    """What is tried."""
    return (PICTURES if items.pictures else TEXTS)[: 1 if quick else None]


def estimator(items: Items, strength: float, seed: int) -> BaseEstimator:
    """What scores items, untrained."""
    if not items.pictures:
        return LogisticRegression(C=strength, max_iter=1000)
    return MLPClassifier((256,), alpha=strength, max_iter=200, tol=1e-3, n_iter_no_change=3, random_state=seed)


def supervised(items: Items, strength: float, seed: int) -> BaseEstimator:
    """Trained on the labelled items."""
    return estimator(items, strength, seed).fit(items.x["train"], items.y["train"])


def self_trained(items: Items, strength: float, threshold: float, seed: int) -> SelfTrainingClassifier:
    """Trained on those, and round by round on the unlabelled items that it is sure about."""
    x = [items.x["train"], items.x["unlabelled"]]
    whole = np.concatenate(x) if items.pictures else sparse_rows(x)
    rounds = 5 if items.pictures else 10
    model = SelfTrainingClassifier(estimator(items, strength, seed), threshold=threshold, max_iter=rounds)
    return model.fit(whole, np.concatenate([items.y["train"], np.full(len(items.y["unlabelled"]), -1)]))


def sparse_rows(parts: Sequence[Any]) -> Any:
    from scipy.sparse import vstack

    return vstack(parts).tocsr()


def scored(model: Any, items: Items, split: str) -> dict[str, float]:
    """What a model is right about on a split."""
    said = model.predict(items.x[split])
    return {
        "accuracy": float(np.mean(said == items.y[split])),
        "macro_f1": float(f1_score(items.y[split], said, average="macro")),
    }


def chosen(choices: Sequence[tuple[float, ...]], trained: Callable[..., Any], items: Items) -> tuple[float, ...]:
    """The choice that is right about most validation items; of equals the one with the lower loss there."""
    found = {}
    for choice in choices:
        model = trained(*choice)
        loss = log_loss(items.y["valid"], model.predict_proba(items.x["valid"]), labels=model.classes_)
        found[choice] = scored(model, items, "valid")["accuracy"], -loss
        say(f"{choice}: validation accuracy {found[choice][0]:.4f}, nats {loss:.4f}")
    return max(found, key=lambda choice: found[choice])


def compared(items: Items, quick: bool = False) -> dict[str, Any]:
    """With pseudo-labels and without, over the seeds, at what validation chose."""
    strong, thresholds = strengths(items, quick), THRESHOLDS[: 1 if quick else None]
    alone = chosen([(s,) for s in strong], lambda s: supervised(items, s, SEEDS[0]), items)
    tried = product(alone if items.pictures else strong, thresholds)
    both = chosen([*tried], lambda s, t: self_trained(items, s, t, SEEDS[0]), items)
    without, having, added = [], [], []
    for seed in SEEDS if items.pictures else SEEDS[:1]:
        model = self_trained(items, *both, seed)
        without.append(scored(supervised(items, *alone, seed), items, "test"))
        having.append(scored(model, items, "test"))
        added.append(int((model.labeled_iter_ > 0).sum()))
        say(f"seed {seed}: {without[-1]['accuracy']:.4f} without, {having[-1]['accuracy']:.4f} with {added[-1]:,}")
    return {
        "regularisation_without": alone[0],
        "regularisation": both[0],
        "threshold": both[1],
        "without": without,
        "with": having,
        "pseudo_labelled": round(fmean(added)),
    }


def read(config: Path, settings: Sequence[str]) -> Items:
    """The items of a config, prepared unless they are there."""
    with Console() as console:
        return items_of(prepared(load_config(config, settings), ROOT / "corpora", console, lambda: None).corpus)


def plain(place: Place, config: str) -> Measured:
    """The row of a config whose items all have labels: the estimator, that a network is held against."""
    items = of_row(place, config)
    choice = chosen([(s,) for s in strengths(items, place.quick)], lambda s: supervised(items, s, SEEDS[0]), items)
    score = scored(supervised(items, *choice, SEEDS[0]), items, "test")
    return {
        **about(config, 1),
        "figures": {
            "test_accuracy": score["accuracy"],
            "test_macro_f1": score["macro_f1"],
            "test_items": len(items.y["test"]),
            "regularisation": choice[0],
            "scikit_learn": sklearn.__version__,
        },
    }


def of_row(place: Place, config: str) -> Items:
    """The items of a row's config, or those that stand in for them."""
    corpus = load_config(ROOT / config).config.corpus
    few = ("corpus.labelled=20",) if place.quick and corpus.labelled is not None else ()
    items = read(ROOT / config, (*place.items.get(corpus.kind, ()), *few))
    if place.quick and "unlabelled" in items.x:
        for values in (items.x, items.y):
            values["unlabelled"] = values["unlabelled"][:200]
    return items


def about(config: str, seeds: int) -> dict[str, Any]:
    """How a row was measured."""
    return {
        "command": f"python scripts/selftraining.py {config}",
        "device": platform.processor() or platform.machine(),
        "seeds": [*SEEDS[:seeds]],
    }


def measured(place: Place, config: str) -> Measured:
    """The row of a config: self-training, held against the same estimator without it."""
    items = of_row(place, config)
    found = compared(items, place.quick)
    without, having = ([score["accuracy"] for score in found[how]] for how in ("without", "with"))
    return {
        **about(config, len(having)),
        "reference": {"value": round(fmean(without), 4), "source": "the same without pseudo-labels"},
        "figures": {
            "test_accuracy": fmean(having),
            **({"test_accuracy_spread": stdev(having)} if len(having) > 1 else {}),
            "test_macro_f1": fmean(score["macro_f1"] for score in found["with"]),
            "test_accuracy_without": fmean(without),
            "test_error_falls_by": 1.0 - (1.0 - fmean(having)) / (1.0 - fmean(without)),
            "test_items": len(items.y["test"]),
            "labelled_items": len(items.y["train"]),
            "unlabelled_items": len(items.y["unlabelled"]),
            "pseudo_labelled_items": found["pseudo_labelled"],
            "threshold": found["threshold"],
            "regularisation": found["regularisation"],
            "regularisation_without": found["regularisation_without"],
            "scikit_learn": sklearn.__version__,
        },
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    asked = parser.parse_args()
    items = read(asked.config, asked.settings)
    if len(items.y["unlabelled"]) == 0:
        alone = chosen([(s,) for s in strengths(items, False)], lambda s: supervised(items, s, SEEDS[0]), items)
        print(json.dumps(scored(supervised(items, *alone, SEEDS[0]), items, "test"), indent=2))
    else:
        print(json.dumps(compared(items), indent=2))


if __name__ == "__main__":
    main()
