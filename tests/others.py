"""Whether users other than root can run what root's tests run."""

import functools
import subprocess
import sys

#: In a program that it starts: `setpriv` itself still has root's right to read when it starts the first.
_CODE = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import networkx, pyroute2'], check=True)"
)
REASON = "other users cannot read this interpreter"


@functools.cache
def can_run_python() -> bool:
    """Tell whether a user without rights can start this interpreter, packages included."""
    words = ["setpriv", "--reuid=60001", "--regid=60001", "--clear-groups", sys.executable, "-c", _CODE]
    return subprocess.run(words, capture_output=True, cwd="/", check=False).returncode == 0
