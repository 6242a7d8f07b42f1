"""The file of earlier lines, and what there is where it cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.prompt.history import open_history


@pytest.mark.parametrize(
    ("name", "path"),
    [("EMU_HISTORY", "own"), ("XDG_STATE_HOME", "emu/history"), ("HOME", ".local/state/emu/history")],
)
def test_lines_are_kept_for_other_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    for other in ("EMU_HISTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / path if name == "EMU_HISTORY" else tmp_path))
    open_history().append_string("HOST1 hostname")
    assert list(open_history().load_history_strings()) == ["HOST1 hostname"]
    assert (tmp_path / path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["", "/proc/none/history", "/dev/full"])
def test_where_they_cannot_be_kept_the_prompt_has_its_own(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("EMU_HISTORY", path)
    history = open_history()
    history.append_string("HOST1 hostname")
    assert history.get_strings() == ["HOST1 hostname"]
