"""What the documents of a checkpoint may hold, whoever wrote them: a manifest that fits proves nothing about that.

Forms only say what a key is where it is there; `Document` says which one is missing when it is asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

LARGEST_STEP = 10**18
_MOST_THREADS = 4096

Form = Callable[[Any], bool]


class Document(dict[str, Any]):
    """An object of JSON in a document; a key that it lacks is an error of ours.

    Args:
        pairs: its keys and values.
        lacks: makes the error for a missing key.

    Raises:
        ValueError: a key is there twice: two readers could take that for different things.
    """

    def __init__(self, pairs: Iterable[tuple[str, Any]], lacks: Callable[[str], Exception]) -> None:
        super().__init__()
        for key, value in pairs:
            if key in self:
                raise ValueError(f"the key {key[:60]!r} is there twice")
            self[key] = value
        self._lacks = lacks

    def __missing__(self, key: str) -> NoReturn:
        raise self._lacks(key)


def problem(name: str, value: Any) -> str | None:
    """What is wrong with the document of this name; None of one that is as it should be, or of no known form."""
    if name == "labels":
        return None if _texts(value) else "it is not a list of labels"
    forms = _FORMS.get(name)
    if forms is None:
        return None
    if not isinstance(value, dict):
        return "it is JSON, but not an object"
    wrong = next((key for key, form in forms.items() if key in value and not form(value[key])), None)
    return None if wrong is None else f"its `{wrong}` is not what stands there"


def no_constant(name: str) -> NoReturn:
    """Refuses NaN and the infinities, which are no JSON."""
    raise ValueError(f"{name} is not a number of JSON")


def count(value: Any) -> bool:
    """Whether a value is a whole number that can count something."""
    return type(value) is int and 0 <= value < LARGEST_STEP


def _number(value: Any) -> bool:
    # 1e999 is JSON, and infinite.
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < LARGEST_STEP)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _digest(value: Any) -> bool:
    return _text(value) and re.fullmatch("[0-9a-f]{1,64}", value) is not None


def _mapping(inside: Form) -> Form:
    return lambda value: isinstance(value, dict) and all(map(inside, value.values()))


def _keys(**forms: Form) -> Form:
    """An object that has at least these keys."""
    return lambda value: isinstance(value, dict) and all(key in value and forms[key](value[key]) for key in forms)


def _if_there(**forms: Form) -> Form:
    """An object that may have these keys."""
    return lambda value: isinstance(value, dict) and all(forms[key](value[key]) for key in forms if key in value)


def _or_none(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _history(value: Any) -> bool:
    form = _keys(step=count, loss=_number)
    return isinstance(value, list) and all(form(record) and _mapping(_figure)(record) for record in value)


def _figure(value: Any) -> bool:
    return isinstance(value, bool) or _number(value)


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


def _tally(value: Any) -> bool:
    return isinstance(value, dict) and all(key in _TALLY and _TALLY[key](value[key]) for key in value)


_TALLY: Mapping[str, Form] = {
    **dict.fromkeys(("sum", "grad_norms", "state_norms"), _number),
    **dict.fromkeys(("count", "steps", "skipped"), count),
    "parts": _mapping(_number),
    "beside": _mapping(_pair),
}


def _mixed(value: Any) -> bool:
    """Items from a file, or a text with or without a teacher."""
    text = _keys(corpus_digest=_digest, teacher=_or_none(_keys(checkpoint=_text, digest=_digest)))
    items = _if_there(file=_text, sha256=_digest)
    return text(value) or (items(value) and ("file" in value) == ("sha256" in value) and "teacher" not in value)


def _changes(value: Any) -> bool:
    form = _keys(step=count, key=_text, before=lambda before: True, now=lambda now: True)
    return isinstance(value, list) and all(map(form, value))


def _device(value: Any) -> bool:
    return _text(value) and re.fullmatch(r"(cpu|cuda)(:[0-9]{1,3})?", value) is not None


_FORMS: Mapping[str, Mapping[str, Form]] = {
    "train": {
        "step": count,
        "skipped": count,
        "rate_scale": lambda value: _number(value) and 0.0 < value <= 1.0,
        "averaged": count,
        "shift": lambda value: type(value) is int and abs(value) < LARGEST_STEP,
        "seed": lambda value: type(value) is int and 0 <= value < 2**63,
        "history": _history,
        "interval": _tally,
        "epoch": _tally,
        "ended": _or_none(_text),
        "records": _mapping(count),
    },
    "config": {
        "config": lambda value: isinstance(value, dict),
        "corpus_digest": _digest,
        "plan": _if_there(
            device=_device,
            threads=lambda value: count(value) and 1 <= value <= _MOST_THREADS,
            scan=_or_none(lambda value: value in ("loop", "tree", "kernel")),
        ),
        "mix": _mapping(_mixed),
        "pretrained": _keys(file=_text, sha256=_digest),
        "from": lambda value: isinstance(value, dict),
        "steps_per_epoch": lambda value: count(value) and value > 0,
        "changes": _changes,
    },
    "ids": {"users": _texts, "items": _texts},
}
