"""How any picture is written: what is refused before the work, and what is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from charrnn.errors import MissingExtraError, UsageError
from charrnn.report import picture
from charrnn.report.picture import write_figure

pytest.importorskip("matplotlib")


def never(figure: Any) -> None:
    raise AssertionError("what cannot be written is not drawn")


@pytest.mark.parametrize("name", ["a.pdf", "a", "svg"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.svg or \.png") as error:
        write_figure(tmp_path / name, never, (1.0, 1.0))
    assert error.value.exit_code == 2
    assert f"{Path(name).stem}.svg" in str(error.value.hint)


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="matplotlib") as error:
        write_figure(tmp_path / "a.svg", never, (1.0, 1.0))
    assert "charrnn[plots]" in str(error.value.hint)


def test_a_figure_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    write_figure(tmp_path / "a.svg", lambda figure: figure.text(0.5, 0.5, "here"), (2.0, 1.0))
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert 'width="144pt" height="72pt"' in svg
    assert "here" in svg
    assert "\n " not in svg, "no indentation"


def test_it_needs_no_display_and_loads_matplotlib_only_to_draw(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from charrnn.report.picture import check_picture;"
        "from charrnn.report.plots import Line, line_chart;"
        "check_picture(Path('a.svg')); early = {'matplotlib'} & set(sys.modules);"
        f"line_chart(Path({str(tmp_path)!r}) / 'a.svg', [Line('a', [1], [2])], title='', x_label='', y_label='');"
        "sys.exit(', '.join(early | {'torch', 'matplotlib.pyplot'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
