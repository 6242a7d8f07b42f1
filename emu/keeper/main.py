"""The process that holds one network: PID 1 of a sandbox of Linux namespaces.

`emu.sandboxes.sandbox` starts it as `python -I -S`. It makes the namespaces, forks (a new PID namespace
begins with a child) and serves. When it dies, however it dies, the kernel ends every process in the PID
namespace and frees every namespace, link, route and mount. Standard library only.
"""

import os
import signal
import socket

from .mapping import Mapper, lent_ids
from .namespaces import CLONE_NEWUSER, SANDBOX, enter_user_namespace_of, unshare
from .service import Keeper
from .wire import send_frame


def enter_sandbox(kinds: int = SANDBOX) -> None:
    """Move this process into new namespaces, with a user namespace where plain ones are refused."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            unshare(kinds)
        except PermissionError:  # root without rights, as in a container: go on as any other user
            pass
        else:
            return
    lent = lent_ids(uid)
    mapper = Mapper(lent, {"uid": uid, "gid": gid}) if lent else None
    unshare(kinds | CLONE_NEWUSER)
    if mapper is not None:
        mapper.map()
    enter_user_namespace_of(uid, gid)


def main(name: str, *descriptors: str) -> None:
    """Make the sandbox of network `name` and serve it.

    The descriptors, all inherited, are the owner's connection, the listening socket, the network's
    folder and a pidfd of the owner.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    fds = [int(fd) for fd in descriptors]
    for fd in fds:
        os.set_inheritable(fd, False)
    first, listener = (socket.socket(fileno=fd) for fd in fds[:2])
    try:
        enter_sandbox()
        child = os.fork()
    except OSError as error:
        send_frame(first, {"errno": error.errno, "about": error.strerror})
        return
    if child == 0:
        os.chdir("/")
        os.umask(0o022)
        Keeper(name, listener, *fds[2:]).serve(first)
        os._exit(0)
