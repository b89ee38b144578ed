"""A recorded run is stepped through with a debugger: pdb, given its commands from a script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import perdure
from perdure import App

PROGRAM = """\
import asyncio
import sys

import perdure
from perdure import App

app = App("debugged")


@app.activity
async def price(item: str) -> int:
    return len(item)


@app.workflow
async def order(items: list[str]) -> int:
    total = 0
    for item in items:
        total += await price(item)
        await asyncio.sleep(0.01)
    return total


if __name__ == "__main__":
    perdure.replay(app, perdure.History.from_file(sys.argv[1]))
    print("replayed")
"""


async def recorded(path: Path) -> None:
    namespace: dict[str, object] = {"__name__": "debugged"}
    exec(compile(PROGRAM, "order.py", "exec"), namespace)
    app = namespace["app"]
    assert isinstance(app, App)
    async with perdure.open(app, store="memory://") as client:
        run = await client.start("order", ["pen", "paper"], id="x")
        assert await run.result() == 8
        (await run.fetch_history()).to_file(path)


def debug(program: Path, *arguments: object, commands: list[str]) -> str:
    """What pdb printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pdb", program, *map(str, arguments)],
        input="\n".join([*commands, "q", ""]),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=program.parent,
        env={**os.environ, "HOME": str(program.parent)},
        check=False,
    )
    return done.stdout + done.stderr


def line_of(text: str) -> int:
    return PROGRAM[: PROGRAM.index(text)].count("\n") + 1


async def test_breakpoints_steps_and_values_in_workflow_code(tmp_path):
    await recorded(tmp_path / "run.json")
    program = tmp_path / "order.py"
    program.write_text(PROGRAM)
    shown = debug(
        program,
        tmp_path / "run.json",
        commands=[
            f"b {line_of('total += await')}",
            "c",
            "p 'first', item, total",
            "n",
            "c",
            "p 'second', item, total",
            "p 'clock', __import__('time').time() > 0",
            "w",
            "cl 1",
            "c",
        ],
    )
    assert "('first', 'pen', 0)" in shown
    assert "('second', 'paper', 3)" in shown
    assert "('clock', True)" in shown, "at the prompt nothing is forbidden"
    assert f"order.py({line_of('total += await')})order()" in shown
    assert "replayed" in shown


async def test_breakpoint_in_the_code_itself(tmp_path):
    await recorded(tmp_path / "run.json")
    program = tmp_path / "order.py"
    program.write_text(PROGRAM.replace("    return total\n", "    breakpoint()\n    return total\n"))
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "run.json")],
        input="p 'total', total\nc\n",
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert "('total', 8)" in done.stdout and "replayed" in done.stdout, done.stdout + done.stderr


async def test_the_command_line_under_the_debugger(tmp_path):
    await recorded(tmp_path / "run.json")
    program = tmp_path / "order.py"
    program.write_text(PROGRAM)
    if sys.version_info[:3] == (3, 13, 0):
        pytest.skip("the debugger of Python 3.13.0 takes the program's options for its own (cpython gh-125115)")
    stop = f"b {program}:{line_of('return total')}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pdb",
            "-m",
            "perdure",
            "replay",
            f"{program}:app",
            "--from",
            str(tmp_path / "run.json"),
        ],
        input=f"{stop}\nc\np 'total', total\nc\nq\n",
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert "('total', 8)" in done.stdout and "fits all of 1 runs." in done.stdout, done.stdout + done.stderr
