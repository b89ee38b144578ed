"""Undocumented is unfinished: every command and every option is in ``docs/cli.md``, in the section of its command."""

import json
import re
from pathlib import Path

import pytest
import typer.main
from tests.cli.conftest import Perdure

from perdure.cli.list import StatusChoice
from perdure.cli.main import app

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands  # type: ignore[attr-defined]


def documented_options(section: str) -> set[str]:
    return set(
        re.findall(r"`(--?[a-z-]+)`", "\n".join(line.split("|")[1] for line in section.splitlines() if "|" in line))
    )


def test_every_command_has_a_section_and_every_section_a_command():
    assert [f"perdure {name}" for name in COMMANDS if name != "demo"] == [
        title for title in SECTIONS if title.startswith("perdure ") and title != "perdure demo"
    ]
    assert "perdure demo" in SECTIONS


@pytest.mark.parametrize("name", COMMANDS)
def test_exactly_the_options_there_are_and_their_arguments_are_documented(name):
    section = SECTIONS[f"perdure {name}"]
    parameters = COMMANDS[name].params
    options = {option for parameter in parameters if parameter.param_type_name == "option" for option in parameter.opts}
    assert documented_options(section) == options - {"--help", "-h"}
    usage = re.search(r"```\n(.+)\n```", section)
    assert usage is not None
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            assert parameter.metavar in usage.group(1)
        elif (
            isinstance(parameter.default, (int, str))
            and not isinstance(parameter.default, bool)
            and parameter.default != ""
        ):
            (line,) = [
                line for line in section.splitlines() if f"`{parameter.opts[0]}`" in line and line.startswith("|")
            ]
            assert re.search(rf"Default: `?{parameter.default}\b", line), line


def test_the_options_of_the_program_are_documented():
    options = {option for parameter in GROUP.params for option in parameter.opts} | {"--help", "-h"}
    assert documented_options(SECTIONS["What holds for all commands"]) == options


def test_every_status_is_documented():
    for status in StatusChoice:
        assert f"`{status.value}`" in SECTIONS["perdure list"]


@pytest.mark.parametrize(
    ("arguments", "section"),
    [
        (("list", "{}", "--limit", "1", "--json"), "perdure list"),
        (("show", "{}", "ship-1", "--json"), "perdure show"),
        (("explain", "{}", "ship-1", "--json"), "perdure explain"),
        (("history", "{}", "ship-1", "--limit", "1", "--json"), "perdure history"),
        (("backup", "{}", "{}.copy", "--json"), "perdure backup"),
    ],
)
def test_every_attribute_of_the_json_is_documented(perdure: Perdure, store, arguments, section):
    shown = json.loads(perdure(*(argument.format(store) for argument in arguments)).out)
    text = SECTIONS["perdure list"] + SECTIONS["perdure show"] if section == "perdure show" else SECTIONS[section]
    assert [name for name in shown if f"`{name}`" not in text] == []
