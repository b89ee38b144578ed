"""The code on the pages runs: each page is one module, whose ``test_`` functions are run."""

import asyncio
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from perdure import workflow

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "testing.md", *sorted(DOCS.glob("patterns/*.md"))]


def code_of(page: Path) -> str:
    """The page with everything but its Python blanked out, so that a line's number is the page's."""
    lines, is_code = [], False
    for line in page.read_text().splitlines():
        is_fence = line.startswith("```")
        lines.append(line if is_code and not is_fence else "")
        if is_fence:
            is_code = line == "```python"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_on_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code_of(page), str(page), "exec"), module.__dict__)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    for test in tests:
        result = test()
        if inspect.iscoroutine(result):
            asyncio.run(result)
    for machine in vars(module).values():
        if isinstance(machine, workflow.StateMachine):
            assert machine.draw() in page.read_text(), f"{page.name} shows another machine than it declares"
    if code_of(page).strip():
        assert tests, f"{page.name} has code, but no test_ function that runs it"
