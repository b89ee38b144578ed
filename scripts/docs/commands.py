"""The sections of the command line: what ``perdure COMMAND --help`` knows, as Markdown."""

import enum
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import typer.main

from perdure.cli.main import app

PROGRAM: Any = typer.main.get_command(app)


def all_commands() -> dict[str, Any]:
    """Every command by its full name, such as ``list`` or ``schedule list``."""
    return dict(_below(PROGRAM, ""))


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield prefix + name, command


def section(name: str) -> str:
    """Usage, arguments, options and examples of a command. Raises ``KeyError`` if there is no such command."""
    command = all_commands()[name]
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    usage = " ".join(["perdure", name, *map(_usage, arguments), "[options]"])
    parts = [f"```text\n{usage}\n```", _paragraph(command.help)]
    types = typing.get_type_hints(command.callback)
    rows = [f"| `{_metavar(argument)}` | {_meaning(argument, types)} |" for argument in arguments]
    rows += [_option(parameter, types) for parameter in shown if parameter.param_type_name == "option"]
    parts.append("\n".join(["| argument or option | |", "| --- | --- |", *rows]))
    examples, remarks = _epilog(command.epilog or "")
    if examples:
        parts.append("Examples:\n\n```text\n" + "\n".join(examples) + "\n```")
    return "\n\n".join([*parts, *remarks])


def program_options() -> str:
    """The options of the program itself."""
    rows = ["| `--help`, `-h` | Help, for the program or for the command it stands behind, with examples. |"]
    rows += [_option(parameter, {}) for parameter in PROGRAM.params if "--help" not in parameter.opts]
    return "\n".join(["| option | |", "| --- | --- |", *rows])


def _usage(argument: Any) -> str:
    metavar = _metavar(argument) + ("..." if argument.nargs == -1 else "")
    return metavar if argument.required else f"[{metavar}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _option(parameter: Any, types: dict[str, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = "" if parameter.is_flag else f" {_metavar(parameter)}"
    return f"| {names}{value} | {_meaning(parameter, types)} |"


def _meaning(parameter: Any, types: dict[str, Any]) -> str:
    text = _paragraph(parameter.help or "").replace("|", "\\|")
    if choices := _choices(types.get(parameter.name)):
        text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    default = parameter.default
    if parameter.required or default is None or callable(default) or isinstance(default, bool) or default in ("", ()):
        return text
    return f"{text} Default: `{getattr(default, 'value', default)}`."


def _choices(annotation: Any) -> list[str]:
    """The values of the enum in a type, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(choice.value) for choice in annotation]
    return [choice for inner in typing.get_args(annotation) for choice in _choices(inner)]


def _paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text or "").split())


def _epilog(text: str) -> tuple[list[str], list[str]]:
    """The command lines in an epilog, and what else it says."""
    paragraphs = [_paragraph(paragraph) for paragraph in text.split("\n\n")]
    examples = [line for line in paragraphs if line.startswith("perdure ")]
    return examples, [line for line in paragraphs if line and line != "Examples:" and line not in examples]
