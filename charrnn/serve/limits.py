"""What a request may ask for, and how a request is refused."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.errors import UsageError


class Refused(UsageError):
    """A request that is not carried out.

    Args:
        status: of the answer, as HTTP has it.
        what: as in every error; so are `where`, `why` and `hint`.
    """

    def __init__(
        self, status: int, what: str, *, where: object = None, why: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """The most that is done for one request, and for all of them.

    Attributes:
        length: symbols of a sample.
        samples: samples of a request; candidates of a search too.
        characters: of a text to score, or of a seed with all other texts of a request.
        streams: samples that are drawn side by side.
        waiting: requests that wait for their turn.
        body: bytes of a request.

    Raises:
        UsageError: a request of `samples` could never be drawn.
    """

    length: int = 10_000
    samples: int = 64
    characters: int = 50_000
    streams: int = 256
    waiting: int = 64
    body: int = 1 << 20

    def __post_init__(self) -> None:
        if self.samples > self.streams:
            raise UsageError(
                f"a request of {self.samples} samples would wait for ever: {self.streams} are drawn at a time",
                hint="raise --max-streams, or lower --max-samples",
            )

    def refuse_length(self, length: int) -> None:
        """Raise where a sample would be too long."""
        _refuse_above(length, self.length, "symbols of a sample", "length")

    def refuse_samples(self, count: int, field: str) -> None:
        """Raise where a request is for too many samples, or a search has too many candidates."""
        _refuse_above(count, self.samples, "samples of a request", field)

    def refuse_characters(self, count: int, field: str) -> None:
        """Raise where the texts of a request are too long."""
        _refuse_above(count, self.characters, "characters of the texts of a request", field)


def _refuse_above(given: int, most: int, what: str, field: str) -> None:
    if given > most:
        raise Refused(413, f"{given:,} is more than this server does: {most:,} {what}", where=field)
