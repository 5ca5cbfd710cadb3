"""Demo: the main job on real input: several processes index the standard library under limits, and one is killed.

Everything it shows happens: errors, locks, the SIGKILL, the grants. It leaves nothing behind unless told to.
"""

from semaphores.demo.run import run_demo

__all__ = ["run_demo"]
