"""The pytest plugin, as those who test with it see it: each test runs a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from .helpers import SOURCE

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the inner pytest load this plugin and no other, wherever emu is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def run(
    pytester: pytest.Pytester, source: str, *options: str, prefix: Sequence[str] = ()
) -> pytest.RunResult:  # fmt: skip
    pytester.makepyfile(source)
    words = [sys.executable, "-P", "-m", "pytest", "-p", "emu.pytest_plugin", "-p", "no:cacheprovider"]
    return pytester.run(*prefix, *words, *options)


def test_marker_and_factory_and_what_they_share(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", lab="nodes: [A, B]\nlinks:\n  - [A, B]\n")
    done = run(
        pytester,
        """
        import networkx as nx
        import pytest
        from emu.topologies.two_segment import two_segment

        seen = []

        @pytest.mark.emu("two_segment", scope="module", network1="10.1.0.0/24")
        @pytest.mark.parametrize("number", [1, 2])
        def test_shared(net, number):
            seen.append(net)
            assert net is seen[0]
            assert str(net["HOST1"].addresses[0]) == "10.1.0.1/24"

        @pytest.mark.emu("two_segment", scope="module")
        def test_another_with_other_parameters(net):
            assert net is not seen[0]
            assert net.name != seen[0].name

        @pytest.mark.emu("two_segment")
        @pytest.mark.parametrize("number", [1, 2])
        def test_of_ones_own(net, number):
            assert net not in seen
            seen.append(net)
            assert number == 1 or not seen[-2].is_running

        def test_whatever_is_a_network(emu_network):
            assert emu_network(nx.path_graph(["X", "Y"])).path("X", "Y") == ["X", "Y"]
            assert len(emu_network(two_segment, network2="10.2.0.0/24")) == 3
            assert emu_network("lab.yaml")["A"].can_reach("B")
            assert emu_network("two_segment", scope="module", network1="10.1.0.0/24") is seen[0]

        class TestClass:
            @pytest.mark.emu("two_segment", scope="class")
            def test_a(self, net):
                seen.append(net)

            @pytest.mark.emu("two_segment", scope="class")
            def test_b(self, net):
                assert net is seen[-1]

        def test_after_the_class():
            assert not seen[-1].is_running and seen[0].is_running
        """,
        "--strict-markers", "-q",
    )  # fmt: skip
    done.assert_outcomes(passed=9)


def test_a_failure_shows_the_network(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest
        pytestmark = pytest.mark.emu("two_segment", scope="module")

        def test_before(net):
            net["HOST2"].can_reach("ROUTER")

        def test_after_a_mistake(net):
            net["ROUTER"].run(["ip", "route", "delete", "198.51.100.0/24"], check=True)
            assert net["HOST1"].can_reach("HOST2", timeout=0.2)

        def test_path(net):
            assert net.path("HOST1", "HOST2", timeout=0.2) == ["HOST1", "ROUTER", "HOST2"]
        """,
    )
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(
        [
            "E * <HOST1 cannot reach HOST2 (IPv4: ROUTER says Destination Net Unreachable; *",
            "*- emu network two_segment -*",
            "pingall: 2/6 pairs reachable*",
            "  HOST1 → HOST2: ROUTER says Destination Net Unreachable",
            "addresses:",
            "  ROUTER  ROUTER-veth1  up * 198.51.100.254/24",
            "routes:",
            "  HOST1   default * 192.0.2.254 * HOST1-veth0",
            "counters:",
            "  HOST1-veth0 * ROUTER-veth0 *",
            "packets: *",
            "  * ROUTER-veth0 in  icmp 192.0.2.1 > 198.51.100.1, *",
        ]
    )
    done.stdout.fnmatch_lines(["E *Right contains one more item: 'HOST2'", "E *['HOST1', 'ROUTER']*"])
    # Packets of tests before this one are not shown.
    done.stdout.no_fnmatch_line("*icmp 198.51.100.1 > 192.0.2.254*")


def test_a_failure_shows_what_links_do_and_jobs_and_ports(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.emu("two_segment")
        def test(net):
            net.link("HOST1", "ROUTER").set(mtu=1400)
            job = net["HOST2"].start_job("echo one; echo two; exec sleep 1000")
            net.wait_for(lambda: job.log() == "one\\ntwo\\n")
            with net["HOST1"].socket() as client:
                assert client.connect_ex((str(net["HOST2"].addresses[0].ip), 81)) > 0
            net.link("HOST2", "ROUTER").down()
            assert net.ping_all(timeout=0.2).ok
        """,
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "E * <pingall: 2/6 pairs reachable*; HOST1 → HOST2: ROUTER says *",
            "links:",
            "  HOST1-veth0 * ROUTER-veth0 * up * mtu 1400",
            "  HOST2-veth0 * ROUTER-veth1 * down * nothing",
            "jobs:",
            "  1 * HOST2 * running * echo one; echo two; exec sleep 1000",
            "last of job 1:",
            "  one",
            "  two",
            "packets: *",
            "  * HOST2-veth0 out tcp 198.51.100.1:81 > 192.0.2.1:* RST ACK, *",
        ]
    )


def test_a_failure_that_says_all_needs_no_network(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import emu
        import pytest

        pytestmark = pytest.mark.emu("two_segment", scope="module")

        def test_daemon(net):
            net["HOST2"].start_job("echo why; exit 3", ready=80)

        def test_privilege(net):
            raise emu.PrivilegeError("this machine lacks it")
        """,
    )
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["E *it ended (exit 3) before it was ready*", "E *  why", "E *lacks it"])
    done.stdout.no_fnmatch_line("*emu network two_segment*")


