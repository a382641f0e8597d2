"""The entry point: collects the nouns, and turns what goes wrong into one text and an exit code. No traceback, ever."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

import typer

from coderai import __version__
from coderai.cli.errors import FAILED, INTERRUPTED, OK, USAGE, WrongUse, as_json, as_lines, exit_code, ours
from coderai.cli.options import Run, command, noun
from coderai.cli.text import harmless
from coderai.errors import CoderaiError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a text of the audit trail may not fit into the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are written to stderr."""
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except typer.Abort:
        sys.stderr.write("aborted\n")
        return FAILED
    except Exception as error:  # noqa: BLE001 -- the top: nobody above us could say it better
        return _failed(ours(error), arguments)
    return code


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the tree of commands; when *arguments* name some, only those of them are complete: that starts faster."""
    app = typer.Typer(
        name="coderai", help="An open AI gateway with an audit trail.", no_args_is_help=True, add_completion=False
    )
    noun(app)
    named = [name for name in _NAMES if name in arguments]
    for name, about in _NOUNS:
        group = typer.Typer(no_args_is_help=True)
        noun(group)
        if name in named or not named:
            _module(name).register(group)
        app.add_typer(group, name=name, help=about)
    for name, module in _COMMANDS:
        if name in named or not named:
            function: Callable[..., None] = getattr(_module(module), name.replace("-", "_"))
            command(app, name)(function)
    app.command(
        "server",
        help="Run the gateway: `coderai server --help` lists its options.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(_server)
    return app


def _module(name: str) -> Any:
    """Each is loaded when it is wanted: a server, or another command, does without its time and memory."""
    return import_module(f"coderai.cli.{name}")


def version(run: Run) -> None:
    """Print the version; with --url also the server's."""
    from coderai.cli.shapes import Build

    server = ""
    if run.choices.url:
        with run.api() as api:
            server = api.read("/api/v2/buildinfo", Build).version
    if run.json:
        members = f'"version":"{__version__}"' + (f',"server":"{server}"' if server else "")
        run.document(f"{{{members}}}".encode())
        return
    run.say([f"coderai {__version__}", *([f"server {harmless(server)} at {run.choices.url}"] if server else [])])


_NOUNS: Final = (
    ("users", "Who may use the gateway."),
    ("tokens", "Tokens that tools and people sign in with."),
    ("providers", "Who is called: AI providers and their keys."),
    ("keys", "Provider keys of your own."),
    ("models", "How models are asked: the registry; `models seen`: what was called."),
    ("overrides", "Which model is meant in which context."),
    ("sessions", "What was done with AI tools, grouped by session."),
    ("interceptions", "Single exchanges with a provider."),
    ("usage", "How much was used, by whom and with what."),
    ("export", "Records as JSON lines or CSV, all of them."),
    ("retention", "How long things are kept; delete what is too old."),
    ("audit", "Who changed what on this server."),
    ("config", "The server's settings: what is in force, what there is."),
    ("db", "Work on the local data directory itself."),
    ("clients", "Tools: those that were seen, and how one is pointed here."),
    ("proxy", "The intercepting proxy: its certificate authority, and what its clients set."),
)
_COMMANDS: Final = (  # with the modules that have a function of that name
    ("login", "signing_in"),
    ("logout", "signing_in"),
    ("whoami", "signing_in"),
    ("reset-password", "signing_in"),
    ("completion", "completion"),
    ("version", "main"),
    ("demo", "demo"),
    ("doctor", "doctor"),
)
_NAMES: Final = (*(name for name, _ in _NOUNS), *(name for name, _ in _COMMANDS), "server")


def _server(context: typer.Context) -> None:
    raise typer.Exit(_serve([*_before_server(context), *context.args]))


def _before_server(context: typer.Context) -> list[str]:
    """Options of every command that were given before the word ``server`` and mean something to it."""
    chosen = context.obj
    given = {"--data-dir": chosen.data_dir, "--database-url": chosen.database_url, "--config": chosen.config}
    return [f"{flag}={value}" for flag, value in given.items() if value]


def _serve(arguments: list[str]) -> int:
    from coderai.cli.server import server_command  # the whole server: only when it is wanted

    return server_command(arguments)


def _dispatch(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["server"]:  # its loader wants the arguments exactly as they were written
        return _serve(list(arguments[1:]))
    _module("completion").prepare(os.environ)
    code = build(arguments)(list(arguments), prog_name="coderai", standalone_mode=False)
    return code if isinstance(code, int) else OK


def _failed(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, CoderaiError):
        _complain(error, arguments)
        return exit_code(error)
    if hasattr(error, "format_message"):  # typer's errors of usage; their base class is not public
        if text := error.format_message():  # empty when a noun stands alone: typer has printed the help then
            _complain(WrongUse(text), arguments, getattr(getattr(error, "ctx", None), "command_path", ""))
        return int(getattr(error, "exit_code", USAGE))
    if os.environ.get("CODERAI_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.strerror:  # a full disk, mostly
        name = f": {error.filename}" if error.filename else ""
        _complain(CoderaiError(f"{error.strerror}{name}"), arguments)
        return FAILED
    internal = f"internal error: {type(error).__name__}: {error} (CODERAI_DEBUG=1 shows where)"
    _complain(CoderaiError(internal), arguments)
    return FAILED


def _complain(error: CoderaiError, arguments: Sequence[str], command: str = "") -> None:
    """Say what is wrong; *command* is the one that was used in a wrong way."""
    if _wants_json(arguments):
        sys.stderr.write(as_json(error) + "\n")
        return
    for line in as_lines(error):
        sys.stderr.write(harmless(line) + "\n")
    if exit_code(error) == USAGE:
        sys.stderr.write(f"try: {harmless(command or _command_in(arguments))} --help\n")


def _command_in(arguments: Sequence[str]) -> str:
    """Return the command that was meant, whatever options stand before it."""
    start = next((at for at, word in enumerate(arguments) if word in _NAMES), None)
    if start is None:
        return "coderai"
    noun, *rest = arguments[start : start + 2]
    verb = [word for word in rest if not word.startswith("-") and any(noun == name for name, _ in _NOUNS)]
    return " ".join(["coderai", noun, *verb])


def _wants_json(arguments: Sequence[str]) -> bool:
    pairs = pairwise([*arguments, ""])
    return any(
        one in ("-ojson", "-o=json", "--output=json") or (one in ("-o", "--output") and two == "json")
        for one, two in pairs
    )
