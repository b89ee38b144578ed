"""Every example does what it says."""

import ast
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import batch_children
import circuit_breaker
import hello
import load_levelling
import reminder
from perdure import testing

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples leave their stores where they run."""
    monkeypatch.chdir(tmp_path)


def test_there_is_a_test_for_each_example():
    here = Path(__file__).parent
    tests = "".join(path.read_text() for path in here.glob("test_*.py"))
    assert [path.stem for path in EXAMPLES.glob("*.py") if f"import {path.stem}\n" not in tests] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_example_opens_with_its_problem(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    # What follows, such as where the data are from, is not the problem.
    sentences = re.findall(r"[.?!](?=\s|$)", "\n\n".join(docstring.split("\n\n")[:2]))
    assert len(sentences) == 3


@pytest.mark.parametrize(
    "path", sorted(set(EXAMPLES.glob("*.py")) - {EXAMPLES / "flights.py"}), ids=lambda path: path.stem
)
def test_each_example_runs_as_a_script_and_says_what_happened(path, tmp_path):
    done = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


async def test_hello():
    assert await hello.main() == "Hello, world!"


async def test_a_reminder_of_something_soon():
    assert await reminder.main() == 1


async def test_reminders_of_something_in_ten_days(capsys):
    start = datetime(2030, 1, 1, tzinfo=UTC)
    leads = [timedelta(hours=1), timedelta(days=1), timedelta(weeks=1), timedelta(weeks=2)]
    async with testing.environment(reminder.app, start_time=start) as env:
        appointment = reminder.Appointment("bob", start + timedelta(days=10), leads)
        assert await env.client.execute(reminder.remind, appointment) == 3
        assert timedelta(days=10) - timedelta(hours=1) <= env.elapsed < timedelta(days=10)
    assert capsys.readouterr().out.splitlines() == [
        "to bob: your appointment is in 7 days, 0:00:00",
        "to bob: your appointment is in 1 day, 0:00:00",
        "to bob: your appointment is in 1:00:00",
    ]


async def test_a_newsletter_goes_to_everybody_once_in_short_runs():
    batch_children.delivered.clear()

    assert await batch_children.main() == (50, 3)
    assert sorted(batch_children.delivered) == [f"person-{number:02}" for number in range(50)]


async def test_an_outage_costs_few_calls(capsys):
    circuit_breaker.service.__init__()  # type: ignore[misc]  # down again

    assert await circuit_breaker.main() == [f"order {number} is paid" for number in range(20)]
    assert circuit_breaker.service.calls <= 20 + 4 + 20
    assert "the breaker of charge is" in capsys.readouterr().out


async def test_the_news_pass_and_customers_get_their_share():
    load_levelling.done.clear()

    done = await load_levelling.main()
    assert len(done) == 23
    assert "the news" in done[:2]
    assert {"ada's holiday", "bob's wedding"} <= set(done[:6])
