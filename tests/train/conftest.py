from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn.config.schema import LanguageConfig
from charrnn.corpus.prepare import prepare
from charrnn.models.core import State
from charrnn.tasks.language import LanguageTask
from charrnn.train.optim import build_optimizer
from charrnn.train.state import TrainState

TEXT = "".join(chr(97 + (i * i + i // 7) % 13) for i in range(900))


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., LanguageTask]:
    """A language task over a small text; keyword arguments are sections of the config."""

    def make(text: str = TEXT, **sections: Any) -> LanguageTask:
        source = tmp_path / "text.txt"
        source.write_text(text, encoding="utf-8")
        config = LanguageConfig.model_validate(
            {
                "corpus": {"source": str(source), "split": [0.7, 0.2, 0.1]},
                "stream": {"lanes": 4, "chunk": 10},
                "model": {"core": {"hidden": 8}, "input": {"size": 6}},
                "train": {"precision": "fp64", "max_steps": 20},
                "evaluate": {"lanes": 3, "chunk": 7},
            }
            | sections
        )
        corpus = prepare(config.corpus, base=tmp_path, corpora=tmp_path / "corpora").corpus
        return LanguageTask(config, corpus)

    return make


@pytest.fixture
def make_state() -> Callable[[LanguageTask], TrainState]:
    """A run at its very beginning."""

    def make(task: LanguageTask) -> TrainState:
        model = task.model()
        stream = task.stream("train")
        assert stream is not None
        lanes: State = task.initial_state(model, stream.rows)
        return TrainState(model, build_optimizer(task.config.train.optimizer, model), lanes, task.config.train.seed)

    return make
