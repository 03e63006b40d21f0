"""Texts, tables and pictures that have a name: known files, and a text that every Python installation carries."""

from __future__ import annotations

import gzip
import os
import platform
import zlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.text.blocks import SourceFile, read_errors

_REFERENCE = "builtin:python-reference"


@dataclass(frozen=True)
class Known:
    """A public text.

    Attributes:
        url: where it is downloaded from; None where nobody offers this very file by itself any more.
        sha256: the digest of its bytes.
        places: where it may lie below the folder that `CHARRNN_DATA` names.
        how: what a user does to get it, where there is no `url`.
        content: the digest of what is in it, where it is packed: below `CHARRNN_DATA` any packing of that will do.
    """

    url: str | None
    sha256: str
    places: tuple[str, ...]
    how: str = ""
    content: str | None = None

    def at_hand(self) -> Path | None:
        """The file below the folder that the environment variable `CHARRNN_DATA` names, if it is there; what is in a
        packed one is not looked at.

        Raises:
            DataError: a file is there, and it is another one.
        """
        folder = os.environ.get("CHARRNN_DATA")
        for path in (Path(folder).expanduser() / place for place in self.places) if folder else ():
            if path.is_file():
                if self.content is None:
                    with read_errors(path):
                        found = digest.of_file(path)
                    if found != self.sha256:
                        raise self._another(path, f"its sha256 is {found}, that of the text is {self.sha256}")
                return path
        return None

    def unpacked(self, path: Path) -> bytes:
        """What is in the file at `path`, gzip or not, which is the same on every machine.

        Raises:
            DataError: it is another file, or it is damaged.
        """
        try:
            with read_errors(path):
                data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._another(path, str(error)) from error
        found = digest.of_bytes(data)
        if found != self.content:
            raise self._another(path, f"the sha256 of what is in it is {found}, and should be {self.content}")
        return data

    def _another(self, path: Path, why: str) -> DataError:
        return DataError(
            "this file is not the known one that its name says",
            where=path,
            why=why,
            hint="remove it, or unset CHARRNN_DATA to download it" if self.url else self.how,
        )


_MOVIELENS = "movielens-latest-small-2016"
_HOW = (
    "GroupLens keeps only the newest edition of ml-latest-small at its address. If you have that of October 2016 "
    "(100,004 ratings; the course's ml-latest-small.zip), unpack its ratings.csv and movies.csv into "
    f"$CHARRNN_DATA/{_MOVIELENS}/. With the newest one name the file itself: corpus.source: ml-latest-small/ratings.csv"
)

KNOWN = {
    "named:nietzsche": Known(
        "https://s3.amazonaws.com/text-datasets/nietzsche.txt",
        "23cf69874ab69d3d256099ab530ea4be24d47d9675b673bcc67cbcd6298ec647",
        ("nietzsche/nietzsche.txt", "nietzsche.txt"),
    ),
    "named:tiny-shakespeare": Known(
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ("tinyshakespeare/input.txt", "tiny-shakespeare.txt"),
    ),
    f"named:{_MOVIELENS}": Known(
        None,
        "821795331fd974bbe7a8416f2a7eec2b548a485dedb47a073580b0a9a8a0a8d2",
        (f"{_MOVIELENS}/ratings.csv",),
        _HOW,
    ),
    f"named:{_MOVIELENS}/movies": Known(
        None,
        "a87480009b75ecd8d1e8f70700c534b6aefd57eed31b087ce8268ef6061a166c",
        (f"{_MOVIELENS}/movies.csv",),
        _HOW,
    ),
}

_MNIST = {
    "named:mnist/train-images": (
        "train-images-idx3-ubyte",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "named:mnist/train-labels": (
        "train-labels-idx1-ubyte",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "named:mnist/test-images": (
        "t10k-images-idx3-ubyte",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "named:mnist/test-labels": (
        "t10k-labels-idx1-ubyte",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
KNOWN |= {
    name: Known(
        f"https://storage.googleapis.com/cvdf-datasets/mnist/{file}.gz",
        packed,
        (f"mnist/{file}.gz", f"mnist/{file}"),
        content=content,
    )
    for name, (file, packed, content) in _MNIST.items()
}


@dataclass(frozen=True)
class KnownFiles:
    """Public files that belong together and that nobody offers one by one; what they hold is not checked.

    Attributes:
        pattern: where they lie below the folder that `CHARRNN_DATA` names.
        how: what a user does to get them.
    """

    pattern: str
    how: str


_ZIP = "https://download.pytorch.org/tutorial/data.zip"
_REVIEWS = "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz"
_SMS = "https://archive.ics.uci.edu/dataset/228/sms+spam+collection"
FILES = {
    "named:names-by-language": KnownFiles(
        "names-by-language/*.txt", f"unpack data/names/*.txt of {_ZIP} into $CHARRNN_DATA/names-by-language/"
    ),
    "named:rt-polarity": KnownFiles(
        "rt-polarity/rt-polarity.*",
        f"unpack {_REVIEWS}, and put both, as UTF-8, into $CHARRNN_DATA/rt-polarity/",
    ),
    "named:sms-spam": KnownFiles(
        "sms-spam/SMSSpamCollection", f"get SMSSpamCollection from {_SMS}, and put it into $CHARRNN_DATA/sms-spam/"
    ),
}


def known_files(source: str) -> tuple[Path, str] | None:
    """The folder that `CHARRNN_DATA` names, and the pattern of the files that `source` (`named:…`) names there; None
    where the name is that of a single file, or of none.

    Raises:
        DataError: they are not there.
    """
    if source not in FILES:
        return None
    folder = os.environ.get("CHARRNN_DATA")
    if not folder or not any(Path(folder).expanduser().glob(FILES[source].pattern)):
        raise DataError(
            f"the files of {source} are not at hand",
            where=folder or "the environment variable CHARRNN_DATA is not set",
            hint=FILES[source].how,
        )
    return Path(folder).expanduser(), FILES[source].pattern


def known(source: str) -> Known:
    """The public text that `source` (`named:…`) names.

    Raises:
        DataError: there is none of this name.
    """
    if source == "named:mnist":
        raise DataError("this name is that of a set of pictures", where=source, hint="set corpus.kind: images")
    if source not in KNOWN:
        raise _no_such(source, [*KNOWN, *FILES])
    return KNOWN[source]


def builtin(source: str) -> SourceFile:
    """The text that `source` (`builtin:…`) names; it differs from one Python version to the next.

    Raises:
        DataError: there is none of this name, or this Python was installed without it.
    """
    if source != _REFERENCE:
        raise _no_such(source, [_REFERENCE])
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python was installed without the text of its language reference",
            where=source,
            why=str(error),
            hint="install the complete standard library, or choose another corpus.source",
        ) from error
    version = ".".join(platform.python_version_tuple()[:2])
    text = "\n".join(topics[name].strip("\n") + "\n" for name in sorted(topics))
    return SourceFile(f"{source} (Python {version})", text.encode("utf-8"))


def _no_such(source: str, names: list[str]) -> DataError:
    close = get_close_matches(source, names, n=1, cutoff=0.5)
    return DataError(
        f"there is no text named {source!r}",
        why=f"known: {', '.join(names)}",
        hint=f"did you mean {close[0]}?" if close else None,
    )
