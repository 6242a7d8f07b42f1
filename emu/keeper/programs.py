"""Starting programs inside nodes. Standard library only."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import termios
from collections.abc import Callable, Sequence

from .namespaces import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS, become_node, end_with_parent, setns
from .wire import FOLDER, FRONT

#: What a supervisor passes on to the program's process group.
FORWARDED = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1,
    signal.SIGUSR2,
)  # fmt: skip


class View:
    """The namespaces a node's programs run in, as descriptors."""

    def __init__(self, net: int, mount: int, uts: int) -> None:
        self.net, self.mount, self.uts = net, mount, uts

    def close(self) -> None:
        """Let go of what is the view's own, which is not the network namespace."""
        os.close(self.mount)
        os.close(self.uts)

    def enter(self) -> None:
        """Move the calling process (it must have one thread) into the node."""
        setns(self.net, CLONE_NEWNET)
        setns(self.uts, CLONE_NEWUTS)
        setns(self.mount, CLONE_NEWNS)


class Program:
    """What to run: the command and its surroundings, as the caller has them.

    `nofile` is the (soft, hard) limit of open files, as the keeper's own soft limit is raised; `fds`
    are standard input, output and error, or one descriptor of a pseudo-terminal if it is `terminal`; `user`
    is who runs it: user, group, and other groups, or None for root. Where it cannot begin in `cwd`, it begins
    in / unless that `is_chosen`.
    """

    def __init__(
        self, argv: list[bytes], env: dict[bytes, bytes], cwd: bytes, umask: int, nofile: tuple[int, int],
        fds: list[int], terminal: bool, user: tuple[int, int, list[int]] | None = None,
        is_chosen: bool = False,
    ) -> None:  # fmt: skip
        self.argv, self.env, self.cwd, self.umask = argv, env, cwd, umask
        self.nofile, self.fds, self.terminal, self.user = nofile, fds, terminal, user
        self.is_chosen = is_chosen


def fork_and(child: Callable[[], None]) -> int:
    """Fork, run `child` in the new process and end it; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        child()
    finally:
        os._exit(70)


def open_view(net_fd: int, name: str, private: Sequence[str] = ()) -> View:
    """Make the mount and UTS namespaces of a node and return descriptors that keep them.

    Raises the OSError of the step that failed, with its file name.
    """
    ready_read, ready_write = os.pipe()
    done_read, done_write = os.pipe()

    def hold() -> None:
        os.close(done_write)
        try:
            become_node(net_fd, name, private)
        except OSError as error:
            os.write(ready_write, f"{error.errno} {error.filename or error.strerror}".encode())
            return
        os.write(ready_write, b"+")
        os.read(done_read, 1)
        os._exit(0)

    pid = fork_and(hold)
    try:
        os.close(ready_write)
        if (answer := os.read(ready_read, 1024)) != b"+":
            number, _, about = answer.decode().partition(" ")
            raise OSError(int(number or errno.EIO), about or "make the node's mount and UTS namespaces")
        spaces = (os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("mnt", "uts"))
        return View(net_fd, *spaces)
    finally:
        for fd in (ready_read, done_read, done_write):
            os.close(fd)
        os.waitpid(pid, 0)


def start(program: Program, view: View | None, join: Callable[[], None] | None = None) -> int:
    """Start `program` in a node (None: in the sandbox itself) and return its process id.

    `join` puts the process that calls it into the node's control group. Raises the OSError of the step that
    failed, `execvp` included.
    """
    error_read, error_write = os.pipe()

    def child() -> None:
        try:
            os.setsid()
            if join is not None:
                join()
            if view is not None:
                view.enter()
            enter_surroundings(program)
            become_user(program.user)
            if program.terminal:
                supervise(program, error_write)
            else:
                execute(program.argv, program.env)
        except OSError as error:
            os.write(error_write, f"{error.errno} {error.filename or ''}".encode())

    pid = fork_and(child)
    os.close(error_write)
    with os.fdopen(error_read) as pipe:
        reason = pipe.read()
    if reason:
        os.waitpid(pid, 0)
        number, _, name = reason.partition(" ")
        raise OSError(int(number), os.strerror(int(number)), name or os.fsdecode(program.argv[0]))
    return pid


def enter_surroundings(program: Program) -> None:
    """Take over the caller's descriptors, folder, limits and signal settings."""
    fds = program.fds * 3 if program.terminal else program.fds
    # Through copies above the first three: one of the passed descriptors may itself be 0, 1 or 2.
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in fds]
    for target, copy in enumerate(copies):
        os.dup2(copy, target)
    try:
        os.chdir(program.cwd)
    except OSError as error:
        if program.is_chosen:
            error.filename = f"{FOLDER}{program.cwd.decode(errors='replace')}"
            raise
        os.chdir("/")  # the caller's is hidden by the sandbox's own /run, or removed
    os.umask(program.umask)
    hard = min(program.nofile[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(program.nofile[0], hard), hard))
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, *FORWARDED):
        signal.signal(number, signal.SIG_DFL)


def become_user(user: tuple[int, int, list[int]] | None) -> None:
    """Become another user than root."""
    if user is not None:
        uid, gid, groups = user
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def execute(argv: list[bytes], env: dict[bytes, bytes]) -> None:
    """Become the program, looked up in its own PATH."""
    os.execvpe(argv[0], argv, env)


def supervise(program: Program, error_write: int) -> None:
    """Lead a terminal session and run the program as its foreground job, as a shell does.

    The kernel discards a terminal's stop signal for an orphaned process group, so the program needs
    a living parent in its session. This process stops itself when the program stops, and takes the terminal
    back; it wakes the program when it is continued, in the background unless `FRONT` came first. Its own
    status is the program's.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def job() -> None:
        try:
            end_with_parent()
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
            for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):  # it is another terminal's
                signal.signal(number, signal.SIG_DFL)
            execute(program.argv, program.env)
        except OSError as error:
            os.write(error_write, f"{error.errno} ".encode())

    def to_front(*_: object) -> None:
        os.tcsetpgrp(0, pid)
        os.killpg(pid, signal.SIGWINCH)  # the size may have changed while the terminal was ours

    pid = fork_and(job)
    for number in FORWARDED:
        signal.signal(number, lambda received, _: os.killpg(pid, received))
    signal.signal(FRONT, to_front)
    # Nothing of the keeper may stay open here, or its clients would never see their connections end.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            exit_like(status)
        os.tcsetpgrp(0, os.getpgrp())
        os.kill(os.getpid(), signal.SIGSTOP)
        os.killpg(pid, signal.SIGCONT)


def exit_like(status: int) -> None:
    """End this process the way `status` (of waitpid) says another one ended."""
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if os.WTERMSIG(status) != signal.SIGKILL:  # which nobody can do anything about
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
