"""The tree of commands: which there are, how their arguments are read, and where a flag's value comes from."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, cast

from toolkit.cli.output import say
from toolkit.errors import UsageError

ENVIRONMENT = "TOOLKIT_"
PROGRAM = "toolkit"
FILES = ("html", "ndjson", "csv", "hlog", "hgrm", "ghz", "protobuf")  # what is written for other programs
FORMS = ("text", "json", "yaml", "wide", "name", "junit", "mermaid", "dot", *FILES)  # that some command's -o takes


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the tree: `toolkit.cli.<module>` holds its arguments and what it does."""

    name: str  # one word, or two of which the first is a command too
    module: str
    about: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "Run chains",
        (
            Command("run", "run_command", "run a chain under load, trace it, verify it, report"),
            Command("verify", "verify_command", "run few calls and judge every check, no numbers"),
            Command("deploy", "deploy_command", "bring a chain up and keep it up, for other tools to drive"),
            Command("load", "load_command", "drive any gRPC method, HTTP URL or broker, and tell its latencies"),
            Command("load plan", "plan_command", "show when the calls of a load would be due, and send nothing"),
            Command("capacity", "capacity_command", "the highest rate that keeps a promise such as p99<50ms"),
            Command("invoke", "invoke_command", "bring a chain up, send one call, print the reply"),
            Command("watch", "watch_command", "follow the tasks of what runs, until all are done; cancel a call's"),
        ),
    ),
    (
        "Look after a deployment on a cluster",
        (
            Command("status", "status_command", "how it is: each object, each pod"),
            Command("logs", "logs_command", "what its functions log"),
            Command("delete", "delete_command", "take it away, and nothing else"),
        ),
    ),
    (
        "Prepare a machine and a cluster",
        (
            Command("doctor", "doctor_command", "what they can do, what they lack, and what mends it"),
            Command("tracing", "tracing_command", "make Knative send its own spans, or undo that"),
        ),
    ),
    (
        "Package",
        (
            Command("build", "build_command", "make the container image of a chain, without a daemon"),
            Command("render", "render_command", "print the manifests of a chain, for stock Knative or for vHive"),
        ),
    ),
    (
        "Look at chains",
        (
            Command("list", "list_command", "the chains of the catalogue"),
            Command("describe", "describe_command", "one chain in words: functions, edges, parameters"),
            Command("graph", "graph_command", "one chain as Mermaid, DOT or JSON"),
        ),
    ),
    (
        "Look at runs",
        (
            Command("compare", "compare_command", "whether one run is worse than another, and how sure that is"),
            Command("report", "report_command", "print a stored run again"),
            Command("trace", "trace_command", "keep traces, move them, look at one, see where the time of many went"),
        ),
    ),
    (
        "Develop",
        (
            Command("stubs", "stubs_command", "generate the typed stubs from the .proto files"),
            Command("completion", "completion_command", "print the completion script of a shell"),
            Command("version", "version_command", "the versions of the toolkit and of what it stands on"),
        ),
    ),
)
COMMANDS = {command.name: command for _, group in GROUPS for command in group}


class Module(Protocol):
    """What a command's module holds."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def execute(self, options: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """argparse that raises instead of exiting, so that all errors leave by one door."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}{self._near(message)}", next_step=f"run '{self.prog} --help'")

    def _near(self, message: str) -> str:
        """A flag that looks like the one nobody knows."""
        _, found, words = message.partition("unrecognized arguments: ")
        flags = {flag for each in leaves(self) for action in each._actions for flag in action.option_strings}
        typed = words.split()[0].partition("=")[0] if found and words else ""
        near = difflib.get_close_matches(typed, sorted(flags - {typed}), n=1) if typed else []
        return f" — did you mean '{near[0]}'?" if near else ""


