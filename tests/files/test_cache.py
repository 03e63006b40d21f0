from __future__ import annotations

from pathlib import Path

from charrnn.files.cache import cache_folder


def test_the_cache_lies_where_the_user_wants_it() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/charrnn")
    home = Path("~/.cache/charrnn").expanduser()
    assert [cache_folder({}), cache_folder({"XDG_CACHE_HOME": ""}), cache_folder({"XDG_CACHE_HOME": "here"})] == [
        home
    ] * 3
