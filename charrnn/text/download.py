"""Downloads that continue where they broke off and are proven by their SHA-256."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.files.atomic import make_folder, move
from charrnn.files.refusals import storage_errors
from charrnn.text.blocks import BLOCK, read_errors
from charrnn.text.watch import Watch

_SECONDS = 30.0
_URL = "!#$%&'()*+,/:;=?@[]~"
"""What stands for itself in a URL; letters that are not ASCII are quoted."""

_AGAIN = "run the same command again: it continues where this one stopped"
_BROKEN = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


def download(url: str, sha256: str, folder: Path, watch: Watch, seconds: float = _SECONDS) -> Path:
    """The file at `url`, in `folder` under a name that begins with its digest; fetched unless it is there already.

    Args:
        url: `https://…` or `http://…`.
        sha256: the digest that the file must have.
        folder: where it is kept; made if need be. What came of a broken download stays in it as `….part`.
        watch: told about every block.
        seconds: how long the server may be silent.

    Raises:
        DataError: no connection, an answer that is not the file, a broken download, another digest.
        StorageError: a write was refused.
    """
    target = folder / f"{sha256[:8]}-{file_name(url)}"
    with read_errors(target):
        if target.is_file() and digest.of_file(target) == sha256:
            return target
    make_folder(folder)
    part = target.with_name(target.name + ".part")
    found = digest.of_file(part) if part.is_file() else ""
    if found != sha256:
        _fetch(url, part, watch, seconds)
        found = digest.of_file(part)
    if found != sha256:
        part.unlink()
        raise DataError(
            "the download is not the file that was expected",
            where=url,
            why=f"its sha256 is {found}, expected is {sha256}",
            hint="check the address and corpus.sha256",
        )
    move(part, target)
    return target


def file_name(url: str) -> str:
    """The last part of a URL's path, in letters that every file system takes.

    Raises:
        DataError: this is no URL.
    """
    try:
        last = unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError as error:
        raise DataError("this is not a URL", where=url, why=str(error)) from error
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last)[-100:] or "download"


def _fetch(url: str, part: Path, watch: Watch, seconds: float) -> None:
    """Bring `part` to its full length, from what it holds already if the server can do that."""
    held = part.stat().st_size if part.is_file() else 0
    try:
        with _opened(url, held, seconds) as answer:
            _copy(answer, part, _start(answer, held), url, watch)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and held:
            with storage_errors(part):
                part.unlink()  # it is as long as the file or longer: only a fresh copy tells
            _fetch(url, part, watch, seconds)
            return
        raise DataError("the server refuses the download", where=url, why=f"{error.code} {error.reason}") from error
    except _BROKEN as error:
        reason = getattr(error, "reason", None) or error
        raise DataError("the download failed", where=url, why=str(reason), hint=_AGAIN) from error


def _opened(url: str, held: int, seconds: float) -> http.client.HTTPResponse:
    """The answer of the server; no address but one of HTTP is ever opened, redirected or not."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    headers = {"User-Agent": "charrnn", "Accept-Encoding": "identity"}
    if held:
        headers["Range"] = f"bytes={held}-"
    request = urllib.request.Request(quote(url, safe=_URL), headers=headers)
    answer: http.client.HTTPResponse = opener.open(request, timeout=seconds)
    return answer


def _start(answer: http.client.HTTPResponse, held: int) -> int:
    """Where in the file the answer begins: a server that knows no ranges sends all of it again."""
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    given = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", answer.headers.get("Content-Range", ""))
    if given is None or int(given[1]) != held:
        raise http.client.HTTPException("the server sent another part of the file than was asked for")
    return held


def _copy(answer: http.client.HTTPResponse, part: Path, start: int, url: str, watch: Watch) -> None:
    total = None if answer.length is None else start + answer.length
    done = start
    with storage_errors(part), part.open("ab" if start else "wb") as file:
        while block := answer.read(BLOCK):
            file.write(block)
            done += len(block)
            watch.block("download", done, total)
    if total is not None and done < total:
        raise DataError("the download broke off", where=url, why=f"{done:,} of {total:,} bytes came", hint=_AGAIN)
