"""Signals where several processes share a run."""

from __future__ import annotations

import torch

from charrnn.errors import Interrupted
from charrnn.train.interrupt import Interrupt
from charrnn.train.world import World


class SharedInterrupt(Interrupt):
    """The signals that any process of a run has got: every look is a look of all processes, and all see the same.

    Args:
        own: what this process's handlers set.
        world: the processes.
    """

    def __init__(self, own: Interrupt, world: World) -> None:
        super().__init__()
        self._own, self._world = own, world
        self._save = False

    def check(self) -> None:
        """Raise `Interrupted` where a signal, or the end of the job, asks any of the processes to stop."""
        ending: Interrupted | None = None
        try:
            self._own.check()
        except Interrupted as stop:
            ending = stop
        wanted = torch.tensor([ending.signal_number if ending else 0, int(self._own.take_save() or self.save)])
        self.save = False
        number, save = self._world.highest(wanted).tolist()
        self._save |= bool(save)
        if number:
            self.stop = self._own.stop = number
            raise ending or Interrupted(number)

    def saved(self, seconds: float) -> None:
        """See `Interrupt.saved`."""
        self._own.saved(seconds)

    def take_save(self) -> bool:
        """Whether a checkpoint was asked for, as far as all processes know."""
        asked, self._save = self._save, False
        return asked
