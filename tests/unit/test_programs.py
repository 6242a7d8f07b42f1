"""The node programs without a network: their command lines, and what ping counts and prints."""

from __future__ import annotations

import pytest

from emu.programs import ping_settings, raw, traceroute
from emu.programs.options import Refusal
from emu.programs.ping_report import Tally, brief_millis, damage


def ping(line: str) -> ping_settings.Settings:
    settings = ping_settings.read_settings(line.split())
    assert settings is not None
    return settings


def trace(line: str) -> traceroute.Settings:
    settings = traceroute.read_settings(line.split())
    assert settings is not None
    return settings


def refusal(line: str) -> str:
    with pytest.raises(Refusal) as caught:
        ping(line)
    assert caught.value.status == 2
    return str(caught.value)


# -- command lines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["-c 1 -n -q HOST2", "HOST2 -c1 -nq", "-qnc1 HOST2", "-nq HOST2 -c 1", "-c 9 -qn -c 1 -- HOST2"]
)
def test_options_are_read_wherever_they_stand(line: str) -> None:
    settings = ping(line)
    assert (settings.host, settings.wanted, settings.numeric, settings.quiet) == ("HOST2", 1, True, True)


def test_what_ping_does_unless_told_otherwise() -> None:
    settings = ping("HOST2")
    assert (settings.wanted, settings.interval, settings.linger, settings.size) == (None, 1.0, 10.0, 56)
    assert (settings.deadline, settings.hops, settings.version) == (None, None, None)


@pytest.mark.parametrize(("line", "source", "device", "version"), [
    ("-I 192.0.2.1", "192.0.2.1", None, 4),
    ("-I fd00::1", "fd00::1", None, 6),
    ("-I fe80::1%HOST1-veth0", "fe80::1%HOST1-veth0", None, 6),
    ("-I HOST1-veth0", None, "HOST1-veth0", None),
    ("-I 1", None, "1", None),
    ("-6 -I HOST1-veth0", None, "HOST1-veth0", 6),
    ("-I 192.0.2.1 -I HOST1-veth0", "192.0.2.1", "HOST1-veth0", 4),
])  # fmt: skip
def test_a_source_is_an_address_or_an_interface(
    line: str, source: str | None, device: str | None, version: int | None
) -> None:
    settings = ping(f"{line} HOST2")
    assert (settings.source, settings.device, settings.version) == (source, device, version)


@pytest.mark.parametrize(
    ("line", "named"), [("-f HOST2", "-f"), ("-qfc1 HOST2", "-f"), ("--count HOST2", "--count")]
)
def test_an_option_that_ping_lacks_is_named(line: str, named: str) -> None:
    assert refusal(line) == (
        f"emu's own ping has no option {named}; it takes -c -i -W -w -I -s -t -q -n -4 -6; "
        "install iputils-ping for the rest"
    )


@pytest.mark.parametrize(("line", "reason"), [
    ("", "Destination address required"),
    ("HOST1 HOST2", "one destination"),
    ("HOST2 -c", "requires an argument -- 'c'"),
    ("-4 -6 HOST2", "only one"),
    ("-c x HOST2", "'x': -c takes a whole number"),
    ("-c 0 HOST2", "'0': out of range"),
    ("-c 99999999999999999999 HOST2", "out of range"),
    ("-t 256 HOST2", "0 <= value <= 255"),
    ("-s -1 HOST2", "'-1': out of range"),
    ("-i -1 HOST2", "-i takes seconds"),
    ("-W nan HOST2", "-W takes seconds"),
    ("-w inf HOST2", "-w takes seconds"),
    ("-i soon HOST2", "-i takes seconds"),
])  # fmt: skip
def test_what_cannot_be_understood_is_refused(line: str, reason: str) -> None:
    assert reason in refusal(line)


@pytest.mark.parametrize("line", ["-h", "--help", "-h HOST2"])
def test_help_is_no_error(line: str) -> None:
    assert ping_settings.read_settings(line.split()) is None
    assert traceroute.read_settings(line.split()) is None


