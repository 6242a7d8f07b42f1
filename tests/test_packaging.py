"""The source distribution and the wheel hold what they should, and what they hold runs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command and return its output; a failure shows it."""
    words = [str(word) for word in command]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout: building writes into its folder."""
    copy = tmp_path_factory.mktemp("source")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, names.split("\0")):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to(os.readlink(ROOT / name))
        elif (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source)
    return folder


def test_the_wheel_has_one_top_level_package(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"emu"}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "emu").rglob("*.py")}
    modules |= {
        f"emu/{path.parent.name}/{path.name}"
        for part in ("topologies", "plugins", "tests/bench")
        for path in (ROOT / part).glob("*.py")
    }
    assert modules <= set(names)
    assert {"emu/py.typed", "emu/bench/floor.c", "emu/bench/ip_batch.sh"} <= set(names)


def test_the_source_distribution_has_the_licence(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.parametrize("kind", ["wheel", "source distribution", "editable"])
def test_an_installation_runs(kind: str, built: Path, source: Path, tmp_path: Path) -> None:
    """In a fresh environment, from another folder, `emu topologies` lists what is built in."""
    environment = tmp_path / "venv"
    venv.create(environment)
    python = environment / "bin" / "python"
    # The dependencies come from the environment that runs the tests; emu itself does not.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    ways: dict[str, list[object]] = {
        "wheel": [next(built.glob("*.whl"))],
        "source distribution": [next(built.glob("*.tar.gz"))],
        "editable": ["--editable", source],
    }
    # By the pip of the environment that runs the tests: to make one takes longer than all the rest.
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", "--no-build-isolation", *ways[kind])
    listed = run(environment / "bin" / "emu", "topologies", cwd=tmp_path)
    assert "two_segment" in listed
    where = run(python, "-c", "import emu; print(emu.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(source if kind == "editable" else environment)
