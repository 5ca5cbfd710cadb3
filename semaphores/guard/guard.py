"""The guard: the process that owns a command and kills it, and all that came of it, before the lease's deadline D.

It knows no lease, no server and no package: a deadline and orders come over one socket (its `link`). Invariant: it
ends only when nothing of the command is left. It imports little, as each `exec` waits for it to start.

From the holder, one a line          To the holder, one a line
    deadline SECONDS  the new D          started PID
    begin SECONDS     the D of a lease   stopped SIGNAL        the command was stopped (as by Ctrl-Z)
                      that is another    failed ERRNO          the command could not be started
    signal NUMBER     to the command     over CODE WHY         nothing is left of it; WHY it was ended, or "itself"
    lost              the lease is gone
    end               end it in 1.5 s

A deadline never comes nearer, so that what was late is no harm; `begin` may bring it nearer: a command that works for
one lease after the other has none in between (`begin inf`).

Reach: on Linux every descendant (the guard is a child subreaper: what left the process group, even by setsid and a
double fork, comes back to it). Elsewhere the process group. Nowhere what another user's process (sudo) or a daemon
(docker, systemd-run, at) runs on the command's behalf.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from semaphores.guard.clock import now
from semaphores.guard.offspring import adopt, offspring

__all__ = ["main"]

_LINUX = sys.platform == "linux"

# How long before D, in seconds, as a share of the longest rest seen (about 0.75 of the ttl): SIGTERM, then SIGKILL.
# The floors leave a loaded machine time to run this process; the caps let a long lease be used nearly to its end.
_TERM_SHARE, _TERM_LEAST, _TERM_MOST = 0.2, 0.3, 2.0
_KILL_SHARE, _KILL_LEAST, _KILL_MOST = 0.1, 0.2, 0.5

_PATIENCE = {  # seconds from SIGTERM to SIGKILL, unless D comes first
    "end": 1.5,  # the holder has to be gone 2 s after its own SIGTERM
    "lost": 1.0,  # others may hold the slot already
    "orphaned": 1.0,  # the holder is dead: nobody renews the lease any more
    "itself": 1.0,  # the command ended; this is for what it left running
}
_LONGEST_SLEEP = 1.0  # seconds: timers stand still in a suspend, so the clock is read at least this often
_FIRST_ROUND = 0.01  # seconds until SIGKILL is sent again, doubled each time: for what cannot die, or not by us

_IGNORED = (  # the holder decides what a signal means; a terminal's or a shutdown's must not take the guard first
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)  # the command gets them back as they are everywhere else


def main() -> None:
    """Run `FOLDER LINK HOLDER DEADLINE LC_CTYPE COMMAND...`, until nothing of it is left."""
    link, holder, deadline, language = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
    os.set_inheritable(link, False)
    if os.getppid() != holder or now() >= deadline:  # we were slow: nothing may start any more
        _tell(link, "over 0 deadline")
        return
    if _LINUX:
        adopt()
    wake = _wake_on_child()
    back_to_default = [number for number in _IGNORED if signal.getsignal(number) != signal.SIG_IGN]
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    try:
        leader = _spawn(sys.argv[6:], language, [*back_to_default, *_PYTHON_IGNORES, signal.SIGCHLD])
    except OSError as error:
        _tell(link, f"failed {error.errno}")
        return
    _let_go_of_files(keep=(link, wake))
    os.set_blocking(link, False)
    Guard(leader, link, wake, holder, deadline).run()


def _tell(link: int, line: str) -> None:
    try:
        os.write(link, line.encode() + b"\n")
    except OSError:  # the holder is gone: nobody to tell
        return


def _wake_on_child() -> int:
    """Return a file that becomes readable when a child changes its state."""
    wake, told = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return wake


def _spawn(command: list[str], language: str, back_to_default: list[signal.Signals]) -> int:
    """Start the command as the leader of a process group of its own, with the files and the environment given to us."""
    environment = dict(os.environ)
    environment.pop("LC_CTYPE", None)  # Python sets it for itself in the C locale
    if language:
        environment["LC_CTYPE"] = language
    return os.posix_spawnp(command[0], command, environment, setpgroup=0, setsigmask=(), setsigdef=back_to_default)


def _let_go_of_files(keep: tuple[int, ...]) -> None:
    """Close what belongs to the command: a pipe must break when the command closes its end, not when we end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    with os.scandir("/dev/fd") as found:
        files = [int(entry.name) for entry in found]
    for number in files:
        if number > 2 and number not in keep and _inheritable(number):
            os.close(number)


def _inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # the listing's own file, closed by now
        return False


