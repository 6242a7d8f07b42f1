"""In the kernel of a notebook: what the page on it shows, what interrupts end, and that nothing is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from ..test_docs import ROOT, blocks
from .helpers import WITHIN, eventually, fresh_name, surroundings
from .traces import Traces


class Kernel:
    """A kernel as notebooks have it, over Unix sockets: nothing goes through the machine's own network."""

    def __init__(self, folder: Path) -> None:
        self.manager: Any = KernelManager(
            transport="ipc", ip=str(folder / "k"), connection_file=str(folder / "kernel.json")
        )
        own = dict.fromkeys(("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"), str(folder))
        # In a test, ipykernel leaves the output of programs alone.
        environment = surroundings(**own, PYTEST_CURRENT_TEST=None)
        self.manager.start_kernel(env=environment, cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=WITHIN)

    def run(self, code: str, *, interrupt_when: Callable[[], bool] | None = None) -> list[dict[str, Any]]:
        """Run a cell, maybe until it is interrupted, and return what it shows: the contents of messages."""
        asked = self.client.execute(code)
        shown: list[dict[str, Any]] = []
        if interrupt_when is not None:
            eventually(interrupt_when)
            self.manager.interrupt_kernel()
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=WITHIN)
            except Empty:
                pytest.fail(f"the cell does not end: {code}")
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                return shown
            if message["msg_type"] in ("stream", "execute_result", "display_data", "error"):
                shown.append(content)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    folder = Path(tempfile.mkdtemp(prefix="nb-"))  # short: the path of a Unix socket has 107 bytes at most
    kernel = Kernel(folder)
    yield kernel
    kernel.close()
    shutil.rmtree(folder)


def printed(shown: list[dict[str, Any]]) -> str:
    return "".join(content.get("text", "") for content in shown)


def faults(shown: list[dict[str, Any]]) -> list[str]:
    return ["\n".join(content["traceback"]) for content in shown if "traceback" in content]


def test_the_cells_of_the_page(kernel: Kernel) -> None:
    cells = [one.text for one in blocks(ROOT / "docs/how-to/notebook.md") if one.language == "python"]
    results = [kernel.run(cell) for cell in cells]
    assert not [fault for shown in results for fault in faults(shown)]
    (picture,) = [one["data"]["image/svg+xml"] for one in results[0] if "data" in one]
    assert "<svg" in picture
    assert "1 packets transmitted" in printed(results[1])
    assert "['SENDER', 'ROUTER', 'RECEIVER']" in printed(results[2])
    assert any("image/png" in one.get("data", ()) for one in results[4])
    assert "200" in printed(results[5])
    assert "GET /" in printed(results[5])


def test_an_interrupt_ends_the_program_and_not_the_network(kernel: Kernel, tmp_path: Path) -> None:
    name = fresh_name()
    kernel.run(f"net = emu.Network(nx.path_graph(3), {name!r}).start()")
    begun = tmp_path / "begun"
    words = ["sh", "-c", f"touch {begun}; exec sleep 1000"]
    (fault,) = faults(kernel.run(f"net['0'].run({words!r})", interrupt_when=begun.exists))
    assert "KeyboardInterrupt" in fault
    assert "12/12 pairs" in printed(kernel.run("print(net.ping_all())"))
    traces = Traces(name)
    assert not faults(kernel.run("net.close()"))
    traces.assert_gone()


def test_an_interrupt_ends_what_is_being_built(kernel: Kernel, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    never = [{"command": f"touch {begun}; sleep 1000", "ready": {"file": "/no/such", "timeout": 1000}}]
    assert not faults(kernel.run(f"graph = nx.Graph([(1, 2)]); graph.nodes[1]['run'] = {never!r}"))
    name = fresh_name()
    cell = f"emu.Network(graph, {name!r}).start()"
    (fault,) = faults(kernel.run(cell, interrupt_when=begun.exists))
    assert "KeyboardInterrupt" in fault
    assert "NotRunning" in "".join(faults(kernel.run(f"emu.Network.attach({name!r})")))


def test_a_kernel_that_is_killed_leaves_nothing(kernel: Kernel) -> None:
    name = fresh_name()
    kernel.run(f"net = emu.Network(nx.path_graph(3), {name!r}).start(); net['0'].popen(['sleep', '1000'])")
    traces = Traces(name)
    kernel.manager.shutdown_kernel(now=True)
    traces.assert_gone()
