"""Tree: the words of the command line. A noun's module is imported when it is used, so that `--help` is quick.

Every command and group takes the global options, so they may stand before and after it.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from semaphores.cli.nouns import NOUNS, Word, contributed_nouns, contributed_verbs
from semaphores.cli.words import nearest
from semaphores.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = ["CONFIG", "NAMESPACE", "URL", "Json", "Noun", "Verb", "CommandLine", "command_line", "noun", "single"]

URL, NAMESPACE, CONFIG = "semaphores.url", "semaphores.namespace", "semaphores.config"  # in the context's meta

Json = Annotated[bool, typer.Option("--json", help="Print JSON: times in ISO 8601 with zone, spans in seconds.")]


def _remember(ctx: typer.Context, param: typer.CallbackParam, value: str | None) -> str | None:
    if value is not None:
        ctx.meta[f"semaphores.{param.name}"] = value
    return value


_Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Server [default: SEMAPHORES_URL, else the embedded server].",
                 callback=_remember, expose_value=False),
]  # fmt: skip
_Namespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Namespace [default: SEMAPHORES_NAMESPACE, else 'default'].",
                 callback=_remember, expose_value=False),
]  # fmt: skip
_Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Configuration; its redis: section says where [SEMAPHORES_CONFIG].",
                 callback=_remember, expose_value=False),
]  # fmt: skip


def _anywhere(url: _Url = None, namespace: _Namespace = None, config: _Config = None) -> None:
    """Carry the options that every command takes."""


def _global_options() -> list[_Option]:
    app = typer.Typer(add_completion=False)
    app.command()(_anywhere)
    return [param for param in get_command(app).params if param.name in ("url", "namespace", "config")]


class CommandLine(Protocol):
    """What runs a list of words."""

    def main(self, args: Sequence[str], prog_name: str, *, standalone_mode: bool) -> object:
        """Run them; returns what the command returned, or its exit code."""


class _Formatter(Protocol):
    """What writes help, whichever library typer builds on."""

    def section(self, name: str) -> AbstractContextManager[None]: ...

    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


class _Quick:
    """Takes plain words as they are: typer builds a pydantic adapter for each, a tenth of a second a command."""

    def __init__(self, annotation: object, build: Callable[[], _Quick]) -> None:
        self._annotation, self._build = annotation, build

    def coerce(self, value: object, param: _Parameter, ctx: object) -> object:
        """Return the value of one parameter; numbers, choices and the like are typer's."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self._annotation is str or not isinstance(value, str | tuple | list):
            return value  # text, or a default that has its type already
        if isinstance(value, tuple | list) and (not value or self._annotation == list[str]):
            return list(value)
        return self._build().coerce(value, param=param, ctx=ctx)


class _Parameter(Protocol):
    multiple: bool
    nargs: int


class _Option(Protocol):
    opts: list[str]


def _quicken(params: Iterable[object]) -> None:
    """Spare plain words the detour, where this version of typer takes it."""
    for param in params:
        build, descriptor = getattr(param, "get_runtime_param", None), getattr(param, "type_descriptor", None)
        if build is not None and descriptor is not None:
            quick = _Quick(descriptor.annotation, build)
            vars(param)["get_runtime_param"] = lambda quick=quick: quick


class Verb(TyperCommand):
    """A command that takes the global options."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        taken = {option for param in self.params for option in param.opts}  # `run submit --config` is of the run
        self.params.extend(option for option in _global_options() if not taken.intersection(option.opts))  # type: ignore[misc]
        _quicken(self.params)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse words. Where -1 is a number, unknown options are looked for here."""
        if ctx.ignore_unknown_options:
            for word in self._options(ctx, args):
                known = [name for param in self.get_params(ctx) for name in param.opts]
                if word not in known:
                    meant = nearest(word, known)
                    hint = f"; did you mean {meant}?" if meant else f"; see '{ctx.command_path} --help'"
                    raise UsageError(f"No such option: {word}{hint}")
        return super().parse_args(ctx, args)

    def _options(self, ctx: typer.Context, args: list[str]) -> Iterator[str]:
        with_value = {
            name for param in self.get_params(ctx) if not getattr(param, "is_flag", False) for name in param.opts
        }
        words = iter(args)
        for word in words:
            if word == "--":
                return
            if word.startswith("-") and word != "-" and not re.fullmatch(r"-[0-9.]+", word):
                yield word.partition("=")[0]
                if word in with_value:
                    next(words, None)


class Noun(TyperGroup):
    """A group of verbs that takes the global options."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.params.extend(_global_options())  # type: ignore[arg-type]
        _quicken(self.params)

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the verbs in the order of the help: ours, then those that other packages add."""
        own = super().list_commands(ctx)
        return [*own, *(verb for verb in contributed_verbs(self.name or "") if verb not in own)]

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]
        """Return a verb. Raises UsageError with the nearest known one."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        added = contributed_verbs(self.name or "")
        if cmd_name not in added:
            raise unknown_command(f"{self.name} {cmd_name}", nearest(cmd_name, [*self.commands, *added]))
        return _imported(added[cmd_name], cmd_name)


class Root(Noun):
    """All nouns, imported when used."""

    def list_commands(self, ctx: object) -> list[str]:
        """Return the nouns in the order of the help."""
        return [*NOUNS, *contributed_nouns()]

    def get_command(self, ctx: object, cmd_name: str):  # type: ignore[no-untyped-def]
        """Return a noun, its module imported."""
        word = NOUNS.get(cmd_name) or contributed_nouns().get(cmd_name)
        if word is None:
            raise unknown_command(cmd_name, nearest(cmd_name, self.list_commands(ctx)))
        return _imported(word, cmd_name)

    def format_commands(self, ctx: typer.Context, formatter: _Formatter) -> None:  # type: ignore[override]
        """Write the list of nouns without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, word.help) for name, word in {**NOUNS, **contributed_nouns()}.items()])


def _imported(word: Word, name: str):  # type: ignore[no-untyped-def]
    """Return the command of a word, its module imported."""
    module = import_module(word.module)
    found = get_command(module.apps[name] if hasattr(module, "apps") else module.app)
    found.name = name
    return found


def unknown_command(words: str, meant: str | None) -> UsageError:
    """Return the error for words that are no command."""
    path = " ".join(["semaphores", *words.split(" ")[:-1]])
    hint = f"; did you mean {meant!r}?" if meant else f"; see '{path} --help'"
    return UsageError(f"there is no command {words!r}{hint}")


def noun(text: str) -> typer.Typer:
    """Return a group of verbs; `text` is its help."""
    app = single()

    @app.callback(cls=Noun, help=text, no_args_is_help=True)
    def group() -> None:
        """Be a group, even of one verb."""

    return app


def single() -> typer.Typer:
    """Return an application of one verb."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def command_line() -> CommandLine:
    """Return the whole command line."""
    app = single()

    @app.callback(cls=Root, no_args_is_help=True, context_settings={"help_option_names": ["--help", "-h"]})
    def semaphores(
        version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
    ) -> None:
        """Distributed counting semaphores on Redis or Valkey: limits that hold on all hosts at once."""

    return get_command(app)
