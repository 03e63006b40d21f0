"""Where the server listens, and what it may be called there."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address

from charrnn.errors import UsageError

_BACKLOG = 128
_HTTP = 80


@dataclass(frozen=True)
class Listening:
    """A socket that listens.

    Attributes:
        socket: the socket.
        url: the address of the page.
        loopback: whether only programs of this machine reach it.
        hosts: what a client on loopback may call the server; None where it may be called anything.
    """

    socket: socket.socket
    url: str
    loopback: bool
    hosts: frozenset[str] | None


def listen(host: str, port: int) -> Listening:
    """Listen at an address; port 0 takes a free one.

    Raises:
        UsageError: there is no such host, or the port is in use or not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"there is no host {host!r}", where="--host", why=str(error)) from error
    family, kind, protocol, _, place = min(found, key=lambda one: one[0] != socket.AF_INET)
    server = socket.socket(family, kind, protocol)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(place)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        raise UsageError(
            f"cannot listen on port {port} of {host}",
            where="--port",
            why=error.strerror,
            hint="choose another port, or 0 for a free one",
        ) from error
    address, bound = server.getsockname()[:2]
    loopback = ip_address(address.partition("%")[0]).is_loopback
    # the address that it was told, so that a browser shows the name which the user knows
    called = f"[{host}]" if ":" in host else host
    names = {"localhost", "127.0.0.1", "[::1]", called.lower()}
    hosts = frozenset(name if bound == _HTTP else f"{name}:{bound}" for name in names)
    return Listening(server, f"http://{called}:{bound}/", loopback, hosts if loopback else None)
