"""Every example does what it says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import approval
import batch_children
import hello
import reminder
import transfer
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
    assert path.read_text().startswith('"""')


async def test_hello():
    assert await hello.main() == "Hello, world!"


async def test_a_transfer_to_a_closed_account_comes_back():
    transfer.bank.__init__()  # type: ignore[misc]  # a bank with nothing booked

    assert await transfer.main() == {"bob": "transferred", "eve": "returned: eve has no account here"}
    assert transfer.bank.balances == {"ada": 70_00, "bob": 50_00}


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


async def test_an_approval_is_asked_for_and_given():
    assert await approval.main() == ["2350", "taxi is claimed already", "1 receipts, open", "paid"]


async def test_a_claim_that_nobody_looks_at_expires():
    async with testing.environment(approval.app) as env:
        assert await env.client.execute(approval.Claim, "bob") == "expired"
        assert env.elapsed >= timedelta(days=7)


async def test_a_refused_claim_is_not_paid(capsys):
    async with testing.environment(approval.app) as env:
        claim = await env.client.start(approval.Claim, "bob")
        await claim.update(approval.Claim.add_receipt, "yacht", 1_000_000_00)
        await claim.signal(approval.Claim.decide, False)
        assert await claim.result() == "refused"
    assert capsys.readouterr().out == ""


async def test_a_newsletter_goes_to_everybody_once_in_short_runs():
    batch_children.delivered.clear()

    assert await batch_children.main() == (50, 3)
    assert sorted(batch_children.delivered) == [f"person-{number:02}" for number in range(50)]
