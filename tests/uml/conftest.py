"""Every test of this folder runs on a user-mode Linux machine, which is booted once for each file.

They are ordinary tests: on the outer side their outcomes are read from what a second pytest, on the
machine, reports of the very same ones. `@pytest.mark.uml("ipv6.disable=1")` asks for a machine with
other kernel options; each set of them is one more boot.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .machine import interpreter_folders, load_modules, run_on_machine, why_not

_HERE = Path(__file__).parent
#: Where the pytest on the machine writes its reports; unset on the outer side.
_REPORTS = os.environ.get("EMU_UML_REPORTS")
#: What is there from the start: nothing on the machine loads modules by itself.
_LOADED = (
    "veth", "bridge", "ifb", "vrf", "vxlan", "dummy", "macvlan", "8021q", "ipv6",
    "sch_netem", "sch_htb", "sch_tbf", "sch_hfsc", "sch_ingress", "act_mirred", "cls_matchall", "cls_u32",
    "nf_tables",
)  # fmt: skip
#: What the machine is told of the environment outside.
_PASSED_ON = [f"{name}={os.environ[name]}" for name in ("EMU_MEASURE",) if name in os.environ]
_Reports = dict[str, list[pytest.TestReport]]
_reports: pytest.StashKey[dict[tuple[Path, tuple[str, ...]], _Reports]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "uml(option, …): run on a machine with these kernel options")


def _is_ours(item: pytest.Item) -> bool:
    return _HERE in item.path.parents


if _REPORTS is not None:
    _written = Path(_REPORTS)

    def pytest_sessionstart() -> None:
        """Give the kernel its modules."""
        load_modules(_LOADED)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
        """Write each report down at once, so that none is lost when the machine breaks down."""
        report = yield
        data = item.config.hook.pytest_report_to_serializable(config=item.config, report=report)
        with _written.open("a") as file:
            file.write(json.dumps(data) + "\n")
        return report

else:

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Leave the tests out where there is no user-mode Linux."""
        if (reason := why_not()) is not None:
            for item in filter(_is_ours, items):
                item.add_marker(pytest.mark.skip(reason=reason))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
        """Report what the machine reported of a test."""
        if not _is_ours(item) or why_not() is not None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in _reports_of(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def _reports_of(item: pytest.Item) -> list[pytest.TestReport]:
    """Return the reports of a test; the first of a file that asks for a machine boots it for all like it.

    Not for other files: other workers, if there are any, have those.
    """
    known = item.session.stash.setdefault(_reports, {})
    kind = (item.path, _options(item))
    if kind not in known:
        chosen = [one for one in item.session.items if (one.path, _options(one)) == kind]
        known[kind] = _run_all(chosen, kind[1])
    return known[kind][item.nodeid]


def _options(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("uml")
    return tuple(marker.args) if marker else ()


def _run_all(items: list[pytest.Item], options: tuple[str, ...]) -> _Reports:
    """Run tests on one machine and return the reports of each."""
    config = items[0].config
    root = config.rootpath
    command = [
        "env", "-C", str(root), "EMU_UML_REPORTS={folder}/reports", "PYTHONDONTWRITEBYTECODE=1", *_PASSED_ON,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", f"PYTHONPATH={root}", sys.executable, "-m", "pytest", "-q",
        "-p", "no:cacheprovider", "-p", "emu.pytest_plugin", f"--rootdir={root}", "@{folder}/tests",
    ]  # fmt: skip
    tests = "".join(f"{root / item.nodeid}\n" for item in items)
    outcome = run_on_machine(
        command, {"tests": tests}, options=options, visible=[root, *interpreter_folders()],
        timeout=120 + 30 * len(items),
    )  # fmt: skip
    found: _Reports = {item.nodeid: [] for item in items}
    for line in outcome.files.get("reports", "").splitlines():
        report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
        if isinstance(report.longrepr, list):  # where and why a test was skipped; JSON has no tuples
            report.longrepr = tuple(report.longrepr)
        found[report.nodeid].append(report)
    end = "was ended" if outcome.status is None else f"left with {outcome.status}"
    reason = f"the machine's pytest {end}"
    text = f"{reason} before this test's end; its console:\n{outcome.console[-10_000:]}"
    for item in items:
        if not found[item.nodeid] or found[item.nodeid][-1].when != "teardown":
            found[item.nodeid].append(_failure(item, text))
            text = f"{reason} before this test"
    return found


def _failure(item: pytest.Item, text: str) -> pytest.TestReport:
    """Return the report of a test that the machine did not get to the end of."""
    keywords: dict[str, Any] = dict.fromkeys(item.keywords, 1)
    return pytest.TestReport(item.nodeid, item.location, keywords, "failed", text, "call")
