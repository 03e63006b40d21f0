"""A teacher or a student, opened to be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import ClassifyConfig, LanguageConfig, RateConfig
from charrnn.contracts import Task
from charrnn.runs.plan import apply_plan, make_plan
from charrnn.runs.use import config_of
from charrnn.train.state import load_model

C = TypeVar("C", ClassifyConfig, RateConfig, LanguageConfig)


def opened(checkpoint: Checkpoint, ours: C, task_of: Callable[[C], Task]) -> tuple[nn.Module, torch.device]:
    """The model of a checkpoint, on its device and in evaluation mode.

    Args:
        checkpoint: its model may be larger or smaller than ours, or of another kind.
        ours: the config of the rounds, which says where to compute.
        task_of: the task over our data, by the checkpoint's own config.
    """
    config = config_of(checkpoint)
    assert isinstance(config, type(ours)), "a teacher of another task is refused"
    device = apply_plan(make_plan(ours.train, checkpoint.document("config")["plan"], training=False))
    model = task_of(config).model().to(device)
    load_model(model, checkpoint)
    return model.eval(), device