def test_traceroute_options() -> None:
    assert trace("HOST2") == ("HOST2", 1, 30, 3, (5.0, 3.0, 10.0), None, False, False)
    assert trace("-In6 -m5 -f 2 -q1 -w 2 HOST2") == ("HOST2", 2, 5, 1, (2.0, 0.0, 0.0), 6, True, True)
    assert trace("HOST2 -w 2,3.5").wait == (2.0, 3.5, 0.0)


@pytest.mark.parametrize("line", [
    "", "A B", "-T A", "-m 0 A", "-m 256 A", "-q 11 A", "-f 4 -m 3 A", "-w x A", "-w 1,2,3,4 A", "-4 -6 A",
    "A -q",
])  # fmt: skip
def test_traceroute_refuses_what_it_cannot_understand(line: str) -> None:
    with pytest.raises(Refusal) as caught:
        trace(line)
    assert caught.value.status == 2


# -- counting and printing --------------------------------------------------------------------------


def tally_of(*micros: int, sent: int = 0) -> Tally:
    tally = Tally()
    tally.sent = sent or len(micros)
    for time in micros:
        tally.received += 1
        tally.count_time(time)
    return tally


def test_the_statistics_of_ping() -> None:
    assert tally_of(100, 200, 300, sent=4).summary("HOST2", spent=3.0042, timed=True) == (
        "\n--- HOST2 ping statistics ---\n"
        "4 packets transmitted, 3 received, 25% packet loss, time 3004ms\n"
        "rtt min/avg/max/mdev = 0.100/0.200/0.300/0.081 ms"
    )


def test_the_statistics_of_a_ping_with_nothing_but_trouble() -> None:
    tally = Tally()
    tally.sent, tally.errors, tally.duplicates, tally.corrupted = 3, 3, 2, 1
    tally.acknowledge(1)
    assert tally.summary("HOST2", spent=0.404, timed=True) == (
        "\n--- HOST2 ping statistics ---\n"
        "3 packets transmitted, 0 received, +2 duplicates, +1 corrupted, +3 errors, "
        "100% packet loss, time 404ms\n"
        "pipe 3"
    )


def test_a_loss_has_six_digits_at_most() -> None:
    assert "33.3333% packet loss" in tally_of(1, 1, sent=3).summary("HOST2", 0, timed=False)


def test_a_ping_that_sent_nothing_lost_nothing() -> None:
    assert Tally().summary("HOST2", 0, timed=True).endswith("\n0 packets transmitted, 0 received\n")


def test_requests_under_way_are_counted_across_the_end_of_the_numbers() -> None:
    tally = Tally()
    tally.sent = 0x10001
    tally.acknowledge(0xFFFF)
    assert tally.pipe == 3


def test_a_snapshot() -> None:
    assert Tally().snapshot(timed=True) == "0/0 packets, 0% loss"
    # A round trip moves the average by an eighth of its difference.
    assert tally_of(100, 900, sent=3).snapshot(timed=True) == (
        "2/3 packets, 33% loss, min/avg/ewma/max = 0.100/0.500/0.200/0.900 ms"
    )


@pytest.mark.parametrize(("micros", "text"), [
    (0, "0.000"), (45, "0.045"), (999, "0.999"), (1000, "1.00"), (1234, "1.23"), (9994, "9.99"),
    (9995, "10.0"), (12345, "12.3"), (99949, "99.9"), (99950, "100"), (1_234_567, "1235"),
])  # fmt: skip
def test_a_round_trip_time_has_three_digits(micros: int, text: str) -> None:
    assert brief_millis(micros) == text


def test_a_damaged_payload_is_reported() -> None:
    assert damage(b"abcd", b"xbcd", start=1) == ""
    assert damage(b"abc", b"abcd", start=0) == " (truncated)"
    assert damage(b"aXcd", b"abcd", start=0) == "\nwrong data byte #1 should be 0x62 but was 0x58"


def test_a_clock_that_was_set_back_does_not_make_time_run_backwards() -> None:
    sent = raw.now()
    assert raw.elapsed(sent, sent.wall + 1) == 1
    assert 0 <= raw.elapsed(sent, sent.wall - 10**12) < 10**11
    assert 0 <= raw.elapsed(sent, sent.wall + 10**12) < 10**11
