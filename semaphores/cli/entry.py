"""Entry: runs one command and turns whatever happened into an exit code and at most one line on stderr.

Exit codes: 0 done, 1 refused, not found or no server, 2 the caller's mistake, 130 interrupted; `exec` adds 124 to 127.
No traceback reaches a user unless SEMAPHORES_DEBUG is set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Protocol, TextIO, runtime_checkable

from semaphores.cli.tree import command_line
from semaphores.cli.words import printable
from semaphores.errors import SemaphoresError, UsageError

__all__ = ["COMPLETE", "run", "say_error"]

COMPLETE = "_SEMAPHORES_COMPLETE"  # in the environment: what a shell asks, as typer has it
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


@runtime_checkable
class _UsageShown(Protocol):
    """What typer raises for words it cannot make sense of, whichever library its version builds on."""

    exit_code: int

    def format_message(self) -> str: ...


def run(words: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    if COMPLETE in os.environ:
        return _complete()
    try:
        code = _invoke(words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _mute(sys.stdout)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except UsageError as error:
        return say_error(error, 2)
    except SemaphoresError as error:
        return say_error(error, 1)
    except Exception as error:  # noqa: BLE001 - the last resort: one line, and how to tell more
        return _unexpected(error)
    return code


def _complete() -> int:
    """Answer the shell that asks for words; it is told nothing when there is nothing to tell, also no error."""
    from semaphores.cli.completing import prepare

    prepare()
    try:
        command_line().main([], prog_name="semaphores", standalone_mode=False)
    except Exception:  # noqa: BLE001 - words that make no sense have no continuation
        return 1
    return 0


def say_error(error: object, code: int) -> int:
    """Write one line on stderr and return the exit code."""
    print(f"error: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    if os.environ.get("SEMAPHORES_DEBUG") and isinstance(error, BaseException):
        _show_traceback(error)
    return code


def _invoke(words: Sequence[str]) -> int:
    try:
        result = command_line().main(list(words), prog_name="semaphores", standalone_mode=False)
    except Exception as error:
        if isinstance(error, _UsageShown):
            return _usage(error)
        if type(error).__name__ == "Abort":
            return INTERRUPTED
        raise
    return result if isinstance(result, int) else 0


def _usage(error: _UsageShown) -> int:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message, file=sys.stderr)
        return error.exit_code
    path = getattr(getattr(error, "ctx", None), "command_path", "semaphores")
    return say_error(f"{message.rstrip('.')}; see '{path} --help'", error.exit_code)


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.strerror:  # a full disk, no rights: no bug of ours
        return say_error(error, 1)
    told = " ".join(f"{type(error).__name__}: {error}".split())
    print(
        f"error: this is a bug: {printable(told)}; please report it with what SEMAPHORES_DEBUG=1 adds to this line",
        file=sys.stderr,
    )
    if os.environ.get("SEMAPHORES_DEBUG"):
        _show_traceback(error)
    return 1


def _show_traceback(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)


def _mute(stream: TextIO) -> None:
    """Let the interpreter's last flush go nowhere instead of complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
