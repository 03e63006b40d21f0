"""The samples that are drawn side by side, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.config.schema import Sample
from charrnn.runs.use import OpenModel
from charrnn.serve.tickets import Ticket


class Batch:
    """Streams of a model, each of which belongs to a ticket.

    Args:
        model: the model.
    """

    def __init__(self, model: OpenModel) -> None:
        self._model = model
        self._streams = model.streams()
        self._owners: dict[int, tuple[Ticket, int]] = {}

    def __len__(self) -> int:
        """How many samples have not ended."""
        return len(self._streams)

    def add(self, ticket: Ticket, prompt: Sequence[int], options: Sample, count: int) -> None:
        """Let the samples 0 to `count` − 1 of a ticket join.

        Raises:
            UsageError: the vocabulary cannot do what is asked for.
        """
        names = self._streams.add(prompt, options, range(count))
        self._owners |= {name: (ticket, sample) for sample, name in enumerate(names)}

    def drop(self, ticket: Ticket) -> None:
        """Let the samples of a ticket leave."""
        for name in [name for name, (owner, _) in self._owners.items() if owner is ticket]:
            self._streams.drop(name)
            del self._owners[name]

    def step(self) -> bool:
        """Draw a symbol of every sample, and tell it; whether one has ended."""
        ended: list[Ticket] = []
        for drawn in self._streams.step():
            ticket, sample = self._owners[drawn.stream]
            ticket.draw(sample, drawn)
            if drawn.ended is not None:
                del self._owners[drawn.stream]
                ended.append(ticket)
        if ended:
            left = {id(ticket) for ticket, _ in self._owners.values()}
            for ticket in dict.fromkeys(ended):
                if id(ticket) not in left:
                    ticket.finish()
        return bool(ended)

    def fail(self, error: Exception) -> None:
        """End all samples with an error."""
        tickets = dict.fromkeys(ticket for ticket, _ in self._owners.values())
        self._owners.clear()
        self._streams = self._model.streams()
        for ticket in tickets:
            ticket.fail(error)
