"""Floor 0: every error that a user can cause, each class with its own exit code.

The exit codes are part of the interface (README, "Exit codes"): scripts may rely on them. Anything that is not a
`CharRnnError` is a bug in charrnn and ends with exit code 1 and a traceback.
"""

from __future__ import annotations

import signal


class CharRnnError(Exception):
    """What went wrong, where, why, and what to try.

    Args:
        what: one sentence that states the problem; it may span lines when several problems are reported at once.
        where: a place the user can go to: `file:line:column`, a folder, an option.
        why: the cause, where it is known and not already said.
        hint: what to try next.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, why: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.why = why
        self.hint = hint
        self.told = False
        """Whether it happened in another process of this run, which says it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.__dict__)

    def block(self) -> str:
        """The error as the block of text that the command line prints on standard error."""
        lines = [f"error: {self.what}"]
        for label, text in (("where", self.where), ("why", self.why), ("try", self.hint)):
            if text:
                body = text.replace("\n", "\n         ")
                lines.append(f"  {label + ':':<6} {body}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """The error as a JSON object, for `--json`."""
        fields = {"what": self.what, "where": self.where, "why": self.why, "try": self.hint}
        return {
            "error": {"exit_code": self.exit_code, **{k: v for k, v in fields.items() if v}},
        }


def _again(kind: type[CharRnnError], fields: dict[str, object]) -> CharRnnError:
    """A copy of an error that came from another process."""
    error = kind.__new__(kind)
    error.args = (fields["what"],)
    vars(error).update(fields)
    return error


class UsageError(CharRnnError):
    """The command cannot be carried out as typed: options, run folders, locks, devices, missing extras."""

    exit_code = 2


class ConfigError(UsageError):
    """One or more keys of a config are wrong; `what` holds a line for each."""


class LockedError(UsageError):
    """Another process owns the run folder."""


class MissingExtraError(UsageError):
    """An optional package is needed; the hint holds the line that installs it."""


class DeviceError(UsageError):
    """The device that was asked for does not exist on this machine."""


class DataError(CharRnnError):
    """A source, a download, a checksum, a corpus or a vocabulary is not usable."""

    exit_code = 3


class CheckpointError(CharRnnError):
    """A checkpoint is missing, damaged, or does not fit what is asked of it."""

    exit_code = 4


class DivergedError(CharRnnError):
    """The loss or a gradient is not finite."""

    exit_code = 5


class OutOfMemoryError(CharRnnError):
    """The device or the machine has too little memory for this configuration."""

    exit_code = 6


class StorageError(CharRnnError):
    """A file could not be written: disk full, quota, permission, read-only."""

    exit_code = 7


class DiskFullError(StorageError):
    """There is no room: the disk is full, or a quota is used up. Waiting, or deleting something, may help."""


class PeerError(CharRnnError):
    """Another process of the same run has died, or does not answer."""

    exit_code = 8


class Interrupted(CharRnnError):
    """A signal asked the program to stop; 130 for Ctrl-C and 143 for SIGTERM, as shells and schedulers expect."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        self.step: int | None = None
        """The step that was saved; None where no training was under way."""


class JobEnds(Interrupted):
    """The scheduler's time for the job is nearly up; to whoever waits for the program it is a SIGTERM."""

    def __init__(self, why: str) -> None:
        super().__init__(signal.SIGTERM)
        self.what = "stopped before the job's time is up"
        self.why = why
