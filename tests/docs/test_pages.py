"""The code on the pages runs.

- Blocks of Python on a page are one module, from top to bottom; its ``test_`` functions are run.
- A block with a title, ```` ```python title="orders.py" ````, is that file in an empty folder.
- A ``console`` block has commands, after ``$``, that are run in that folder, and what they print; ``...`` stands for anything.
- On a page, ``await`` may stand outside of functions; and what the code needs, but readers don't, in ``<!-- setup`` ... ``-->``.
- What is not to be run says why, in the line before: ``<!-- fragment: the bank is yours -->``.
"""

import ast
import asyncio
import doctest
import inspect
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from perdure import workflow

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- fragment: (?P<reason>.+) -->\n)?```(?P<language>python|console)(?P<options>.*)\n(?P<code>(?:.*\n)*?)```$"
    r"|^<!-- setup\n(?P<setup>(?:.*\n)*?)-->$",
    re.MULTILINE,
)
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block of code that is to be run, and the line of the page that it begins in."""

    language: str
    title: str
    code: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """What is to be run of a page, from top to bottom."""
    text = page.read_text("utf-8")
    return [
        Block(
            found["language"] or "python",
            title[1] if (title := re.search(r'title="(.+?)"', found["options"] or "")) else "",
            found["code"] or found["setup"],
            text.count("\n", 0, max(found.start("code"), found.start("setup"))),
        )
        for found in BLOCK.finditer(text)
        if not found["reason"]
    ]


def module_of(blocks: list[Block]) -> str:
    """The blocks without a title as one module, in which a line's number is the page's."""
    code = ""
    for block in blocks:
        if block.language == "python" and not block.title:
            code += "\n" * (block.line - code.count("\n")) + block.code
    return code


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if module_of(blocks_of(page))], ids=name_of)
def test_the_code_on_a_page_runs(page, tmp_path, monkeypatch):
    code = module_of(blocks_of(page))
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    _run(eval(compile(code, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), module.__dict__))
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    for test in tests:
        _run(test())
    for machine in vars(module).values():
        if isinstance(machine, workflow.StateMachine):
            assert machine.draw() in page.read_text("utf-8"), f"{page.name} shows another machine than it declares"
    assert tests or "asyncio.run(" in code or "await " in code, (
        f"{page.name} has code that nothing runs: add a test_ function"
    )


def _run(result):
    if inspect.iscoroutine(result):
        asyncio.run(result)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.title or block.language == "console" for block in blocks_of(page))],
    ids=name_of,
)
def test_the_steps_of_a_page_can_be_followed(page, tmp_path):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    for block in blocks_of(page):
        if block.language == "python":
            if block.title:
                (tmp_path / block.title).write_text(block.code, "utf-8")
            continue
        for command, expected in COMMAND.findall(block.code):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            place = f"{page.name}, line {block.line + 1}: $ {command}"
            assert doctest.OutputChecker().check_output(expected, done.stdout, LIKE), f"{place}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_on_a_page_is_whole(page):
    """Fragments too: what cannot be parsed cannot be read either."""
    for found in BLOCK.finditer(page.read_text("utf-8")):
        if found["language"] == "python":
            ast.parse(found["code"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_python_is_seen(page):
    text = page.read_text("utf-8")
    seen = [found for found in BLOCK.finditer(text) if found["language"]]
    assert len(re.findall(r"^ *```+ *(?:python|py|console)\b", text, re.MULTILINE)) == len(seen), (
        "write fences at the beginning of the line, as ```python"
    )


def test_the_program_of_the_readme_has_ten_lines():
    (program,) = [block.code for block in blocks_of(ROOT / "README.md") if block.title]
    assert len([line for line in program.splitlines() if line]) == 10