class Guard:
    """One command from its start until nothing of it is left."""

    def __init__(self, leader: int, link: int, wake: int, holder: int, deadline: float) -> None:
        self._leader, self._link, self._wake, self._holder = leader, link, wake, holder
        self._group = leader
        self._code: int | None = None  # as waitstatus_to_exitcode; None while the leader lives
        self._childless = False
        self._deadline = deadline
        self._longest_rest = max(0.0, deadline - now())
        self._why = ""  # why the command is being ended; empty while it may run
        self._why_leader = ""  # the same when the leader ended
        self._kill_at = float("inf")
        self._killed = set[int]()  # what left the group and was sent a SIGKILL
        self._round = 0.0  # seconds until the next
        self._rest = b""  # of a line not wholly read
        self._holder_file = self._open_holder()

    def run(self) -> None:
        """Watch until nothing is left, then tell the holder."""
        poll = select.poll()
        for file in (self._link, self._wake, self._holder_file):
            if file >= 0:
                poll.register(file, select.POLLIN)
        _tell(self._link, f"started {self._leader}")
        while True:
            self._reap()
            if self._code is not None and self._nobody_left():
                break
            self._judge()
            for file, _ in poll.poll(self._sleep() * 1000):
                if file == self._wake:
                    os.read(self._wake, 4096)
                elif file != self._link or not self._obey():
                    poll.unregister(file)
                    self._end("orphaned")
        _tell(self._link, f"over {self._code} {self._why_leader or 'itself'}")

    # what the holder says, and whether it lives

    def _open_holder(self) -> int:
        """Return a file that tells of the holder's death, or -1. A forked sibling can keep the link open after it."""
        try:
            return os.pidfd_open(self._holder) if _LINUX else -1
        except OSError:  # an old kernel, a sandbox, or dead already: the parent's pid tells, at the next look
            return -1

    def _obey(self) -> bool:
        """Carry out what came over the link. Return whether it is still open."""
        try:
            came = os.read(self._link, 4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            order, _, value = line.decode().partition(" ")
            if order == "deadline":
                self._deadline = max(self._deadline, float(value))
                self._longest_rest = max(self._longest_rest, self._deadline - now())
            elif order == "begin":
                self._deadline = float(value)
                self._longest_rest = max(0.0, self._deadline - now())
            elif order == "signal":
                self._signal_group(int(value))
            else:
                self._end(order)
        return bool(came)

    # what is due, and when

    def _judge(self) -> None:
        if not self._why:
            if self._code is not None:
                self._end("itself")
            elif os.getppid() != self._holder:
                self._end("orphaned")
            elif now() >= self._deadline - self._before(_TERM_SHARE, _TERM_LEAST, _TERM_MOST):
                self._end("deadline")
        if self._why and now() >= self._kill_time():
            self._kill_all()

    def _before(self, share: float, least: float, most: float) -> float:
        return min(most, max(least, share * self._longest_rest))

    def _kill_time(self) -> float:
        return min(self._kill_at, self._deadline - self._before(_KILL_SHARE, _KILL_LEAST, _KILL_MOST))

    def _sleep(self) -> float:
        """Return how long nothing is due, in seconds."""
        if not self._why:
            rest = self._deadline - self._before(_TERM_SHARE, _TERM_LEAST, _TERM_MOST) - now()
        else:
            rest = self._kill_time() - now()
            if rest <= 0:
                return self._round
        return max(0.0, min(rest, _LONGEST_SLEEP, self._longest_rest / 10))

    def _end(self, why: str) -> None:
        """Ask all to end. The first reason stays, the nearest time of the SIGKILL holds."""
        self._kill_at = min(self._kill_at, now() + _PATIENCE.get(why, float("inf")))
        if self._why:
            return
        self._why = why
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)  # what stands still cannot end

    # the command and all that came of it

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._leader and os.WIFSTOPPED(status):
                _tell(self._link, f"stopped {os.WSTOPSIG(status)}")
            elif pid == self._leader:
                self._code, self._why_leader = os.waitstatus_to_exitcode(status), self._why

    def _nobody_left(self) -> bool:
        # With a subreaper, a descendant without living ancestors is our child: no child means no descendant.
        return self._childless and (_LINUX or not self._signal_group(0))

    def _signal_group(self, number: int) -> bool:
        """Send a signal to the command's process group. Return whether there was one."""
        if _LINUX and self._code is not None:
            return False  # the leader was reaped: its number can be anybody's
        try:
            os.killpg(self._group, number)
        except (ProcessLookupError, PermissionError):  # none, or only dead ones (macOS), or not ours to signal
            return False
        return True

    def _kill_all(self) -> None:
        found = self._signal_all(signal.SIGKILL)
        if found <= self._killed:
            self._round = min(max(_FIRST_ROUND, self._round * 2), _LONGEST_SLEEP)
        else:
            self._round = 0  # what was just found may have forked before it died: look again at once
        self._killed |= found

    def _signal_all(self, number: int) -> set[int]:
        """Send a signal to the group and to what left it. Return the pids of the latter."""
        left = set[int]()
        in_group = self._signal_group(number)  # first, and at once for all: no fork slips through
        for pid, group in offspring() if _LINUX else ():
            if in_group and group == self._group:
                continue
            left.add(pid)
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):  # gone meanwhile, or another user's
                continue
        return left
