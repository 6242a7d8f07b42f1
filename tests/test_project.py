"""Style, types and layers of the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import emu

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=" ".join,
)
def test_source_is_clean(command: list[str]) -> None:
    """Each tool finds nothing to say."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_and_functions_stay_short() -> None:
    """A file that outgrew its subject is split: none has more than 350 lines."""
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("emu", "topologies", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 350
    }
    assert not long


def test_public_names_are_the_same_for_type_checkers() -> None:
    """What is loaded when it is first used is imported for those who only read the source."""
    tree = ast.parse((ROOT / "emu" / "__init__.py").read_text())
    imported = {
        alias.asname: f".{node.module}"
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }  # fmt: skip
    assert {name: vars(emu)["_PUBLIC"][name] for name in emu.__all__} == imported
