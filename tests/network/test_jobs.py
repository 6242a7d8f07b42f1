"""Programs that a network keeps: daemons, jobs, their logs, and how nodes look to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import emu
from emu.keeper.kept import LOG_SIZE

from .helpers import EMU, ROOT, eventually, fresh_name, run_emu, surroundings

SERVER = [sys.executable, "-u", "-c", (
    "import socket; s = socket.create_server(('', 8000)); print('listening', flush=True)\n"
    "while True: s.accept()"
)]  # fmt: skip


def graph_with(**attributes: Any) -> nx.Graph:
    graph: nx.Graph = nx.path_graph(["HOST1", "HOST2"])
    graph.nodes["HOST2"].update(attributes)
    return graph


@pytest.fixture(scope="module")
def network() -> Iterator[emu.Network]:
    """A network whose second host is furnished and has daemons."""
    graph = graph_with(
        run=[
            {"command": "echo ready > /srv/own/file", "ready": {"file": "/srv/own/file"}},
            {"command": SERVER, "ready": {"tcp": 8000, "log": "^listening$"}},
        ],
        private=["/var/log", "/srv/own", "/etc/nothing/there"],
        env={"GREETING": "hello"},
        cwd="/usr",
    )
    with emu.Network(graph, fresh_name()) as running:
        yield running


def output(node: emu.Node, line: str) -> str:
    return str(node.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout)


def test_daemons_are_ready_when_the_network_is(network: emu.Network) -> None:
    first, second, *_ = network.jobs()
    assert (first.node, first.daemon, first.state) == ("HOST2", True, "done")
    assert (second.node, second.daemon, second.state) == ("HOST2", True, "running")
    assert network.job(second.number).log() == "listening\n"
    with network["HOST1"].socket() as sock:
        sock.connect((str(network["HOST2"].addresses[0].ip), 8000))


def test_a_node_has_folders_of_its_own(network: emu.Network) -> None:
    host = network["HOST2"]
    assert output(host, "cat /srv/own/file; ls /var/log /etc/nothing/there") == (
        "ready\n/etc/nothing/there:\n\n/var/log:\n"
    )
    output(host, "echo kept > /etc/nothing/there/x")
    assert output(host, "cat /etc/nothing/there/x; test -e /etc/passwd && echo all") == "kept\nall\n"
    assert not Path("/etc/nothing").exists()
    assert not Path("/srv/own").exists()
    assert output(network["HOST1"], "test -e /srv/own || echo none") == "none\n"


def test_a_node_has_an_environment_and_a_folder_to_begin_in(network: emu.Network) -> None:
    assert output(network["HOST2"], "echo $GREETING; pwd; hostname") == "hello\n/usr\nHOST2\n"
    done = network["HOST2"].run(
        ["sh", "-c", "echo ${GREETING-none}; pwd"], capture_output=True, env={}, cwd="/"
    )
    assert done.stdout == b"none\n/\n"
    assert output(network["HOST1"], "echo ${GREETING-none}") == "none\n"


def test_a_folder_to_begin_in_must_be_there(network: emu.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    host = network["HOST2"]
    monkeypatch.chdir("/")
    assert host.run(["pwd"], capture_output=True, cwd="usr").stdout == b"/usr\n"
    refusal = "run a program in HOST2: cwd '/nodir': no such folder"
    with pytest.raises(emu.UsageError, match=refusal):
        host.run(["pwd"], cwd="nodir")
    with pytest.raises(emu.UsageError, match=refusal):
        host.start_job("pwd", cwd="/nodir")
    with pytest.raises(emu.UsageError, match="cwd '/dev/null': Not a directory"):
        host.run(["pwd"], cwd="/dev/null")


@pytest.mark.parametrize("given", [{"cwd": "/nodir"}, {"run": [{"command": "true", "cwd": "/nodir"}]}])
def test_so_must_that_of_a_node_and_that_of_a_daemon(given: dict[str, Any]) -> None:
    with (
        pytest.raises(emu.UsageError, match="run a program in HOST2: cwd '/nodir': no such folder"),
        emu.Network(graph_with(**given), fresh_name()) as network,
    ):
        network["HOST2"].run(["pwd"])


def test_a_log_is_bounded_and_keeps_the_last(network: emu.Network) -> None:
    job = network["HOST1"].start_job("yes | head -c 3000000; echo the end")
    assert job.wait(20) == 0
    begin, end = job.facts().log
    assert end == 3000000 + len("the end\n")
    assert LOG_SIZE <= end - begin <= 2 * LOG_SIZE
    log = job.log()
    assert len(log) == end - begin
    assert log.endswith("y\nthe end\n")
    assert job.log(1) == "the end\n"


def test_a_job_is_followed_to_its_end(network: emu.Network) -> None:
    job = network["HOST1"].start_job("for i in 1 2 3; do echo $i; sleep 0.05; done; printf end; exit 4")
    assert b"".join(job.follow()) == b"1\n2\n3\nend"
    assert job.wait() == 4
    assert (job.facts().state, job.facts().failed) == ("exit 4", True)


def test_a_job_ends_with_its_block_whatever_it_makes_of_sigterm(network: emu.Network) -> None:
    with network["HOST1"].start_job(
        "trap '' TERM; echo on; while :; do sleep 0.05; done", ready={"log": "on"}
    ) as job:
        assert job.facts().state == "running"
    assert job.wait(0) == -signal.SIGKILL


def test_a_failing_job_is_started_again_until_it_is_told_to_end(network: emu.Network) -> None:
    job = network["HOST1"].start_job("echo again; exit 1", restart="on-failure")
    eventually(lambda: job.facts().starts == 2)
    eventually(lambda: job.log() == "again\nagain\n")
    eventually(lambda: job.facts().state == "exit 1, again in 2 s")  # a moment later
    job.terminate()
    assert job.facts().state == "exit 1"
    assert job.wait(0) == 1
    well = network["HOST1"].start_job("true", restart="on-failure")
    assert well.wait(5) == 0


def test_two_hundred_jobs_at_once(network: emu.Network) -> None:
    before = len(network.jobs())
    jobs = [network["HOST1"].start_job("echo $$; exec sleep 1000") for _ in range(200)]
    assert len(network.jobs()) == before + 200
    eventually(lambda: all(job.log() for job in jobs[::40]))
    for job in jobs:
        job.kill()
    assert {job.wait(10) for job in jobs} == {-signal.SIGKILL}


def test_waiting(network: emu.Network) -> None:
    host = network["HOST1"]
    host.start_job("sleep 0.1; echo now; touch /run/done")
    network.wait_for("HOST1", file="/run/done", log="^now$", command=["true"])
    network.wait_for(lambda: host.run(["true"]).returncode == 0)
    network.wait_for("HOST2", tcp=8000)
    with host.socket(type=2) as sock:  # SOCK_DGRAM
        sock.bind(("0.0.0.0", 5353))
        host.wait_for(udp=5353)
    with pytest.raises(TimeoutError, match=r"wait for UDP port 5353 in HOST1: not within 0.05 s"):
        host.wait_for(udp=5353, timeout=0.05)
    with pytest.raises(emu.UsageError, match="a condition has no 'tpc'; did you mean tcp"):
        host.wait_for(tpc=80)


def test_a_job_that_does_not_get_ready_is_ended_and_shows_its_log(network: emu.Network) -> None:
    with pytest.raises(
        emu.DaemonFailed, match=r"it ended \(exit 3\) before it was ready: TCP port 80"
    ) as caught:
        network["HOST1"].start_job("echo no configuration; exit 3", ready=80)
    assert caught.value.log == "no configuration\n"
    with pytest.raises(emu.DaemonFailed, match=r"not ready within 0.1 s: TCP port 80; it printed nothing"):
        network["HOST1"].start_job("sleep 1000", ready={"tcp": 80, "timeout": 0.1})
    eventually(lambda: not any(job.command == "sleep 1000" and not job.over for job in network.jobs()))


def test_a_program_that_is_not_there(network: emu.Network) -> None:
    with pytest.raises(
        emu.EmuError, match=r"run 'slepe' in HOST1: no such program in PATH; did you mean sleep"
    ):
        network["HOST1"].start_job(["slepe", "1"])
    with pytest.raises(emu.EmuError, match="did you mean sleep"):
        network["HOST1"].run(["slepe", "1"])


def test_a_daemon_that_fails_ends_the_building() -> None:
    graph = graph_with(run=[{"command": "echo oh no; exit 3", "ready": 80}])
    network = emu.Network(graph, fresh_name())
    with pytest.raises(emu.DaemonFailed, match="start 'echo oh no; exit 3' in HOST2: it ended") as caught:
        network.start()
    assert str(caught.value).endswith("the last it printed:\n  oh no")
    with pytest.raises(emu.NotRunning):
        _ = network.sandbox


def test_a_folder_that_would_be_new_in_the_root_is_refused() -> None:
    with pytest.raises(emu.EmuError, match=r"the private folder /not-there/x of HOST2"):
        emu.Network(graph_with(private="/not-there/x"), fresh_name()).start()


def test_a_user_that_this_machine_does_not_have() -> None:
    with pytest.raises(emu.UsageError, match="node HOST2: this machine has no user 'nobody-at-all'"):
        emu.Network(graph_with(user="nobody-at-all"), fresh_name()).start()


def test_programs_run_as_the_nodes_user_where_that_is_possible() -> None:
    network = emu.Network(graph_with(user="nobody", run="id -un"), fresh_name())
    try:
        network.start()
    except emu.EmuError as error:
        assert not ROOT
        assert "not mapped into the sandbox; see 'subordinate ids' of 'emu doctor'" in str(error)  # noqa: PT017
        return
    with network:
        assert output(network["HOST2"], "id -un; echo $USER") == "nobody\nnobody\n"
        network.job(1).wait(10)
        assert network.job(1).log() == "nobody\n"
        assert output(network["HOST1"], "id -u") == "0\n"


@pytest.mark.skipif(ROOT, reason="root needs nobody to map users")
def test_where_mapping_users_is_refused_there_is_one(tmp_path: Path) -> None:
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    code = (
        "import emu, networkx as nx\n"
        "with emu.Network(nx.path_graph(['A', 'B'])) as net:\n"
        "    print(net['A'].run(['id', '-u'], capture_output=True, text=True).stdout, end='')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=surroundings(PATH=f"{tmp_path}:{os.environ['PATH']}"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "0\n", done.stderr


@pytest.fixture
def detached() -> Iterator[str]:
    """The name of a detached two_segment."""
    name = fresh_name()
    run_emu("run", "two_segment", "--name", name, "--detach")
    yield name
    with contextlib.suppress(AssertionError):
        run_emu("stop", name)


def test_jobs_outlive_their_prompt_and_are_seen_from_everywhere(detached: str) -> None:
    line = "HOST1 while :; do echo tick; sleep 0.05; done &"
    prompt = subprocess.Popen(
        [*EMU, "attach", detached],
        env=surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert prompt.stdin is not None
    assert prompt.stdout is not None
    prompt.stdin.write(f"{line}\n")
    prompt.stdin.flush()
    assert prompt.stdout.readline().startswith("[1] ")
    assert prompt.stdout.readline() == "tick\n"
    prompt.kill()
    prompt.wait()
    prompt.stdout.close()
    prompt.stdin.close()
    seen = len(run_emu("logs", detached, "HOST1").splitlines())
    eventually(lambda: len(run_emu("logs", detached, "1").splitlines()) > seen)
    assert run_emu("logs", detached, "-n", "2") == "tick\ntick\n"
    assert " running " in run_emu("attach", detached, "-c", "jobs")
    shown = run_emu("attach", detached, "-c", "kill HOST1:tick", "-c", "jobs")
    eventually(lambda: " exit 143 " in run_emu("attach", detached, "-c", "jobs"))
    assert "HOST1" in shown


def test_a_script_is_told_of_a_daemon_that_ends(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text('nodes: {HOST1: {run: ["echo last words; sleep 1; exit 7"]}}\n')
    done = subprocess.run(
        [*EMU, "run", str(lab), "-c", "wait 1", "-c", "HOST1 sleep 0.3"], env=surroundings(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert "emu: [1] exit 7  HOST1 echo last words; sleep 1; exit 7\n  last words\n" in done.stderr


def test_no_job_outlives_a_killed_keeper(detached: str) -> None:
    mark = f"sleep {time.time_ns() % 10**9 + 10**9}"
    with emu.Network.attach(detached) as network:
        network["HOST1"].start_job(f"trap '' TERM; {mark}; {mark}")
        eventually(lambda: running(mark))
        os.kill(network.sandbox.keeper_pid(), signal.SIGKILL)
    eventually(lambda: not running(mark), within=2.0)


def running(command: str) -> bool:
    """Tell whether a process of this machine runs a command."""
    words = command.encode().replace(b" ", b"\0")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(words):
                return True
    return False
