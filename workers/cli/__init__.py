"""Command line of runs that need code: `semaphores worker`, `semaphores run execute`.

They are words of `semaphores` by the entry points in pyproject.toml; `semaphores` itself never imports this.
"""
