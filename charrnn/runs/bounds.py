"""How much a run may come to keep: what it has recorded is read again when it goes on, and all validations are in every
checkpoint."""

from __future__ import annotations

from charrnn.config.schema import Config
from charrnn.errors import ConfigError

MOST_VALIDATIONS = 10_000
MOST_RECORDS = 1_000_000


def refuse_endless(config: Config, steps: int, steps_per_epoch: int) -> None:
    """Refuse a run of so many `steps` that would validate or record oftener than anybody looks.

    Raises:
        ConfigError: it would; the error says from which interval on it would not.
    """
    every = config.evaluate.every
    period = steps_per_epoch if every == "epoch" else every
    for key, interval, most, what in (
        ("evaluate.every", period, MOST_VALIDATIONS, "validations"),
        ("train.log_every", config.train.log_every, MOST_RECORDS, "records"),
    ):
        if steps // interval > most:
            raise ConfigError(
                f"{key} asks for {steps // interval:,} {what}, and a run keeps at most {most:,}",
                why=f"the run has {steps:,} steps",
                hint=f"set {key} to {-(-steps // most)} or more",
            )
