"""Many networks at once, of one process or of several: they do not disturb one another."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import emu
from emu.hooks.plugin_manager import default_plugins
from emu.planning.plan import Plan
from emu.sandboxes.sandbox import running_sandboxes
from emu.topologies.two_segment import two_segment

from .helpers import EMU, WITHIN, assert_free, eventually, fresh_name, outer_unchanged, run_emu, surroundings
from .owners import Owners
from .traces import Traces, await_keeper, born, folders_of, named

MANY = 10


@pytest.fixture(scope="module", autouse=True)
def same_outer_machine() -> Iterator[None]:
    with outer_unchanged():
        yield


@pytest.fixture(scope="module")
def plan() -> Plan:
    return default_plugins().plan_for(two_segment())


@pytest.fixture
def name() -> str:
    return fresh_name()


def plan_with(number: int) -> Plan:
    """Return two_segment with addresses that tell it from others."""
    return default_plugins().plan_for(two_segment(network1=f"10.{number}.0.0/24"))


def use(network: emu.Network, number: int) -> None:
    """Check that a network is itself, and answers as such."""
    assert [str(one) for one in network["HOST1"].addresses] == [f"10.{number}.0.1/24"]
    shown = network["HOST1"].run(["hostname"], capture_output=True, text=True, check=True)
    assert shown.stdout == "HOST1\n"
    network["HOST2"].run(["ping", "-c", "1", f"10.{number}.0.1"], capture_output=True, check=True)


def test_ten_commands_at_once() -> None:
    """They have nodes of the same names and different addresses; each sees its own."""
    names = [fresh_name() for _ in range(MANY)]
    commands = []
    for number, name in enumerate(names):
        words = ["run", "two_segment", "--name", name, "--set", f"network1=10.{number}.0.0/24"]
        words += ["-c", f"HOST2 ping -c 1 10.{number}.0.1 >/dev/null", "-c", "HOST1 cat /proc/net/fib_trie"]
        commands.append(
            subprocess.Popen(
                [*EMU, *words], env=surroundings(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    for number, command in enumerate(commands):
        out, err = command.communicate(timeout=4 * WITHIN)
        assert (command.returncode, err) == (0, "")
        assert f"10.{number}.0.1" in out
    assert [name for name in names if named(name) or folders_of(name)] == []


def test_ten_threads_of_one_process() -> None:
    def live(number: int) -> Traces:
        with emu.Network(plan_with(number), fresh_name()) as network:
            use(network, number)
            return Traces(network.name)

    with ThreadPoolExecutor(MANY) as pool:
        for traces in list(pool.map(live, range(MANY))):
            traces.assert_gone()


def test_two_networks_in_one_process() -> None:
    with emu.Network(plan_with(1), fresh_name()) as one, emu.Network(plan_with(2), fresh_name()) as other:
        use(one, 1)
        use(other, 2)
        traces = Traces(one.name)
        one.close()
        traces.assert_gone()
        use(other, 2)


def test_one_network_in_many_threads(name: str) -> None:
    with emu.Network(plan_with(7), name) as network, ThreadPoolExecutor(MANY) as pool:
        list(pool.map(lambda _: use(network, 7), range(3 * MANY)))


def test_under_asyncio(name: str) -> None:
    """Built and used from tasks, with a child of asyncio's own at the same time."""

    async def live(number: int) -> str:
        child = await asyncio.create_subprocess_exec("sleep", "0.05")
        with emu.Network(plan_with(number), f"{name}-{number}") as network:
            await asyncio.gather(*(asyncio.to_thread(use, network, number) for _ in range(3)))
            assert await child.wait() == 0
            return network.name

    async def main() -> list[str]:
        return list(await asyncio.gather(live(1), live(2)))

    for ended in asyncio.run(main()):
        Traces(ended).assert_gone()


def test_in_an_interpreter_whose_threads_are_busy(name: str) -> None:
    """They start and end programs of their own, and open files, all the while."""
    done = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            while not done.is_set():
                assert subprocess.run(["true"], check=False).returncode == 0
                with open("/proc/self/status") as file:
                    assert file.read()
        except Exception as error:  # noqa: BLE001  # reported by the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            with emu.Network(plan_with(number), name) as network:
                use(network, number)
                traces = Traces(name)
            traces.assert_gone()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_network_that_is_built_in_a_thread_outlives_it(name: str) -> None:
    network = emu.Network(plan_with(3), name)
    thread = threading.Thread(target=network.start)
    thread.start()
    thread.join()
    time.sleep(0.1)  # for a signal that is tied to a thread's end to arrive
    use(network, 3)
    traces = Traces(name)
    network.close()
    traces.assert_gone()


# -- names -----------------------------------------------------------------------------------------------


def test_a_name_that_is_taken(name: str, plan: Plan) -> None:
    with emu.Network(plan, name) as network:
        refused = subprocess.run(
            [*EMU, "run", "two_segment", "--name", name], env=surroundings(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 2
        reason = f"one of that name is running; 'emu attach {name}' joins it, 'emu stop {name}' ends it"
        assert refused.stderr == f"emu: name a network '{name}': {reason}\n"
        assert network["HOST1"].run(["true"]).returncode == 0
    assert_free(name, plan)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "-x", "a b", "x" * 64, "caf\u00e9", "a\n", "socket\0"])
def test_a_name_that_is_no_files(bad: str, plan: Plan) -> None:
    with pytest.raises(emu.UsageError, match="name a network"):
        emu.Network(plan, bad).start()


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_the_name_of_a_crashed_network_is_free_at_once(victim: str, name: str, plan: Plan) -> None:
    with Owners() as owners:
        owner = owners.start(name, "with Network(): say('ready'); time.sleep(100)")
        owners.expect(name, "ready")
        killed = owner if victim == "owner" else await_keeper(name)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: not born(killed))
        assert_free(name, plan)


def test_ten_starts_of_one_name(name: str, plan: Plan) -> None:
    """One wins; nobody else harms it."""
    start = threading.Barrier(MANY)

    def try_it(_: int) -> emu.Network | None:
        start.wait()
        try:
            return emu.Network(plan, name).start()
        except emu.UsageError:
            return None

    with ThreadPoolExecutor(MANY) as pool:
        running = [network for network in pool.map(try_it, range(MANY)) if network is not None]
    assert len(running) == 1
    assert running[0]["HOST1"].run(["true"]).returncode == 0
    running[0].close()
    assert_free(name, plan)


def test_default_names_are_counted(name: str) -> None:
    graph = two_segment()
    graph.graph["name"] = name
    named_alike = default_plugins().plan_for(graph)
    with emu.Network(named_alike) as first, emu.Network(named_alike) as second:
        with emu.Network(named_alike) as third:
            assert [one.name for one in (first, second, third)] == [name, f"{name}-2", f"{name}-3"]
        with emu.Network(named_alike) as again:
            assert again.name == f"{name}-3"
        listed = [sandbox.name for sandbox in running_sandboxes()]
        assert [found for found in listed if found.startswith(name)] == [name, f"{name}-2"]


def test_a_detached_networks_name_is_taken_for_all(name: str, plan: Plan) -> None:
    """Also where a user's detached networks are kept apart from the others."""
    emu.Network(plan, name).start(detached=True).close()
    try:
        with pytest.raises(emu.UsageError, match="is running"):
            emu.Network(plan, name).start()
    finally:
        run_emu("stop", name)
    assert_free(name, plan)
