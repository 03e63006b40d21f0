"""A page that is sent as it is: once to each browser, and compressed where it takes that."""

from __future__ import annotations

import gzip
import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

_LEVEL = 6
_NEVER = re.compile(r"q\s*=\s*0(\.0*)?")


class Page:
    """An HTML page in memory.

    Args:
        html: the page.
    """

    def __init__(self, html: str) -> None:
        self._plain = html.encode("utf-8")
        self._packed = gzip.compress(self._plain, _LEVEL, mtime=0)
        # weak, for plain and compressed are the same page
        self._tag = f'W/"{hashlib.sha256(self._plain).hexdigest()}"'

    async def answer(self, request: Request) -> Response:
        """The page, or that the browser has it already."""
        headers = {"etag": self._tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
        if self._tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        if _takes_gzip(request.headers.get("accept-encoding", "")):
            packed = headers | {"content-encoding": "gzip"}
            return Response(self._packed, headers=packed, media_type="text/html")
        return Response(self._plain, headers=headers, media_type="text/html")


def _takes_gzip(accepted: str) -> bool:
    for coding in accepted.lower().split(","):
        name, *parameters = [part.strip() for part in coding.split(";")]
        if name == "gzip":
            return not any(_NEVER.fullmatch(parameter) for parameter in parameters)
    return False
