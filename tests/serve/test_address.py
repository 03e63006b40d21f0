from __future__ import annotations

import socket

import pytest

from charrnn.errors import UsageError
from charrnn.serve.address import listen


def test_a_free_port_is_taken_and_told() -> None:
    place = listen("127.0.0.1", 0)
    with place.socket:
        port = place.socket.getsockname()[1]
        assert place.url == f"http://127.0.0.1:{port}/"
        assert place.loopback
        assert place.hosts == {f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_name_of_this_machine_is_shown_as_it_was_given() -> None:
    place = listen("localhost", 0)
    with place.socket:
        assert place.url.startswith("http://localhost:")
        assert place.loopback


def test_another_address_of_loopback_is_a_name_too() -> None:
    place = listen("127.0.0.2", 0)
    with place.socket:
        assert place.loopback
        assert place.hosts is not None
        assert f"127.0.0.2:{place.socket.getsockname()[1]}" in place.hosts


def test_an_address_for_others_is_not_loopback_and_may_have_any_name() -> None:
    place = listen("0.0.0.0", 0)
    with place.socket:
        assert (place.loopback, place.hosts) == (False, None)


def test_a_port_in_use_is_one_clear_error() -> None:
    place = listen("127.0.0.1", 0)
    port = place.socket.getsockname()[1]
    with place.socket, pytest.raises(UsageError, match=f"cannot listen on port {port} of 127.0.0.1") as refused:
        listen("127.0.0.1", port)
    assert refused.value.why == "Address already in use"
    assert refused.value.hint is not None


@pytest.mark.parametrize("host", ["no such host", "256.0.0.1", "a" * 300, "\ud800"])
def test_no_such_host(host: str) -> None:
    with pytest.raises(UsageError, match="there is no host"):
        listen(host, 0)
