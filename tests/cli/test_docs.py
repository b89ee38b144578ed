"""Undocumented is unfinished: every command has a section in ``docs/cli.md``, and every option says what it does.

What a command takes is written into its section from the code when the site is built (``scripts/docs/commands.py``).
"""

import json
import re
from pathlib import Path

import pytest
from scripts.docs import commands
from tests.cli.conftest import Perdure

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = commands.all_commands()


def test_every_command_has_a_section_and_every_section_a_command():
    assert {f"perdure {name}" for name in COMMANDS} == {title for title in SECTIONS if title.startswith("perdure ")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_asks_for_what_its_command_takes(name):
    assert f"\n<!-- generated: command {name} -->\n" in SECTIONS[f"perdure {name}"], (
        "write that line where the options shall be, instead of a table of options"
    )
    assert "| option |" not in SECTIONS[f"perdure {name}"], "options are described by their help, not in the page"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_every_option_says_what_it_does(name):
    command = COMMANDS[name]
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []
    section = commands.section(name)
    for parameter in command.params:
        if parameter.param_type_name == "argument" or parameter.hidden:
            continue
        for option in parameter.opts:
            assert f"`{option}`" in section


def test_the_options_of_the_program_are_documented():
    section = commands.program_options()
    for parameter in commands.PROGRAM.params:
        assert f"`{parameter.opts[0]}`" in section


@pytest.mark.parametrize(
    ("arguments", "section"),
    [
        (("list", "{}", "--limit", "1", "--json"), "perdure list"),
        (("count", "{}", "--json"), "perdure count"),
        (("show", "{}", "ship-1", "--json"), "perdure show"),
        (("explain", "{}", "ship-1", "--json"), "perdure explain"),
        (("stats", "{}", "--json"), "perdure stats"),
        (("versions", "{}", "--namespace", "default", "--json"), "perdure versions"),
        (("history", "{}", "ship-1", "--limit", "1", "--json"), "perdure history"),
        (("backup", "{}", "{}.copy", "--json"), "perdure backup"),
    ],
)
def test_every_attribute_of_the_json_is_documented(perdure: Perdure, store, arguments, section):
    told = perdure(*(argument.format(store) for argument in arguments))
    shown = json.loads(told.out if told.lines[0] == "{" else told.lines[0])
    text = SECTIONS["perdure list"] + SECTIONS["perdure show"] if section == "perdure show" else SECTIONS[section]
    assert [name for name in shown if f"`{name}`" not in text] == []
