"""What bytes that are not the text they were said to be look like."""

from __future__ import annotations

import codecs

_SAMPLE = 1 << 16
_OTHERS = "set corpus.encoding to the encoding of the file, or corpus.errors: replace, or corpus.unit: byte"
_BINARY = "looks like a binary file: set corpus.unit: byte if these bytes are what is meant"


def hint(data: bytes, encoding: str) -> str:
    """What to try with `data`, the bytes from the beginning of a block that are not `encoding`."""
    sample = data[:_SAMPLE]
    guess = _wide(sample)
    if guess is None and b"\0" in sample:
        return _BINARY
    if guess is None and _decodes(sample, "cp1252"):
        guess = "cp1252"
    if guess is None or codecs.lookup(guess).name == codecs.lookup(encoding).name:
        return _OTHERS
    return f"looks like {guess}: set corpus.encoding: {guess}"


def _wide(sample: bytes) -> str | None:
    """The encoding of two or four bytes per character that shows in marks or in the pattern of zero bytes."""
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    few, many = sorted((even, odd))
    if many * 5 > len(sample) and few * 20 < many:
        name = "utf-16-be" if even > odd else "utf-16-le"
        return name if _decodes(sample, name) else None
    return None


def _decodes(sample: bytes, encoding: str) -> bool:
    """Whether `sample`, whose end may cut a character, is well-formed."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True
