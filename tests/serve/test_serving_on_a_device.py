"""The worker over a model on a device: clients share a burst, and get the texts that they would get from NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bursting import LETTERS, config_for, engines
from serving import Heard

from charrnn.runs.use import OpenModel
from charrnn.serve.bodies import SampleBody
from charrnn.serve.limits import Limits
from charrnn.serve.worker import Worker


def test_clients_of_a_device_get_the_texts_of_numpy() -> None:
    config = config_for({"kind": "gru"})
    in_numpy, on_device = (
        OpenModel(Path("none"), "a model", config, LETTERS, engine.network, engine.bursts) for engine in engines(config)
    )
    asked: list[dict[str, Any]] = [
        {"seed": "abc", "length": 300},
        {"seed": "d", "length": 70, "count": 3, "temperature": 1.7},
        {"length": 100, "require": ["gab"]},
        {"length": 20, "beam": 2},
        {"seed": "ef", "length": 200, "top_k": 4, "stop": ["a"]},
    ]
    bodies = [SampleBody.model_validate(one) for one in asked]
    worker = Worker(on_device, Limits(samples=4, streams=8))
    worker.start()
    heard = []
    for body in bodies:
        heard.append(Heard())
        worker.sample(heard[-1].ticket, body)
    for one, body in zip(heard, bodies, strict=True):
        expected = [""] * body.count
        for drawn in in_numpy.samples(in_numpy.options(body.given()), range(body.count)):
            expected[drawn.stream] += drawn.piece
        assert one.texts() == expected
    worker.stop()
    worker.join()
