"""The pytest plugin: networks for tests, and what they were like when a test failed.

Every run of pytest loads this file wherever emu is installed, so it imports nothing of emu before a test
asks for a network.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .running.network import Network
    from .testing.networks import NetworkFactory

_MARKER = """\
emu(source, scope="function", families=None, **parameters): the network of the fixture `net`: a topology's \
name and its parameters, a graph, a function that returns one, or a file; with a scope of class, module, \
package or session, tests that ask for the same share it."""
_FOLLOWED = 64
#: How the reason begins for which a test is skipped.
_LACKING = "no network can be built here: "
#: The test that is being run, and the fixtures that are being set up, the innermost last.
_ITEM = pytest.StashKey[pytest.Item]()
_ASKING = pytest.StashKey[list[pytest.FixtureRequest]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("emu", "emulated networks")
    group.addoption(
        "--emu-required", action="store_true",
        help="fail, rather than skip, tests whose networks this machine cannot have",
    )  # fmt: skip
    group.addoption(
        "--emu-capture", type=int, default=_FOLLOWED, metavar="NODES",
        help="keep packets for the report of a failure in networks of up to so many nodes "
        f"(default {_FOLLOWED}, 0 for none)",
    )  # fmt: skip
    parser.addini("emu_required", "as --emu-required", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)
    config.stash[_ASKING] = []


@pytest.fixture(scope="session")
def emu_network(request: pytest.FixtureRequest) -> NetworkFactory:
    """Return a function that builds a network: `emu_network("two_segment", network1="10.0.0.0/24")`.

    It takes what the marker `emu` takes. The network ends with the test or the fixture that asks for it, or
    with `scope`.
    """
    from .testing.networks import network_for

    stash = request.config.stash

    def build(source: Any, scope: str = "", **parameters: Any) -> Network:
        asking = stash[_ASKING]
        return network_for(stash[_ITEM], source, scope, parameters, asking[-1] if asking else None)

    return build


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Network:
    """The network of the test's marker `emu`."""
    from .testing.networks import marked_network

    return marked_network(request.node)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget the packets that shared networks carried before this test."""
    item.config.stash[_ITEM] = item
    follow = _followed(item.config)
    if follow is not None:
        follow.begin_test()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Note which fixture asks for a network."""
    __tracebackhide__ = True
    asking = request.config.stash[_ASKING]
    asking.append(request)
    try:
        return (yield)
    finally:
        asking.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what the test did apart from what emu did, and tell of the state of the test's networks."""
    if call.excinfo is not None and "emu.errors" in sys.modules and not item.config.getoption("fulltrace"):
        from .testing.report import without_emu

        without_emu(call.excinfo.value)
    report = yield
    if report.failed and report.when != "teardown" and _followed(item.config) is not None:
        from .testing.report import sections_for

        report.sections.extend(sections_for(item, report.longreprtext, call.excinfo))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped for want of networks: nobody looks for them among the others."""
    reports = terminalreporter.stats.get("skipped", [])
    texts = [one.longrepr[2] for one in reports if isinstance(one.longrepr, tuple)]
    if lacking := [text for text in texts if _LACKING in text]:
        reason = lacking[0].partition(_LACKING)[2]
        terminalreporter.write_line(
            f"emu: {len(lacking)} skipped: {_LACKING}{reason}; with --emu-required they fail", yellow=True
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Wait for what is still being closed."""
    follow = _followed(config)
    if follow is not None:
        follow.close()


def _followed(config: pytest.Config) -> Any:
    """Return what follows networks in this run of pytest; None where no test has asked for one."""
    return getattr(config, "_emu_follow", None)
