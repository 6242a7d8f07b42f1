"""The pytest plugin: networks for tests, and what they were like when a test failed.

Every run of pytest loads this file wherever emu is installed, so it imports nothing of emu before a test
asks for a network.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .network import Network
    from .testing.networks import Factory

_MARKER = """\
emu(source, scope="function", **parameters): the network of the fixture `net`: a topology's name and its \
parameters, a graph, a function that returns one, or a file; with a scope of class, module, package or \
session, tests that ask for the same share it."""
_FOLLOWED = 64


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


@pytest.fixture
def emu_network(request: pytest.FixtureRequest) -> Factory:
    """Return a function that builds a network: `emu_network("two_segment", network1="10.0.0.0/24")`.

    It takes what the marker `emu` takes; the network ends with its scope.
    """
    from .testing.networks import network_for

    def build(source: Any, scope: str = "function", **parameters: Any) -> Network:
        return network_for(request.node, source, scope, parameters)

    return build


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Network:
    """The network of the test's marker `emu`."""
    from .testing.networks import marked_network

    return marked_network(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Forget the packets that shared networks carried before this test."""
    follow = _followed(item.config)
    if follow is not None:
        follow.begin_test()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of the test's networks to the report of its failure."""
    report = yield
    if report.failed and report.when != "teardown" and _followed(item.config) is not None:
        from .testing.report import sections_for

        report.sections.extend(sections_for(item, report.longreprtext))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Wait for what is still being closed."""
    follow = _followed(config)
    if follow is not None:
        follow.close()


def _followed(config: pytest.Config) -> Any:
    """Return what follows networks in this run of pytest; None where no test has asked for one."""
    return getattr(config, "_emu_follow", None)
