"""Executor: carries out the ops of one run in this process tree. No server is known here; `protocol` has what is asked
of the caller."""
