"""Bad command lines: one clear line on standard error, exit status 2, nothing on standard output."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.cli import main

FILES = {
    "raises.py": "def f():\n    raise ValueError('two\\nlines')\n",
    "seven.py": "def f(): return 7\n",
    "syntax.py": "def f(:\n",
    "exits.py": "raise SystemExit(0)\n",
    "several.py": "def f(): pass\ndef g(): pass\n",
    "nothing.py": "x = 1\n",
    "faulty.py": "import networkx as nx\ndef f(): return nx.Graph([(1, 1), (2, 2)], families=9)\n",
    "needs.py": "import networkx as nx\ndef f(n: int): return nx.path_graph(n)\n",
    "empty.py": "",
    "empty.json": "",
    "list.json": "[1, 2]",
    "number.json": "7",
    "broken.json": '{"nodes": [',
    "links.json": '{"nodes": 3, "edges": {}}',
    "broken.graphml": "<graphml><graph>",
    "text.graphml": "no XML",
    "text.gml": "no GML",
    "notes.txt": "no graph",
    "binary.json": "\0\1\2",
}

LINES = """
foo
rnu two_segment
--verison
-x
plan
plan two_segmnet
plan zzzzzzz
plan ''
plan two_segment two_segment
plan two_segment network1=10.0.0.0/24
plan two_segment --bad
plan two_segment --as
plan two_segment --as tc
plan two_segment --node NOBODY
plan two_segment --node
plan two_segment --set
plan two_segment --set network1
plan two_segment --set netwrok1=10.0.0.0/24
plan two_segment --set network1=10.0.0.1/24
plan two_segment --set network1=nonsense
plan two_segment --set network1=
plan two_segment --set network1=198.51.100.0/25
plan two_segment --set network1=224.0.0.0/24
plan two_segment --set network1=192.0.2.0/32
plan missing.py
plan missing.py:f
plan missing.json
plan missing.graphml
plan folder
plan folder.py
plan folder.json
plan raises.py
plan seven.py
plan syntax.py
plan exits.py
plan several.py
plan several.py:h
plan several.py:g:h
plan nothing.py
plan faulty.py
plan needs.py
plan needs.py --set n=x
plan needs.py --set n=1e9
plan empty.py
plan empty.json
plan list.json
plan number.json
plan broken.json
plan links.json
plan binary.json
plan broken.graphml
plan text.graphml
plan text.gml
plan notes.txt
plan notes.txt --set x=1
run
run two_segmnet
run raises.py -c 'HOST1 true'
run two_segment --name a/b
run two_segment --name ..
run two_segment --name ''
run two_segment --name -x
run two_segment --name LONG
run two_segment -c
run two_segment extra
run two_segment --set x=1
run LONG
run LONG.py
run LONG.json
graph
graph two_segment
graph two_segment -o
graph two_segment -o picture
graph two_segment -o picture.zzz
graph two_segmnet -o picture.png
exec
exec nosuch
attach
shell
stop
stop --all nosuch
ps extra
topologies extra
plugins extra
doctor extra
""".strip().splitlines()


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a folder of its own, and put back what `main` changes in the process."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for name in ("folder", "folder.py", "folder.json", "runtime"):
        (tmp_path / name).mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def status_of(words: list[str]) -> object:
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


@pytest.mark.parametrize("line", LINES)
def test_a_bad_command_line_gets_one_clear_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = status_of(shlex.split(line.replace("LONG", "x" * 300)))
    out, err = capsys.readouterr()
    assert err.startswith("emu: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert out == ""
    assert status == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("plan two_segmnet", "did you mean two_segment"),
        ("rnu two_segment", "no command 'rnu'; did you mean run?"),
        ("plan two_segment --set netwrok1=10.0.0.0/24", "did you mean network1"),
        ("plan two_segment --node HOTS1", "did you mean HOST1"),
        ("run two_segment network1=10.0.0.0/24", "is --set network1=10.0.0.0/24"),
        ("plan several.py", "several.py:f, several.py:g"),
        ("plan needs.py", "needs --set n=..."),
        ("plan raises.py", "raises.py:2"),
        ("plan faulty.py", "3 faults"),
        ("plan", "'emu plan --help'"),
        ("run two_segment --name a/b", "name"),
    ],
)
def test_the_line_says_what_to_do(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    status_of(line.split())
    assert words in capsys.readouterr().err


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of([]) == 0
    assert "Usage: emu" in capsys.readouterr().out


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["plan", "topologies", "plugins", "-h", "--", "--json", "--as", "ip", "-4"]),
            st.sampled_from(["--set", "--node", "HOST1", "two_segment", "network1=10.0.0.0/24", "x.py"]),
            st.text(max_size=8),
        ),
        max_size=5,
    )
)
def test_no_command_line_whatsoever_gives_a_traceback(words: list[str]) -> None:
    if not {"run", "exec", "shell", "attach", "stop", "graph", "doctor", "ps"} & set(words):
        assert status_of(words) in (0, 1, 2)
