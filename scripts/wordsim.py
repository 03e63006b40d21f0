"""Word vectors against human judgement: WordSim-353 (Finkelstein et al. 2002), beside gensim on the same words.

    python scripts/wordsim.py join build/texts           # the shared texts, in one folder
    python scripts/wordsim.py compare configs/vectors/skip-gram.yaml [--set KEY=VALUE]

`compare` trains a config, goes on with its run, or takes it as it is; then gensim, where it is installed, with the
same words, documents, window, threshold, noise and number of epochs, in one thread as well. Both are scored by
Spearman's rank correlation over the pairs of which both words have vectors, with a 95 % interval from a bootstrap over
those pairs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from measure import Place, charrnn
from recording import ROOT

from charrnn.config.load import load_config
from charrnn.config.schema import VectorsConfig
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.embedding import open_embedding

DATA = Path(os.environ.get("CHARRNN_DATA", ROOT.parent / "shared" / "data"))
JUDGED = "word-vectors/wordsim353.tsv"
TEXTS = {
    "nietzsche.txt": ("nietzsche/nietzsche.txt", None),
    "tiny-shakespeare.txt": ("tinyshakespeare/input.txt", None),
    "reviews-pos.txt": ("rt-polarity/rt-polarity.pos", None),
    "reviews-neg.txt": ("rt-polarity/rt-polarity.neg", None),
    "messages.txt": ("sms-spam/SMSSpamCollection", "\t"),
    "films.txt": ("movielens-latest-small-2016/movies.csv", ","),
}
"""The files, and what stands behind the label or the number that a line begins with."""
RESAMPLES = 2000

Judged = Sequence[tuple[str, str, float]]


def join(folder: Path) -> None:
    """Put the shared texts into `folder`, without labels and numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (place, separator) in TEXTS.items():
        lines = (DATA / place).read_text(encoding="utf-8").split("\n")
        texts = [line if separator is None else line.partition(separator)[2] for line in lines]
        (folder / name).write_text("\n".join(texts), encoding="utf-8")
    print(f"{len(TEXTS)} texts in {folder}")


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


def ours(config: str, settings: Sequence[str], runs: str, pairs: Judged) -> dict[str, Any]:
    """Train the config, and score its best checkpoint."""
    place = Place(runs, settings=tuple(settings))
    outcome = charrnn(*place.training(config), "--quiet")
    records = [json.loads(line) for line in (ROOT / outcome["run"] / "metrics.jsonl").read_text().splitlines()]
    trained = [record for record in records if record["split"] == "train"]
    seconds = (trained[-1]["time"] - trained[0]["time"]) / (trained[-1]["epoch"] - trained[0]["epoch"])
    embedding = open_embedding(ROOT / outcome["run"], ROOT / "runs", ROOT / "corpora")
    vectors = {embedding.names[row]: embedding.table_VD[row] for row in embedding.used}
    return {**scored(vectors, pairs), "seconds_per_epoch": round(seconds, 2), "nats": outcome["best"]["nats"]}


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


def compare(path: str, settings: Sequence[str], runs: str) -> None:
    """Print both as one JSON object."""
    loaded = load_config(Path(path), settings)
    config, pairs = loaded.config, judged()
    if not isinstance(config, VectorsConfig) or config.train.epochs is None:
        sys.exit(f"{path} does not train word vectors for so many epochs")
    result: dict[str, Any] = {"config": path, "settings": list(settings)}
    result["charrnn"] = ours(path, settings, runs, pairs)
    if importlib.util.find_spec("gensim") is None:
        print("gensim is not installed: there is nothing to compare with (pip install gensim)", file=sys.stderr)
    else:
        with Console() as console:
            corpus = prepared(loaded, ROOT / "corpora", console, lambda: None).corpus
        result["gensim"] = gensims(config, corpus, config.train.epochs, pairs)
    print(json.dumps(result, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("join").add_argument("folder", type=Path)
    comparing = commands.add_parser("compare")
    comparing.add_argument("config")
    comparing.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    comparing.add_argument("--runs", default="runs")
    asked = parser.parse_args()
    if asked.command == "join":
        join(asked.folder)
    else:
        compare(asked.config, asked.settings, asked.runs)


if __name__ == "__main__":
    main()