def test_a_fixture_of_ones_own_keeps_its_network_as_long_as_itself(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        seen = []

        @pytest.fixture(scope="module", params=[4, 6])
        def lab(emu_network, request):
            assert not any(net.is_running for net in seen)
            net = emu_network("two_segment", families=request.param, ignore_unsupported=True)
            seen.append(net)
            yield net
            assert net.is_running

        def test_first(lab):
            assert lab["HOST1"].can_reach("HOST2")

        def test_failing(lab):
            assert not lab["HOST1"].can_reach("HOST2")

        def test_without(emu_network):
            assert emu_network("two_segment", scope="session").path("HOST1", "ROUTER") == []
        """,
        "-q",
    )
    done.assert_outcomes(passed=2, failed=3)
    done.stdout.fnmatch_lines(["*test_failing?4? *", "*- emu network *", "*HOST1-veth0 * 192.0.2.1/24"])
    done.stdout.fnmatch_lines(["*test_failing?6? *", "*- emu network *", "*HOST1-veth0 * fd00::1/64"])
    assert str(done.stdout).count("- emu network two_segment -") == 3


def test_a_mistake_is_the_tests_line_and_emus_word(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def far(emu_network):
            return emu_network("two_segment")["HOTS2"]
        """
    )
    source = """
        import pytest

        pytestmark = pytest.mark.emu("two_segment", scope="module")

        def test_node(net): net["HOTS1"].can_reach("HOST2")

        def test_target(net): net["HOST1"].can_reach("HOTS2")

        def test_program(net): net["HOST1"].run(["nosuchprogram"])

        def test_status(net): net["HOST1"].run(["false"], check=True)

        def test_fixture(far): pass
        """
    done = run(pytester, source, "-q")
    done.assert_outcomes(failed=4, errors=1)
    done.stdout.fnmatch_lines(
        ["E *UsageError: no node 'HOTS1'; did you mean HOST1*", "*", "test_*: UsageError"]
    )
    done.stdout.fnmatch_lines(["E *CalledProcessError: *exit status 1*"])
    done.stdout.no_fnmatch_line("*/emu/*")
    assert str(done.stdout).count("- emu network") == 1  # of the program that failed


def test_packets_are_not_kept_where_they_are_not_wanted(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.emu("two_segment")
        def test(net):
            net.ping_all()
            net.close()
            assert False
        """,
        "--emu-capture=0",
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["no more can be told: *is not running*"])
    done.stdout.no_fnmatch_line("packets: *")


def test_mistakes_are_one_line(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.emu("two_segmen")
        def test_name(net): pass

        @pytest.mark.emu("two_segment", netwerk1="10.0.0.0/24")
        def test_parameter(net): pass

        @pytest.mark.emu("two_segment", scope="modul")
        def test_scope(net): pass

        def test_no_marker(net): pass

        def test_no_graph(emu_network):
            emu_network(5)
        """,
        "-q",
    )
    done.assert_outcomes(errors=4, failed=1)
    done.stdout.fnmatch_lines(
        [
            "no topology or file 'two_segmen'; did you mean two_segment?",
            "topology two_segment has no parameter 'netwerk1'; did you mean network1*",
            "a network of scope 'modul': no such scope; did you mean module?",
            'the fixture net needs one network: mark the test with @pytest.mark.emu("two_segment")',
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*During handling*")


_SOURCE = """
import pytest
pytestmark = pytest.mark.emu("two_segment")

def test_one(net): pass

def test_two(net): pass
"""
#: As on a machine that allows no network namespaces.
_NOWHERE = [
    "unshare", "--user", "--map-root-user", "sh", "-c",
    'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"', "sh",
]  # fmt: skip
_REFUSED = "no network can be built here: *No space left on device; *user.max_net_namespaces=*"


def test_skipped_where_networks_cannot_be_had(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    done = run(pytester, _SOURCE, "-p", "xdist", "-n1", prefix=_NOWHERE)
    done.assert_outcomes(skipped=2)
    done.stdout.fnmatch_lines([f"emu: 2 skipped: {_REFUSED}; with --emu-required they fail"])


@pytest.mark.parametrize("by", ["--emu-required", "--override-ini=emu_required=true"])
def test_fails_there_where_that_is_wanted(pytester: pytest.Pytester, by: str) -> None:
    done = run(pytester, _SOURCE, by, "-q", prefix=_NOWHERE)
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*ERROR at setup of test_one*", _REFUSED, "*ERROR at setup of test_two*"])
    assert len(done.outlines) < 15


def test_workers_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.emu("two_segment", scope="session")
        @pytest.mark.parametrize("number", range(6))
        def test(net, number):
            assert net["HOST1"].can_reach("HOST2")
            assert number != 5, net.name
        """,
        "-p", "xdist", "-n2",
    )  # fmt: skip
    done.assert_outcomes(passed=5, failed=1)
    done.stdout.fnmatch_lines(["*- emu network two_segment -*", "packets: *"])


def test_who_asks_for_no_network_pays_nothing(pytester: pytest.Pytester) -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import emu.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    env = {**os.environ, "PYTHONPATH": SOURCE}
    words = [sys.executable, "-P", "-c", code]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"emu", "emu.pytest_plugin"}
