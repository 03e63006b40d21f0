from collections.abc import Callable
from pathlib import Path

import pytest

from charrnn.config.load import Loaded, load_config
from charrnn.errors import ConfigError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def load() -> Callable[..., Loaded]:
    """Write files (`demo.yaml` first) into the current folder and load `demo.yaml`."""

    def write_and_load(text: str, *overrides: str, **files: str) -> Loaded:
        for name, content in {"demo": text, **files}.items():
            Path(f"{name}.yaml").write_text(content, encoding="utf-8")
        return load_config(Path("demo.yaml"), overrides)

    return write_and_load


@pytest.fixture
def problems(load: Callable[..., Loaded]) -> Callable[..., list[str]]:
    """As `load`, for a config that is wrong: the lines of its error, without the count."""

    def lines(text: str, *overrides: str, **files: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides, **files)
        assert caught.value.exit_code == 2
        found = caught.value.what.splitlines()
        if len(found) > 1:
            assert found[0] == f"the config has {len(found) - 1} problems"
        return found[1:] or found

    return lines
