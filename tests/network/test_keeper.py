"""A keeper that is killed, stopped or detached."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import pytest

import emu
from emu.cli import main
from emu.errors import NotRunning
from emu.hooks.plugin_manager import default_plugins
from emu.keeper.wire import LANGUAGE
from emu.planning.plan import Plan
from emu.sandboxes.sandbox import find_sandbox, running_sandboxes
from emu.topologies.two_segment import two_segment

from .helpers import WITHIN, assert_free, eventually, fresh_name, outer_unchanged, run_emu
from .owners import Owners, Terminal, start_stubborn
from .traces import Traces, await_keeper, folders_of


@pytest.fixture(scope="module", autouse=True)
def same_outer_machine() -> Iterator[None]:
    with outer_unchanged():
        yield


@pytest.fixture(scope="module")
def owners() -> Iterator[Owners]:
    with Owners() as found:
        yield found


@pytest.fixture(scope="module")
def plan() -> Plan:
    return default_plugins().plan_for(two_segment())


@pytest.fixture
def name() -> str:
    return fresh_name()


def test_a_killed_keeper(name: str, plan: Plan) -> None:
    """Its name is free at once, though its owner lives and has not noticed."""
    network = emu.Network(plan, name).start()
    start_stubborn(name)
    traces = Traces(name)
    os.kill(await_keeper(name), signal.SIGKILL)
    traces.assert_gone(but="folder")
    assert_free(name, plan)
    with pytest.raises(NotRunning, match=name):
        network["HOST1"].run(["true"])
    with pytest.raises(NotRunning, match=name):
        network["HOST1"].socket()
    network.close()


def test_the_folder_of_a_killed_keeper_goes_with_the_next_command(owners: Owners, name: str) -> None:
    owner = owners.start(name, "with Network(): say('ready'); time.sleep(100)")
    owners.expect(name, "ready")
    traces = Traces(name)
    os.kill(await_keeper(name), signal.SIGKILL)
    traces.assert_gone(but="folder")
    assert name not in run_emu("ps")
    assert folders_of(name) == []
    os.kill(owner, signal.SIGKILL)


def test_a_stopped_keeper(name: str, plan: Plan) -> None:
    """It is listed, does not hold up the others, and can be ended."""
    network = emu.Network(plan, name).start()
    traces = Traces(name)
    os.kill(await_keeper(name), signal.SIGSTOP)
    with emu.Network(plan, fresh_name()) as other:
        listed = {sandbox.name: sandbox.facts for sandbox in running_sandboxes()}
        assert listed[name] is None
        assert listed[other.name] is not None
    with pytest.raises(emu.EmuError, match=f"does not answer; 'emu stop {name}' ends it"):
        find_sandbox(name)
    with pytest.raises(emu.UsageError, match=f"does not answer; 'emu stop {name}' ends it"):
        emu.Network(plan, name).start()
    run_emu("stop", name)
    traces.assert_gone()
    network.close()


def test_closing_a_network_whose_keeper_is_stopped_while_a_thread_waits_for_it(name: str, plan: Plan) -> None:
    network = emu.Network(plan, name).start()
    traces = Traces(name)
    os.kill(await_keeper(name), signal.SIGSTOP)
    raised: list[Exception] = []

    def ask() -> None:
        try:
            network["HOST1"].socket()
        except NotRunning as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(network.sandbox._lock.locked)
    network.close()
    thread.join(WITHIN)
    assert raised
    traces.assert_gone()


def test_a_network_that_nobody_holds_any_more_ends(name: str, plan: Plan) -> None:
    network = emu.Network(plan, name).start()
    host = network["HOST1"]
    traces = Traces(name)
    del network
    assert host.run(["true"]).returncode == 0  # a node keeps its network
    del host
    traces.assert_gone()


# -- detached --------------------------------------------------------------------------------------------


def test_a_detached_network_outlives_its_terminal(name: str) -> None:
    with Terminal(name, "--detach") as terminal:
        assert terminal.wait() == 0
    assert name in run_emu("ps")
    assert run_emu("exec", name, "HOST1", "hostname") == "HOST1\n"
    traces = Traces(name)
    assert len(traces.processes) == 1
    run_emu("stop", name)
    traces.assert_gone()


def test_a_detached_network_whose_keeper_is_killed(name: str, plan: Plan) -> None:
    emu.Network(plan, name).start(detached=True).close()
    traces = Traces(name)
    assert traces.keeper is not None
    os.kill(traces.keeper, signal.SIGKILL)
    traces.assert_gone(but="folder")
    assert name not in run_emu("ps")
    traces.assert_gone()


def test_an_interrupt_before_a_network_is_detached(owners: Owners, name: str) -> None:
    owner = owners.start(
        name,
        """
        emu.running.network.Network._hand_over = lambda *_: (say("ready"), time.sleep(100))
        Network().start(detached=True)
        """,
    )
    owners.expect(name, "ready")
    traces = Traces(name)
    os.kill(owner, signal.SIGKILL)
    traces.assert_gone()


def test_a_network_of_another_version_of_emu(
    name: str, plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told as such in a line, listed as far as it tells of itself, and can be ended."""
    network = emu.Network(plan, name).start()
    traces = Traces(name)
    monkeypatch.setattr("emu.sandboxes.connection.LANGUAGE", LANGUAGE + 1)
    for line in (["attach", name, "-c", "HOST1 true"], ["exec", name, "HOST1", "true"]):
        with pytest.raises(SystemExit, match="1"):
            main(line)
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"emu: network {name} was started by another version of emu: ")
        assert f"'emu stop {name}'" in err
    with contextlib.suppress(SystemExit):
        main(["ps"])
    rows = {line.split()[0]: line.split()[2] for line in capsys.readouterr().out.splitlines()}
    assert rows[name] == "3"
    with contextlib.suppress(SystemExit):
        main(["stop", name])
    traces.assert_gone()
    network.close()


def test_a_program_that_has_outlived_its_emu_starts_no_network(
    name: str, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr("emu.sandboxes.connection.LANGUAGE", LANGUAGE + 1)
        with pytest.raises(emu.EmuError, match="start it anew"):
            emu.Network(plan, name).start()
    assert_free(name, plan)
