"""The plugin's options and fixtures, in a pytest of their own."""

import re
import subprocess
import sys

import pytest

TESTS = """
from perdure import App, testing, workflow

app = App("plugin")
done = []


@app.activity
async def count() -> None:
    done.append(1)


@app.workflow
async def flow() -> None:
    await workflow.sleep(86400)
    await count()


@testing.seeds(50)
async def test_once(tmp_path, faults):
    assert tmp_path.exists()
    done.clear()
    async with testing.environment(app, faults=faults) as env:
        await env.client.execute(flow)
    assert len(done) == 1


async def test_drawn(perdure_faults):
    async with testing.environment(app, faults=perdure_faults) as env:
        await env.client.execute(flow)
    assert perdure_faults.seed == 7


async def test_environment(perdure_environment):
    env = await perdure_environment(app)
    await env.client.execute(flow)
"""


@pytest.fixture
def run_pytest(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout

    return run


def test_a_failing_seed_is_printed_with_the_line_that_runs_it_again(run_pytest):
    said = run_pytest("-k", "once")
    found = re.search(r"run it again: pytest '(test_it.py::test_once)' --perdure-seed=(\d+)", said)
    assert found is not None, said
    again = run_pytest(found[1], f"--perdure-seed={found[2]}")
    assert f"seed {found[2]} fails, the only one" in again
    assert "1 failed" in again
    assert "1 passed" in run_pytest(found[1], "--perdure-seeds=1")


def test_a_drawn_seed_is_printed_when_its_test_fails(run_pytest):
    said = run_pytest("-k", "drawn or environment", "--perdure-seed=5")
    assert "1 failed, 1 passed" in said
    assert "run it again: pytest 'test_it.py::test_drawn' --perdure-seed=5" in said
    assert "2 passed" in run_pytest("-k", "drawn or environment", "--perdure-seed=7")
