"""Filters of captures, in the language of tcpdump (pcap-filter(7))."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ..errors import EmuError, UsageError, one_line
from ..processes.process import Process
from ..sandboxes.connection import Sandbox

_SCRIPT = Path(__file__).with_name("compile.py")
#: How long compiling may take, in seconds.
_DEADLINE = 20.0


def compile_filter(sandbox: Sandbox, text: str) -> bytes:
    """Return the instructions of a filter; none for an empty one.

    It is compiled in the sandbox, where the names of nodes have addresses, and where looking up a name asks
    nobody on the machine's own networks.

    Raises:
        UsageError: there is a mistake in it; says where.
        EmuError: there is no libpcap.
    """
    if not text.strip():
        return b""
    attempt = f"capture with filter {one_line(text)!r}"
    words = [sys.executable, "-P", str(_SCRIPT), text]
    with Process(sandbox, None, words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=_DEADLINE)
    try:
        answer = json.loads(out)
    except ValueError:
        raise EmuError(f"{attempt}: the compiler failed, with status {process.returncode}") from None
    if "missing" in answer:
        raise EmuError(f"{attempt}: that needs libpcap; 'pip install cypcap' or install tcpdump")
    if "fault" in answer:
        raise UsageError(f"{attempt}: {one_line(answer['fault'])}; man pcap-filter has the language")
    return bytes.fromhex(answer["code"])
