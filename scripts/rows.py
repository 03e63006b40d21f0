"""The rows of `docs/results.json`: what is measured, by which config, and what it is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anomalies
import labels
import measure
import rounds
import wordsim
from measure import Measured, Place


def self_training(place: Place, config: str) -> Measured:
    """scikit-learn's self-training on the items of a config."""
    import selftraining  # rows are named, and their page drawn, without scikit-learn

    return selftraining.measured(place, config)


def estimator(place: Place, config: str) -> Measured:
    """scikit-learn's estimator alone, on items that all have labels."""
    import selftraining

    return selftraining.plain(place, config)


@dataclass(frozen=True)
class Row:
    """What is measured, by which config and how, and what it is held against: nats per character, or what else the row
    measures, and whose they are.

    `needs` is a folder below that of `CHARRNN_DATA` without which it cannot be measured: nobody offers what is in it.

    `against` names another row; without it and `reference` the measuring may bring a reference of its own.
    """

    title: str
    config: str
    how: Callable[[Place, str], Measured] = measure.trained
    reference: float | None = None
    source: str = "—"
    against: str | None = None
    needs: str | None = None


NGRAM = "n-gram, interpolated Kneser–Ney, same text and split"
TRAINING = "course of 2016, training"
VALIDATION = "course of 2018, validation"
LESSON = "course of 2016, lesson 4"
MOVIELENS = "movielens-latest-small-2016"
LINEAR = "logistic regression over TF-IDF of characters"
ROWS = {
    "L1": Row(
        "three characters, then the fourth", "configs/course/l1-three-characters.yaml", measure.trained, 2.972, TRAINING
    ),
    "L2": Row("eight characters, then the ninth", "configs/course/l2-recurrent.yaml", measure.trained, 1.642, TRAINING),
    "L3": Row(
        "a prediction after every character", "configs/course/l3-sequence.yaml", measure.trained, 1.726, TRAINING
    ),
    "L4": Row("L3 with one-hot input", "configs/course/l4-one-hot.yaml", measure.trained, 1.741, TRAINING),
    "L5": Row("GRU, one-hot input", "configs/course/l5-gru.yaml", measure.trained, 1.692, TRAINING),
    "L6": Row(
        "stateful LSTM, lanes of 8 characters at a time",
        "configs/course/l6-stateful.yaml",
        measure.trained,
        1.688,
        TRAINING,
    ),
    "L6-broken": Row(
        "the same on rows that jump over text at every carry",
        "configs/course/l6-stateful.yaml",
        measure.broken,
        source="L6, in true lanes",
        against="L6",
    ),
    "L6-batchnorm": Row(
        "L6, BatchNorm on the embedding, the mean of three seeds",
        "configs/course/l6-stateful.yaml",
        measure.over_seeds("model.input.batchnorm", ("with BatchNorm", "without BatchNorm")),
    ),
    "L6-2018": Row(
        "stateful LSTM 256, the same text and split", "configs/nietzsche-lstm.yaml", measure.trained, 1.358, VALIDATION
    ),
    "L6-find-lr": Row(
        "L6-2018 at the rate that `charrnn find-lr` suggests",
        "configs/nietzsche-lstm.yaml",
        measure.at_suggested_rate,
        source="L6-2018, its rate tuned by hand",
        against="L6-2018",
    ),
    "L6-tune": Row(
        "L6-2018 for two epochs, the best of a search by two processes",
        "configs/craft/tune-nietzsche.yaml",
        measure.searched,
    ),
    "LN-LSTM": Row(
        "LSTM 256 with LayerNorm inside the cell", "configs/course/ln-lstm.yaml", source="L6-2018", against="L6-2018"
    ),
    "L7": Row(
        "two stateful LSTMs of 512, dense layer, BatchNorm on the embedding",
        "configs/course/l7-stacked.yaml",
        measure.trained,
        1.263,
        VALIDATION,
    ),
    "L7-plain": Row("the same without BatchNorm", "configs/course/l7-plain.yaml", measure.trained, 1.263, VALIDATION),
    "L11": Row(NGRAM, "configs/nietzsche-lstm.yaml", measure.ngrams),
    "L8-rnn": Row(
        "NumPy by hand: recurrent network, one sequence at a time",
        "configs/course/l8-scratch-rnn.yaml",
        measure.trained,
        1.808,
        TRAINING,
    ),
    "L8-gru": Row("NumPy by hand: GRU", "configs/course/l8-scratch-gru.yaml", measure.trained, 2.01, TRAINING),
    "L8-lstm": Row("NumPy by hand: LSTM", "configs/course/l8-scratch-lstm.yaml"),
    "L9-elman": Row(
        "Elman's network feeds back its hidden state",
        "configs/course/l9-elman.yaml",
        measure.trained,
        1.482,
        VALIDATION,
    ),
    "L9-jordan": Row(
        "Jordan's network feeds back its output", "configs/course/l9-jordan.yaml", source="L9-elman", against="L9-elman"
    ),
    "L10-mingru": Row(
        "minGRU, tiny-shakespeare, first 90 % / last 10 %",
        "configs/course/l10-mingru.yaml",
        measure.trained,
        1.548,
        "the paper's network, test",
    ),
    "L10-minlstm": Row(
        "minLSTM, the same text and split",
        "configs/course/l10-minlstm.yaml",
        measure.trained,
        1.555,
        "the paper's network, test",
    ),
    "tiny": Row(
        "LSTM 384, the same text and split",
        "configs/shakespeare-lstm.yaml",
        measure.trained,
        1.4697,
        "nanoGPT, 10.65 M parameters, validation",
    ),
    "tiny-dynamic": Row(
        "the same, adapting to what it reads (dynamic evaluation)", "configs/shakespeare-lstm.yaml", measure.adapting
    ),
    "demo": Row("small stateful LSTM, Python's language reference (`make demo`)", "configs/demo.yaml"),
    "demo-L11": Row(NGRAM, "configs/demo.yaml", measure.ngrams),
    "E1": Row(
        "ratings: products of vectors",
        "configs/course/e1-dot.yaml",
        measure.masks,
        1.446,
        f"MSE, {LESSON}",
        needs=MOVIELENS,
    ),
    "E2": Row(
        "products and biases", "configs/course/e2-biases.yaml", measure.masks, 0.798, f"MSE, {LESSON}", needs=MOVIELENS
    ),
    "E3": Row(
        "a network over the two vectors",
        "configs/course/e3-network.yaml",
        measure.masks,
        0.794,
        f"MSE, {LESSON}",
        needs=MOVIELENS,
    ),
    "E-best": Row(
        "biases and the histories of users and items",
        "configs/movielens.yaml",
        measure.masks,
        0.8777,
        "RMSE, item k-NN over baselines, the same masks",
        needs=MOVIELENS,
    ),
    "mnist-rows": Row(
        "MNIST, rows as a sequence, read from both ends",
        "configs/classify/mnist-rows.yaml",
        labels.seeds,
        0.99,
        "what such a network should reach",
    ),
    "names-linear": Row(
        f"names of persons by language, 18 labels: {LINEAR}",
        "configs/classify/names.yaml",
        estimator,
        needs="names-by-language",
    ),
    "names": Row(
        "the same names: recurrent network over characters, read from both ends",
        "configs/classify/names.yaml",
        labels.seeds,
        source="names-linear",
        against="names-linear",
        needs="names-by-language",
    ),
    "sms-linear": Row(
        f"messages, spam or not: {LINEAR}", "configs/classify/sms-spam.yaml", estimator, needs="sms-spam"
    ),
    "sms": Row(
        "the same messages: recurrent network over characters, read from both ends",
        "configs/classify/sms-spam.yaml",
        labels.seeds,
        source="sms-linear",
        against="sms-linear",
        needs="sms-spam",
    ),
    "reviews": Row(
        "sentences of film reviews, liked or not: convolution over words, 10-fold cross-validation",
        "configs/classify/reviews.yaml",
        labels.folds,
        0.761,
        "CNN-rand, Kim 2014, 10-fold as well",
        needs="rt-polarity",
    ),
    "reviews-recurrent": Row(
        "the same folds: recurrent network over words, read from both ends",
        "configs/classify/reviews-recurrent.yaml",
        labels.folds,
        source="reviews, the convolution",
        against="reviews",
        needs="rt-polarity",
    ),
    "P2-mnist": Row(
        "MNIST, 1,000 labels: pseudo-labels for the rest of the training set",
        "configs/pseudo/mnist-1000.yaml",
        rounds.labelled,
    ),
    "P2-sms": Row(
        "messages, 100 labels: pseudo-labels for the rest of the training set",
        "configs/pseudo/sms-100.yaml",
        rounds.labelled,
        needs="sms-spam",
    ),
    "P2-mnist-sklearn": Row(
        "MNIST, 1,000 labels: scikit-learn's self-training, a dense network over pixels",
        "configs/pseudo/mnist-1000.yaml",
        self_training,
    ),
    "P2-sms-sklearn": Row(
        f"messages, 100 labels: scikit-learn's self-training, {LINEAR}",
        "configs/pseudo/sms-100.yaml",
        self_training,
        needs="sms-spam",
    ),
    "P2-mnist-course": Row(
        "MNIST, all labels, and the test pictures with pseudo-labels (transductive, as the course did: no headline)",
        "configs/pseudo/mnist-course.yaml",
        rounds.labelled,
    ),
    "P2-ratings": Row(
        "pairs that nobody has rated, rated by three models that agree",
        "configs/pseudo/ratings.yaml",
        rounds.rated,
        needs=MOVIELENS,
    ),
    "P5": Row(
        "LSTM 112 learns what LSTM 256, the row demo, predicts of their text",
        "configs/pseudo/distil-large.yaml",
        rounds.distilled,
    ),
    "E4": Row(
        "word vectors: skip-gram on the shared texts joined",
        "configs/vectors/skip-gram.yaml",
        wordsim.measured,
        needs="word-vectors",
    ),
    "E4-cbow": Row(
        "word vectors: CBOW, the same texts", "configs/vectors/cbow.yaml", wordsim.measured, needs="word-vectors"
    ),
    "anomalies": Row(
        "foreign lines in a service's log, by `charrnn score`", "configs/craft/logs.yaml", anomalies.found
    ),
}
