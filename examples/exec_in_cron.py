"""Cron jobs on many hosts, one at a time: `semaphores exec` in front of the command. In a crontab:

    */5 * * * *  SEMAPHORES_URL=redis://...  semaphores exec --pool nightly --timeout 15 -- /usr/local/bin/export

`--timeout` is longer than the ttl (10 s), so that a host that crashed while it held the slot does not stop the others.
"""

import subprocess
import sys

from semaphores import connect

EXEC = [sys.executable, "-m", "semaphores", "exec", "--pool", "nightly", "--timeout"]


def job(timeout: str, command: str) -> int:
    """Run a shell command as cron would, and return its exit code: 124 if there was no slot in time."""
    return subprocess.run(
        [*EXEC, timeout, "--", "sh", "-c", command], check=False, stderr=subprocess.DEVNULL
    ).returncode


if __name__ == "__main__":
    client = connect()
    client.limits.set("pool:nightly", 1)
    print("its own exit code:", job("15", "exit 3"))
    with client.pool("nightly"):
        print("no slot in time:", job("0", "echo never"))
    print("its fencing token is there:", job("15", 'test -n "$SEMAPHORES_TOKEN"') == 0)
