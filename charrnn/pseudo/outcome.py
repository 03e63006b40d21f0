"""What came of the rounds: the last figures of each seed beside those of its control, and all seeds together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn.files.atomic import write_json
from charrnn.pseudo.compare import relative_change, spread
from charrnn.pseudo.labeller import Labeller, Record
from charrnn.pseudo.opening import RESULT
from charrnn.pseudo.stage import read_manifest
from charrnn.pseudo.training import Model, Trainer


def seed_outcome(folder: Path, rounds: Record, trainer: Trainer, labeller: Labeller) -> Record:
    """The rounds of a seed with their last figures, which are written into its folder; those that are there stand.

    Args:
        folder: that of the seed.
        rounds: see `Rounds.run`.
        trainer: finds the models.
        labeller: measures them.
    """
    split, path, world = labeller.report, folder / RESULT, trainer.world
    former = world.first_does(lambda: read_manifest(path) if path.is_file() else None)
    if former is not None and former.get("report") == split:
        return former
    trainer.say(f"seed {rounds['seed']}: measuring on the {split} split")
    back = Model.of(rounds["rounds"][rounds["handed_back"]]["student"])
    control = Model.of(rounds["control"]["student"])
    measured = {name: labeller.measure(trainer.open(m), split) for name, m in (("back", back), ("control", control))}
    tuned = rounds["finetune"]
    result = {
        **rounds,
        "report": split,
        "figures": measured["back"],
        "control_figures": measured["control"],
        "relative_error_change": relative_change(*(labeller.error(measured[name]) for name in ("back", "control"))),
        **labeller.paired(trainer.open(control), trainer.open(back), split),
        "finetune_figures": None
        if tuned is None
        else labeller.measure(trainer.open(Model.of(tuned["student"])), split),
    }
    world.first_does(lambda: write_json(path, result))
    return result


def outcome(name: str, trainer: Trainer, labeller: Labeller, seeds: Sequence[Record]) -> dict[str, Any]:
    """All that a report tells, as JSON values.

    Args:
        name: that of the config.
        trainer: knows the settings.
        labeller: knows the data.
        seeds: what `seed_outcome` says of each.
    """
    settings = trainer.settings
    tuned = [seed["finetune_figures"] for seed in seeds if seed["finetune_figures"] is not None]
    return {
        "config": name,
        "task": trainer.loaded.config.task,
        "report": labeller.report,
        "transductive": labeller.transductive,
        "headline": not labeller.transductive and labeller.report == "test",
        "settings": settings.model_dump(mode="json"),
        "data": {"corpus_digest": labeller.digest, **labeller.about},
        "over_seeds": {
            "error": spread([labeller.error(seed["figures"]) for seed in seeds]),
            "control_error": spread([labeller.error(seed["control_figures"]) for seed in seeds]),
            "relative_error_change": spread([seed["relative_error_change"] for seed in seeds]),
            "finetune_error": spread([labeller.error(figures) for figures in tuned]) if tuned else None,
        },
        "seeds": list(seeds),
    }
