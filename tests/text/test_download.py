"""Downloads, from a server on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from charrnn.errors import DataError, StorageError
from charrnn.text.blocks import BLOCK
from charrnn.text.download import download, file_name
from charrnn.text.watch import Watch

BODY = bytes(range(256)) * 8192 + b"the end"
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY; the attributes say how."""

    ranges = True
    cut_at: int | None = None
    shift = 0
    redirect = ""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, name: str = "book.txt") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/texts/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if "missing" in self.path:
            self.send_error(404)
        elif "away" in self.path:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
        elif start >= len(BODY):
            self.send_error(416)
        else:
            start += server.shift
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(BODY) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
            self.end_headers()
            self.wfile.write(BODY[start : server.cut_at])

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def failure(url: str, folder: Path, digest: str = DIGEST) -> DataError:
    with pytest.raises(DataError) as caught:
        download(url, digest, folder, Watch(), seconds=5.0)
    assert caught.value.exit_code == 3
    assert caught.value.where == url
    return caught.value


def test_a_download_is_complete_and_made_once(server: Server, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    path = download(server.url(), DIGEST, tmp_path / "downloads", Watch(lambda *block: heard.append(block)))
    assert path == tmp_path / "downloads" / f"{DIGEST[:8]}-book.txt"
    assert path.read_bytes() == BODY
    assert heard == [("download", done, len(BODY)) for done in (BLOCK, 2 * BLOCK, len(BODY))]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert download(server.url(), DIGEST, tmp_path / "downloads", Watch()) == path
    assert server.asked == [None]
    path.write_bytes(b"damaged")
    assert download(server.url(), DIGEST, tmp_path / "downloads", Watch()).read_bytes() == BODY


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_continued(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.cut_at, server.ranges = 5000, ranges
    error = failure(server.url(), tmp_path)
    assert error.hint is not None
    assert "it continues where this one stopped" in error.hint
    assert [(path.suffix, path.stat().st_size) for path in tmp_path.iterdir()] == [(".part", 5000)]
    server.cut_at = None
    heard: list[int] = []
    path = download(server.url(), DIGEST, tmp_path, Watch(lambda label, done, total: heard.append(done)))
    assert path.read_bytes() == BODY
    assert server.asked == [None, "bytes=5000-"]
    assert heard[0] == (5000 + BLOCK if ranges else BLOCK)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_stopped_download_is_continued(server: Server, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url(), DIGEST, tmp_path, Watch(check=stop))
    assert download(server.url(), DIGEST, tmp_path, Watch()).read_bytes() == BODY
    assert server.asked == [None, f"bytes={BLOCK}-"]


def test_a_download_that_only_lacked_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{DIGEST[:8]}-book.txt.part").write_bytes(BODY)
    assert download(server.url(), DIGEST, tmp_path, Watch()).read_bytes() == BODY
    assert server.asked == []


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{DIGEST[:8]}-book.txt.part").write_bytes(BODY + b"more")
    assert download(server.url(), DIGEST, tmp_path, Watch()).read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY) + 4}-", None]


def test_a_server_that_sends_another_part(server: Server, tmp_path: Path) -> None:
    (tmp_path / f"{DIGEST[:8]}-book.txt.part").write_bytes(BODY[:100])
    server.shift = 7
    why = failure(server.url(), tmp_path).why
    assert why is not None
    assert "another part of the file" in why


def test_another_file_is_not_kept(server: Server, tmp_path: Path) -> None:
    error = failure(server.url(), tmp_path, "0" * 64)
    assert error.what == "the download is not the file that was expected"
    assert error.why == f"its sha256 is {DIGEST}, expected is {'0' * 64}"
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_not_there(server: Server, tmp_path: Path) -> None:
    error = failure(server.url("missing.txt"), tmp_path)
    assert (error.what, error.why) == ("the server refuses the download", "404 Not Found")


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{taken.getsockname()[1]}/book.txt", tmp_path)
    assert error.what == "the download failed"
    assert error.why is not None
    assert "refused" in error.why


def test_a_server_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/book.txt"
        with pytest.raises(DataError, match="the download failed") as caught:
            download(url, DIGEST, tmp_path, Watch(), seconds=0.1)
    assert caught.value.why == "timed out"
    assert time.monotonic() - started < 3


def test_redirections_stay_within_http(server: Server, tmp_path: Path) -> None:
    server.redirect = server.url()
    assert download(server.url("away.txt"), DIGEST, tmp_path, Watch()).read_bytes() == BODY
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    for place in (secret.as_uri(), "ftp://127.0.0.1/book.txt", "data:text/plain,x"):
        server.redirect = place
        failure(server.url("away-2.txt"), tmp_path)
        failure(place, tmp_path)  # nor is another scheme opened when it is asked for


def test_a_url_that_is_none(tmp_path: Path) -> None:
    assert failure("http://[broken/book.txt", tmp_path).what == "this is not a URL"
    assert failure("http://127.0.0.1:port/book.txt", tmp_path).what == "the download failed"


def test_file_names_are_safe() -> None:
    assert file_name("https://a.b/c/Mein%20Buch%2F..%2Fx?y=1#z") == "x"
    assert file_name("https://a.b/sch%C3%B6n.txt") == "sch-n.txt"
    assert file_name("https://a.b/") == "download"
    assert len(file_name("https://a.b/" + "x" * 500)) == 100


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError) as caught:
        download(server.url(), DIGEST, tmp_path / "file" / "downloads", Watch())
    assert caught.value.exit_code == 7
