"""Completion of the whole command in bash, zsh and fish: what `symla --completion SHELL` prints."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from symla.bench.shapes import BenchOptions
from symla.cli.flags import flags
from symla.cli.options import (
    CompareOptions,
    DoctorOptions,
    ExplainOptions,
    ExportOptions,
    ListOptions,
    ReportOptions,
    ReproduceOptions,
    ResumeOptions,
    TestOptions,
    TrainOptions,
)
from symla.core.errors import UnknownNameError
from symla.experiments import EXPERIMENTS, EnvironmentTraining

# What each command parses: all that it may, where that depends on its first word.
OPTIONS: dict[str, tuple[type, ...]] = {
    "train": (TrainOptions, EnvironmentTraining, *EXPERIMENTS.values()),
    "resume": (ResumeOptions, *EXPERIMENTS.values()),
    "test": (TestOptions,),
    "compare": (CompareOptions,),
    "reproduce": (ReproduceOptions,),
    "report": (ReportOptions,),
    "explain": (ExplainOptions,),
    "export": (ExportOptions,),
    "list": (ListOptions,),
    "bench": (BenchOptions,),
    "doctor": (DoctorOptions,),
}


class Completions(NamedTuple):
    """Of one command."""

    words: Sequence[str]  # what may stand without an option, besides files
    switches: Sequence[str]  # options that take no value
    values: Mapping[str, Sequence[str]]  # of the other options, as far as they are known


def completion(shell: str) -> str:
    """The script for that shell. Raises UnknownNameError for one that there is none for."""
    if shell not in SHELLS:
        raise UnknownNameError("shell", shell, SHELLS, ": symla --completion SHELL")
    return SHELLS[shell]({name: _completions(name) for name in OPTIONS})


def _completions(command: str) -> Completions:
    names = _names()
    found = [flag for options in OPTIONS[command] for flag in flags(options)]
    words: list[str] = list(names.get(command, []))
    switches, values = [], {}
    for name, kind, positional in found:
        if positional:
            words += _choices(kind)
        elif kind is bool:
            switches += [f"--{name}"] if not name.startswith("no-") else []
        else:
            values[f"--{name}"] = _choices(kind) or names.get(f"--{name}", [])
    return Completions(words, [*dict.fromkeys([*switches, "--debug", "--help"])], values)


def _names() -> dict[str, Sequence[str]]:
    """Names that a person may type, by the command or the option that takes them."""
    from symla.algorithms import HAND_MADE
    from symla.environments import ENVIRONMENTS
    from symla.experiments.reproduce import SEVERAL, figures
    from symla.rules.loading import pretrained

    rules, environments = [*pretrained(), *HAND_MADE], list(ENVIRONMENTS)
    of_environments = ("--environment", "--environments", "--probe", "--test")
    return {
        "train": [*EXPERIMENTS, *environments],
        "test": rules,
        "compare": rules,
        "explain": rules,
        "export": list(pretrained()),
        "reproduce": [*figures(), *SEVERAL],
        "--start": rules,
        **dict.fromkeys(of_environments, environments),
    }


def _choices(kind: Any) -> list[str]:
    """The values of a Literal, or of a union with one."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [choice for part in get_args(kind) for choice in _choices(part)]


def _cases(commands: Mapping[str, Completions], body: Callable[[str], str], files: str) -> str:
    """Of a `case` over the command and the word before: what that option takes."""
    lines = []
    for name, (_, _, values) in commands.items():
        lines += [f'"{name} {option}") {body(_line(x))} ;;' for option, x in values.items() if x]
        free = "|".join(f'"{name} {option}"' for option, known in values.items() if not known)
        lines += [f"{free}) {files} ;;"] if free else []
    return "\n        ".join(lines)


def _per_command(
    commands: Mapping[str, Completions],
    words_of: Callable[[Completions], Sequence[str]],
    body: Callable[[str], str],
) -> str:
    known = {name: _line(words_of(command)) for name, command in commands.items()}
    lines = [f"{name}) {body(words)} ;;" for name, words in known.items() if words]
    return "\n            ".join(lines)


def _line(words: Sequence[str]) -> str:
    return " ".join(words)


def _options(completions: Completions) -> list[str]:
    return [*completions.values, *completions.switches]


def _words(completions: Completions) -> Sequence[str]:
    return completions.words


def _bash(commands: Mapping[str, Completions]) -> str:
    def body(words: str) -> str:
        return f"words='{words}'"

    return f"""# bash completion of symla
_symla() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words=
    local command=${{COMP_WORDS[1]}}
    COMPREPLY=()
    case "$command $previous" in
        {_cases(commands, body, "return")}
        *) if [ "$COMP_CWORD" -eq 1 ]; then
            words='{_line(list(commands))} --help --version --completion'
        elif [ "$current" != "${{current#-}}" ]; then case $command in
            {_per_command(commands, _options, body)}
        esac; else case $command in
            {_per_command(commands, _words, body)}
        esac; fi ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _symla symla
"""


def _zsh(commands: Mapping[str, Completions]) -> str:
    def body(words: str) -> str:
        return f"compadd -- {words}"

    return f"""#compdef symla
_symla() {{
    local current=$words[CURRENT] previous=$words[CURRENT-1] command=$words[2]
    case "$command $previous" in
        {_cases(commands, body, "_files")}
        *) if (( CURRENT == 2 )); then
            compadd -- {_line(list(commands))} --help --version --completion
        elif [[ $current == -* ]]; then case $command in
            {_per_command(commands, _options, body)}
        esac; else case $command in
            {_per_command(commands, _words, body)}
        esac; _files; fi ;;
    esac
}}
if [[ $funcstack[1] == _symla ]]; then _symla "$@"; else compdef _symla symla; fi
"""


def _fish(commands: Mapping[str, Completions]) -> str:
    lines = ["# fish completion of symla"]
    first = "complete -c symla -n __fish_use_subcommand"
    lines.append(f"{first} -f -a '{_line(list(commands))}'")
    lines += [f"{first} -l {word}" for word in ("help", "version")]
    lines.append(f"{first} -l completion -x -a '{_line(list(SHELLS))}'")
    for name, (words, switches, values) in commands.items():
        after = f"complete -c symla -n {shlex.quote(f'__fish_seen_subcommand_from {name}')}"
        lines += [f"{after} -a '{_line(words)}'"] if words else []
        lines += [f"{after} -l {option[2:]}" for option in switches]
        for option, known in values.items():
            takes = f"-x -a '{_line(known)}'" if known else "-r"
            lines.append(f"{after} -l {option[2:]} {takes}")
    return "\n".join(lines) + "\n"


SHELLS: dict[str, Callable[[Mapping[str, Completions]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