def dispatch(arguments: list[str]) -> int:
    """Runs the command that `arguments` name and returns its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(overview())
        return 0
    if arguments[0] == "__complete":
        from toolkit.cli.completion_command import candidates

        say("\n".join(candidates(arguments[1:])))
        return 0
    name, rest = named(arguments)
    if name not in COMMANDS:
        raise unknown("command", name, list(COMMANDS), f"run '{PROGRAM} --help' for the list")
    command = load(name)
    return command.execute(parse(parser_of(name), rest))


def named(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command that is meant, which may have two words, and its arguments."""
    if arguments[0] == "--version":
        return "version", list(arguments[1:])
    two = " ".join(arguments[:2])
    return (two, list(arguments[2:])) if two in COMMANDS else (arguments[0], list(arguments[1:]))


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Flags may stand anywhere, also between positional arguments."""
    nested = leaves(parser) != [parser]  # argparse cannot do both
    if not nested:
        return parser.parse_intermixed_args(arguments)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:  # what the sub-command does not know is its own to tell, and its flags are those that may be meant
        chosen = next((each for each in leaves(parser) if each.prog.split()[-1] in arguments), parser)
        chosen.error(f"unrecognized arguments: {' '.join(unknown)}")
    return found


def load(name: str) -> Module:
    return cast(Module, importlib.import_module(f"toolkit.cli.{COMMANDS[name].module}"))


def parser_of(name: str) -> Parser:
    """The parser of one command, its defaults taken from `TOOLKIT_*` where the environment sets them."""
    command = COMMANDS[name]
    parser = Parser(
        prog=f"{PROGRAM} {name}",
        description=command.about[0].upper() + command.about[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    load(name).configure(parser)
    for each in leaves(parser):
        take_environment(each)
    return parser


def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parser, or its sub-commands' parsers."""
    nested = [
        each
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for each in action.choices.values()
    ]
    return nested or [parser]


def take_environment(parser: argparse.ArgumentParser) -> None:
    """Every flag has an environment variable: `--requests` is `TOOLKIT_REQUESTS`. The flag wins.

    Which values are the environment's is in the namespace, as `of_environment`.
    """
    taken: dict[str, object] = {}
    for action in parser._actions:
        if not action.option_strings or isinstance(action, argparse._HelpAction):
            continue
        variable = ENVIRONMENT + action.dest.upper()
        action.help = f"{action.help or ''} [${variable}]".strip()
        if (text := os.environ.get(variable)) is not None:
            action.default = taken[action.dest] = _from_environment(parser, action, variable, text)
            action.required = False
    parser.set_defaults(of_environment=taken)


def _from_environment(parser: argparse.ArgumentParser, action: argparse.Action, variable: str, text: str) -> object:
    if isinstance(action, argparse._StoreTrueAction):
        return text.lower() in ("1", "true", "yes", "on")
    convert = cast(Callable[[str], object], action.type or str)
    try:
        if isinstance(action, argparse._AppendAction):
            return [convert(word) for word in shlex.split(text)]
        value = convert(text)
        if action.choices is not None and value not in action.choices:
            raise ValueError(f"choose from {', '.join(map(str, action.choices))}")
    except (ValueError, argparse.ArgumentTypeError) as error:
        if action.dest == "output" and text in FORMS:
            return action.default  # meant for a command that knows this form
        raise UsageError(f"{variable}={text!r}: {error}", next_step=f"unset {variable} or correct it") from error
    return value


def overview() -> str:
    """What `toolkit --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [
        f"usage: {PROGRAM} COMMAND [ARGUMENTS]",
        "",
        "Compose, run, trace, verify and measure chains of serverless functions.",
    ]
    for title, group in GROUPS:
        lines += ["", f"{title}:"]
        lines += [f"  {command.name:<{width}}  {command.about}" for command in group]
    lines += [
        "",
        f"Run '{PROGRAM} COMMAND --help' for its arguments. Every flag is also an environment variable",
        f"({ENVIRONMENT}REQUESTS for --requests). Data goes to standard output, progress to standard error.",
        "",
        "Exit status: 0 promises kept · 2 bad input · 3 the engine could not · 4 a check failed · 5 a regression ·",
        "             6 the measurement is invalid · 130 interrupted · 1 a bug of ours",
        "",
    ]
    return "\n".join(lines)


def unknown(kind: str, name: str, known: Sequence[str], next_step: str) -> UsageError:
    """The error for a name that is not there, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" — did you mean '{near[0]}'?" if near else ""
    return UsageError(f"there is no {kind} {name!r}{hint}", next_step=next_step)
