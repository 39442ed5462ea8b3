"""`toolkit completion SHELL`: the script that makes a shell ask `toolkit __complete` what may come next."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from toolkit.cli import tree
from toolkit.cli.output import say
from toolkit.errors import ToolkitError

SCRIPTS = {
    "bash": """\
_toolkit() {
    local IFS=$'\\n'
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- \\
        "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _toolkit toolkit kn-bench
""",
    "zsh": """\
#compdef toolkit kn-bench
_toolkit() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    [[ -n "$found" ]] && compadd -- "${found[@]}"
    _files
}
compdef _toolkit toolkit kn-bench
""",
    "fish": """\
function __toolkit_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c toolkit -a '(__toolkit_complete)'
complete -c kn-bench -a '(__toolkit_complete)'
""",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="for example: source <(toolkit completion bash)")


def execute(options: argparse.Namespace) -> int:
    say(SCRIPTS[options.shell])
    return 0


def candidates(words: list[str]) -> list[str]:
    """What may stand in place of the last of `words`, which is what was typed so far (possibly nothing)."""
    *before, typed = words or [""]
    try:
        found = _all(before)
    except ToolkitError:
        return []
    return sorted(each for each in found if each.startswith(typed))


def _all(before: list[str]) -> Iterable[str]:
    if not before:
        return [name for name in tree.COMMANDS if " " not in name]
    name, _ = tree.named(before)
    if name not in tree.COMMANDS:
        return ()
    parser: argparse.ArgumentParser = tree.parser_of(name)
    for nested in (each for each in parser._actions if isinstance(each, argparse._SubParsersAction)):
        chosen = [word for word in before[1:] if word in nested.choices]
        if not chosen:
            return nested.choices
        parser = nested.choices[chosen[0]]
    longer = [each.split()[1] for each in tree.COMMANDS if before == each.split()[:1] != [each]]
    return [*longer, *_of_parser(parser, before[-1])]


def _of_parser(parser: argparse.ArgumentParser, previous: str) -> Iterable[str]:
    for action in parser._actions:
        if previous in action.option_strings and action.nargs != 0:
            return [str(each) for each in action.choices or getattr(action, "candidates", None) or ()]
    flags = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    return flags + [name for action in parser._actions for name in _positional(action)]


def _positional(action: argparse.Action) -> Iterable[str]:
    if action.option_strings:
        return ()
    if action.metavar == "CHAIN":
        from toolkit import catalog

        return catalog.names()
    return [str(each) for each in action.choices or ()]
