"""Untrained models in which every tensor matters, saved and opened as a run's checkpoint would be: for the exports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema import LanguageConfig
from charrnn.models.build import build_model
from charrnn.models.core import generator_for
from charrnn.runs.use import OpenModel, open_model
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.state import model_arrays

H = 8
CORES: dict[str, dict[str, Any]] = {
    "elman-tanh": {"kind": "elman"},
    "elman-relu": {"kind": "elman", "nonlinearity": "relu"},
    "jordan": {"kind": "jordan", "outputs": H, "hidden": 7},
    "window-tanh": {"kind": "window"},
    "window-relu": {"kind": "window", "nonlinearity": "relu"},
    "gru": {"kind": "gru"},
    "lstm": {"kind": "lstm"},
    "ln-lstm": {"kind": "ln-lstm"},
    "mingru": {"kind": "mingru"},
    "minlstm": {"kind": "minlstm"},
}
BODIES: dict[str, dict[str, Any]] = {
    "embedding": {"input": {"size": H}},
    "batchnorm-dense-tied": {"input": {"size": H, "batchnorm": True}, "head": {"hidden": [5, H], "tie": True}},
    "one-hot-dense": {"input": {"kind": "one-hot"}, "head": {"hidden": [5]}},
    "tied": {"input": {"size": H}, "head": {"tie": True}},
}
LETTERS = Vocabulary("char", (), tuple(" abcdefghij"))
CASES = [(core, body) for core in CORES for body in BODIES]


def network(core: str, body: str = "embedding", layers: int = 2) -> dict[str, Any]:
    """A `model:` section; what its state begins with is trained."""
    return {**BODIES[body], "core": {"hidden": H, "layers": layers, "initial_state": "trained", **CORES[core]}}


def saved(
    folder: Path, model: Mapping[str, Any], vocabulary: Vocabulary = LETTERS, scale: float = 1.0, **sections: Any
) -> OpenModel:
    """The model of a run in `folder`, whose config has these `sections` too; its weights are noise of this scale."""
    corpus = {"source": "text.txt", "unit": vocabulary.unit, **sections.pop("corpus", {})}
    config = LanguageConfig.model_validate({"corpus": corpus, "model": dict(model), **sections})
    built = build_model(config.model, vocabulary.size, 1, torch.float32).eval()
    noise = generator_for(4, "noise")
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise)).mul_(scale)
            if name.endswith("weight_hh"):
                parameter.mul_(0.6)  # so that what is fed back through a ReLU does not grow without end
        if getattr(config.model.input, "batchnorm", False):
            built.input.norm.running_mean.copy_(torch.randn(H, generator=noise))
            built.input.norm.running_var.copy_(0.05 + 2.0 * torch.rand(H, generator=noise))
    documents = {
        "config": {"config": config.model_dump(mode="json"), "corpus_digest": "0" * 64, "plan": {}},
        "vocabulary": vocabulary.to_json(),
    }
    write_checkpoint(folder / "checkpoints", 7, {"model": model_arrays(built)}, documents)
    (folder / "best").write_text("step-00000007")
    return open_model(folder / "checkpoints" / "step-00000007", folder)


def with_script(html: str, script: str) -> str:
    """A page that also does what `script` says, when it has loaded."""
    inside = script.replace("</", "<\\/")  # in a string of JavaScript that is the same
    return html.replace("</body>", f"<script>{inside}</script></body>")


def told_by(dom: str) -> Any:
    """What a script has put into the document by `document.body.dataset.told = JSON.stringify(…)`."""
    from html.parser import HTMLParser

    class Body(HTMLParser):
        told: str | None = None

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "body":
                self.told = dict(attrs).get("data-told")

    reader = Body()
    reader.feed(dom)
    assert reader.told is not None, "the script did not run"
    return json.loads(reader.told)
