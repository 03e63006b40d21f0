from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lab import Lab

from charrnn.config.schema import ClassifyConfig, Config, LanguageConfig
from charrnn.errors import ConfigError
from charrnn.runs.plan import Plan, make_plan
from charrnn.runs.stepping import obstacle, say_step, with_step


def config_of(**train: Any) -> LanguageConfig:
    return LanguageConfig.model_validate({"corpus": {"source": "x"}, "train": {"device": "cpu"} | train})


def plan_of(config: Config, device: str = "cuda:0", **keys: Any) -> Plan:
    """As for a CUDA device, whatever there is here."""
    return replace(make_plan(config.train), device=device, **keys)


def planned(config: Config, **keys: Any) -> str:
    return with_step(plan_of(config, **keys), config).step


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("step", ["auto", "graph"])
def test_updates_are_graphs_on_cuda(kind: str, step: str) -> None:
    assert planned(config_of(optimizer={"kind": kind}, step=step)) == "graph"


def test_they_are_none_where_the_config_says_so_or_on_a_cpu() -> None:
    assert planned(config_of(step="eager")) == "eager"
    assert planned(config_of(), device="cpu") == "eager"


@pytest.mark.parametrize(
    ("train", "keys", "why"),
    [
        ({}, {"device": "cpu"}, "computes on `cpu`"),
        ({}, {"processes": 2}, "several processes"),
        ({"optimizer": {"kind": "eve"}}, {}, "kind: eve"),
        ({"optimizer": {"kind": "rmsprop"}}, {}, "kind: rmsprop"),
        ({"optimizer": {"kind": "adagrad"}}, {}, "kind: adagrad"),
        ({"average": {"kind": "ema"}}, {}, "train.average"),
        ({"scheduled_sampling": {"kind": "linear"}}, {}, "scheduled_sampling"),
    ],
)
def test_what_stands_in_the_way_is_told_and_refused_where_graphs_are_insisted_on(
    train: dict[str, Any], keys: dict[str, Any], why: str
) -> None:
    config = config_of(**train)
    assert why in (obstacle(plan_of(config, **keys), config) or "")
    assert planned(config, **keys) == "eager"
    insisting = config_of(step="graph", **train)
    with pytest.raises(ConfigError, match="updates cannot be graphs here") as error:
        planned(insisting, **keys)
    assert error.value.where == "train.step"
    assert why in error.value.why


def test_other_tasks_have_batches_of_no_lasting_form() -> None:
    config = ClassifyConfig.model_validate({"task": "classify", "corpus": {"source": "x"}, "train": {"device": "cpu"}})
    assert planned(config) == "eager"
    assert "task: classify" in (obstacle(plan_of(config), config) or "")


def test_what_is_said_names_the_reason_the_tokens_and_what_was_before() -> None:
    config = config_of()
    plan = with_step(plan_of(config, tokens="device"), config)
    assert say_step(plan, config, None) == "updates are graphs; the tokens of training lie on the device"
    assert say_step(plan, config, {"step": "graph"}) == say_step(plan, config, {})
    assert str(say_step(plan, config, {"step": "eager"})).endswith("; in the session before: eager")
    eager = config_of(step="eager")
    assert say_step(with_step(plan_of(eager), eager), eager, None) == (
        "updates are done one by one: `train.step` is `eager`; the tokens of training lie with the host"
    )
    assert say_step(plan_of(config, "cpu"), config, None) is None


def test_how_updates_are_done_takes_nothing_from_a_resumed_run_s_exactness() -> None:
    plan = plan_of(config_of(), step="graph", tokens="device")
    former = {"step": "eager", "tokens": "host", "device": "cuda:0"}
    assert plan.exactness(former) is None


def test_a_run_on_a_cpu_refuses_graphs_and_writes_down_what_it_does(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="cannot be graphs"):
        lab.train("run", "new", None, "train.step=graph", "train.device=cpu")
    assert not (lab.path / "run" / "checkpoints").exists()
    lab.train("run", "new", None, "train.max_steps=3")
    from charrnn.runs.folder import find_checkpoint

    plan = find_checkpoint(lab.path / "run", lab.path)[0].document("config")["plan"]
    assert (plan["step"], plan["tokens"]) == ("eager", "host")
