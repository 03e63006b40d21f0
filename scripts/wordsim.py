"""Word vectors against human judgement: WordSim-353 (Finkelstein et al. 2002), beside gensim on the same words.

    python scripts/wordsim.py join build/texts.txt       # the shared texts, in one file
    python scripts/wordsim.py compare configs/vectors/skip-gram.yaml [--set KEY=VALUE]

`compare` trains a config, goes on with its run, or takes it as it is; then gensim, where it is installed, with the
same words, documents, window, threshold, noise and number of epochs, in one thread as well. Both are scored by
Spearman's rank correlation over the pairs of which both words have vectors, with a 95 % interval from a bootstrap over
those pairs. They decide nothing: what a config leaves open was chosen by the validation split of the joined texts.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measure import Measured, Place, charrnn, conditions, typed
from recording import ROOT

from charrnn.config.load import load_config
from charrnn.config.schema import VectorsConfig
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.files.atomic import make_folder, write_text
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.embedding import open_embedding

DATA = Path(os.environ.get("CHARRNN_DATA", ROOT.parent / "shared" / "data"))
JUDGED = "word-vectors/wordsim353.tsv"
JOINED = "build/texts.txt"
TEXTS = (
    ("nietzsche/nietzsche.txt", None),
    ("tinyshakespeare/input.txt", None),
    ("rt-polarity/rt-polarity.pos", None),
    ("rt-polarity/rt-polarity.neg", None),
    ("sms-spam/SMSSpamCollection", "\t"),
    ("movielens-latest-small-2016/movies.csv", ","),
)
"""The files, and what stands behind the label or the number that a line begins with."""
RESAMPLES = 2000
QUICK = ("train.epochs=1", "train.max_steps=3", "train.log_every=1", "stream.length=50", "corpus.min_count=1")

Judged = Sequence[tuple[str, str, float]]


def join(place: Path) -> None:
    """Put the lines of the shared texts, without labels and numbers, into one file: in an order drawn by chance, always
    the same, so that every split of it is of all texts."""
    lines = []
    for name, separator in TEXTS:
        of_text = (DATA / name).read_text(encoding="utf-8").split("\n")
        lines += [line if separator is None else line.partition(separator)[2] for line in of_text]
    lines = [line for line in lines if line.strip()]
    random.Random(0).shuffle(lines)
    make_folder(place.parent)
    write_text(place, "\n".join(lines) + "\n")
    print(f"{len(lines):,} lines of {len(TEXTS)} texts in {place}", file=sys.stderr)


def judged() -> Judged:
    """The pairs with the mean of what people said of them, in lower case."""
    lines = (DATA / JUDGED).read_text(encoding="utf-8").splitlines()
    rows = [line.lower().split("\t") for line in lines if line and not line.startswith("#")]
    return [(one, other, float(mean)) for one, other, mean in rows]


def ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value in ascending order; equals share the mean of theirs."""
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2.0)[group]


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where all of one are equal."""
    a, b = (ranks(values) - (len(values) + 1) / 2.0 for values in (one, other))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def scored(vectors: Mapping[str, np.ndarray], pairs: Judged) -> dict[str, Any]:
    """How well cosines agree with people: Spearman, its interval, and the coverage."""
    there = [(a, b, mean) for a, b, mean in pairs if a in vectors and b in vectors]
    cosine = np.array([_cosine(vectors[a], vectors[b]) for a, b, _ in there])
    means = np.array([mean for *_, mean in there])
    draws = np.random.default_rng(0).integers(0, len(there), (RESAMPLES, len(there)))
    low, high = np.quantile([spearman(cosine[rows], means[rows]) for rows in draws], [0.025, 0.975])
    return {
        "spearman": round(spearman(cosine, means), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "covered": len(there),
        "pairs": len(pairs),
    }


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))


def ours(training: Sequence[str], pairs: Judged) -> dict[str, Any]:
    """Train by these arguments, and score the best checkpoint."""
    outcome = charrnn(*training, "--quiet")
    records = [json.loads(line) for line in (ROOT / outcome["run"] / "metrics.jsonl").read_text().splitlines()]
    trained = [record for record in records if record["split"] == "train"]
    seconds = (trained[-1]["time"] - trained[0]["time"]) / (trained[-1]["epoch"] - trained[0]["epoch"])
    embedding = open_embedding(ROOT / outcome["run"], ROOT / "runs", ROOT / "corpora")
    vectors = {embedding.names[row]: embedding.table_VD[row] for row in embedding.used}
    found = {**scored(vectors, pairs), "seconds_per_epoch": round(seconds, 2), "nats": outcome["best"]["nats"]}
    return found | {"words": len(vectors), "run": outcome["run"]}


def gensims(config: VectorsConfig, corpus: TokenCorpus, epochs: int, pairs: Judged) -> dict[str, Any]:
    """Train gensim on the words of the training split, and score what comes of it."""
    import gensim

    names = [corpus.vocabulary.symbol(id_) for id_ in range(corpus.vocabulary.size)]
    words = words_of(corpus.split("train"), corpus.vocabulary)
    bounds = [*words.documents.tolist(), len(words.ids_N)]
    sentences = [[names[id_] for id_ in words.ids_N[a:b]] for a, b in pairwise(bounds) if b > a]
    model = gensim.models.Word2Vec(
        vector_size=config.model.size,
        window=config.stream.window,
        min_count=1,
        sample=config.stream.subsample or 0.0,
        negative=round(config.model.negatives),
        ns_exponent=config.model.power,
        sg=int(config.model.kind == "skip-gram"),
        shrink_windows=config.stream.dynamic,
        workers=1,
        seed=config.train.seed,
    )
    model.build_vocab(sentences)
    began = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = (time.perf_counter() - began) / epochs
    vectors = {word: model.wv[word] for word in model.wv.key_to_index}
    return {**scored(vectors, pairs), "seconds_per_epoch": round(seconds, 2), "version": gensim.__version__}


def compared(config: str, settings: Sequence[str], training: Sequence[str]) -> dict[str, Any]:
    """Both, scored; without gensim where it is not installed, said aloud."""
    loaded = load_config(ROOT / config, settings)
    vectors, pairs = loaded.config, judged()
    if not isinstance(vectors, VectorsConfig) or vectors.train.epochs is None:
        sys.exit(f"{config} does not train word vectors for so many epochs")
    result: dict[str, Any] = {"config": config, "settings": list(settings), "charrnn": ours(training, pairs)}
    if importlib.util.find_spec("gensim") is None:
        print("gensim is not installed: there is nothing to compare with (pip install gensim)", file=sys.stderr)
    else:
        with Console() as console:
            corpus = prepared(loaded, ROOT / "corpora", console, lambda: None).corpus
        result["gensim"] = gensims(vectors, corpus, vectors.train.epochs, pairs)
    return result


def measured(place: Place, config: str) -> Measured:
    """The row of a config: the texts joined, our vectors on them, and gensim's where it is installed."""
    join(ROOT / JOINED)
    few = (*(QUICK if place.quick else ()), *place.vectors)
    training = ["train", config, *(part for key in few for part in ("--set", key))]
    training += ["--out", f"{place.runs}/{Path(config).stem}", "--resume"]
    result = compared(config, few, training)
    own, other = result["charrnn"], result.get("gensim", {})
    low, high = own["interval"]
    figures = {
        "spearman": own["spearman"],
        "spearman_low": low,
        "spearman_high": high,
        "covered_pairs": own["covered"],
        "pairs": own["pairs"],
        "words": own["words"],
        "seconds_per_epoch": own["seconds_per_epoch"],
        "valid_loss_of_a_pair": own["nats"],
    }
    if other:
        figures |= {
            "gensim_spearman": other["spearman"],
            "gensim_spearman_low": other["interval"][0],
            "gensim_spearman_high": other["interval"][1],
            "gensim_seconds_per_epoch": other["seconds_per_epoch"],
            "gensim_version": other["version"],
        }
    commands = [f"python scripts/wordsim.py join {JOINED}", typed(training)]
    commands.append(f"python scripts/wordsim.py compare {config}")
    return {"command": "\n".join(commands), **conditions(ROOT / own["run"]), "figures": figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("join").add_argument("file", type=Path)
    comparing = commands.add_parser("compare")
    comparing.add_argument("config")
    comparing.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    comparing.add_argument("--runs", default="runs")
    asked = parser.parse_args()
    if asked.command == "join":
        join(asked.file)
    else:
        place = Place(asked.runs, settings=tuple(asked.settings))
        print(json.dumps(compared(asked.config, asked.settings, place.training(asked.config)), indent=2))


if __name__ == "__main__":
    main()
