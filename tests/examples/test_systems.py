"""The eight systems that workflow engines are known for: each does what it says, and under faults too."""

from datetime import timedelta
from pathlib import Path

import pytest

import bank_transfer
import billing
import loan_approval
import order_fulfilment
import perdure
import recruiting
import ride_hailing
import subscription
import video_transcoding
from perdure import testing


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples leave their stores where they run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def fresh_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for banks and the like is as it was in the beginning."""
    monkeypatch.setattr(order_fulfilment, "shop", order_fulfilment.Shop())
    monkeypatch.setattr(bank_transfer, "bank", bank_transfer.Bank())
    monkeypatch.setattr(billing, "world", billing.World())
    monkeypatch.setattr(subscription, "cards", subscription.Cards())
    monkeypatch.setattr(video_transcoding, "doomed", {"film-large-00080"})


# --- order fulfilment


async def test_an_order_is_fulfilled_or_leaves_nothing_behind():
    said = await order_fulfilment.main()
    assert said == {"1001": "parcel-1001", "1002": "cancelled: only 1 of 'book' left"}
    assert order_fulfilment.shop.stock == {"book": 1, "pen": 99}
    assert order_fulfilment.shop.paid == {"1001": 42_00}


@testing.seeds(200)
async def test_an_order_that_nobody_packs_is_undone_whatever_happens(faults):
    shop = order_fulfilment.shop = order_fulfilment.Shop()
    order = order_fulfilment.Order("1", {"book": 3}, 5)
    async with testing.environment(order_fulfilment.app, faults=faults) as env:
        run = await env.client.start(order_fulfilment.Fulfilment, order, id="order-1")
        assert await run.result() == "cancelled: nobody packed it"
        assert await run.query(order_fulfilment.Fulfilment.status) == "cancelled"
        assert timedelta(days=2) <= env.elapsed < timedelta(days=2, hours=1)
    assert (shop.stock["book"], shop.paid, shop.sent) == (3, {}, set())


# --- loan approval


async def test_a_loan_is_approved():
    assert await loan_approval.main() == [
        "missing: passport, payslip; open",
        "a love letter is not needed, or is there already",
        "missing: nothing; open",
        "paid out",
        "declined",
    ]


async def test_who_is_silent_is_reminded_and_then_it_is_over(capsys):
    async with testing.environment(loan_approval.app) as env:
        loan = await env.client.start(loan_approval.Loan, loan_approval.Application("bob", 100))
        await env.sleep(timedelta(days=4))
        await loan.update(loan_approval.Loan.add, "passport")
        await loan.update(loan_approval.Loan.add, "payslip")
        assert await loan.result() == "expired"
        assert timedelta(days=9) <= env.elapsed < timedelta(days=9, hours=1)
    asked = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert asked == ["to bob", "to the officers", "to the officers"]


async def test_a_refused_loan_is_not_paid(capsys):
    async with testing.environment(loan_approval.app) as env:
        loan = await env.client.start(loan_approval.Loan, loan_approval.Application("bob", 100))
        for paper in sorted(loan_approval.NEEDED):
            await loan.update(loan_approval.Loan.add, paper)
        await loan.signal(loan_approval.Loan.decide, loan_approval.Decision("officer-1", False))
        assert await loan.result() == "declined"
    assert capsys.readouterr().out == ""


# --- bank transfer


async def test_a_transfer_to_a_closed_account_comes_back():
    assert await bank_transfer.main() == {"bob": "transferred", "eve": "returned: eve has no account here"}
    assert bank_transfer.bank.balances == {"ada": 70_00, "bob": 50_00}


@testing.seeds(200)
async def test_no_money_is_lost_or_made_whatever_happens(faults):
    bank = bank_transfer.bank = bank_transfer.Bank()
    async with testing.environment(bank_transfer.app, faults=faults) as env:
        for target in ("bob", "eve"):
            order = bank_transfer.Transfer("ada", target, 10_00)
            await env.client.execute(bank_transfer.transfer, order, id=f"to-{target}")
    assert bank.balances == {"ada": 90_00, "bob": 30_00}


# --- billing


async def test_a_month_is_billed_once_however_often_the_job_runs():
    first, second, third = await billing.main()
    assert first == {"ada": "36.00", "bob": "1.20", "eve": "0.00"}
    assert second == third == dict.fromkeys(first, "billed before")
    assert billing.world.paid == {"ada": 36_00, "bob": 1_20}


@testing.seeds(200)
async def test_nobody_is_billed_twice_whatever_happens(faults):
    world = billing.world = billing.World()
    async with testing.environment(billing.app, faults=faults) as env:
        for _ in range(2):
            await env.client.execute(billing.bill_all, "2030-01")
    assert world.paid == {"ada": 36_00, "bob": 1_20}


# --- ride hailing


async def test_a_ride_goes_to_the_driver_who_takes_it():
    assert await ride_hailing.main() == ride_hailing.Receipt("lee", 4.2, 10_56)


async def test_drivers_who_are_silent_lose_the_ride(capsys):
    async with testing.environment(ride_hailing.app) as env:
        ride = await env.client.start(ride_hailing.ride, "ada", "the station")
        await env.sleep(40)  # the third driver has been asked
        await ride.signal("event", ride_hailing.Event("accepted", "sam"))
        await ride.signal("event", ride_hailing.Event("cancelled"))
        assert await ride.result() is None
        assert await env.client.execute(ride_hailing.ride, "bob", "the station") is None
    said = capsys.readouterr().out
    assert "to kim: the ride is gone" in said
    assert "to sam: the ride is cancelled" in said
    assert "ada pays 3.00" in said
    assert "to bob: no car today" in said


# --- video transcoding


async def test_a_film_is_whole_though_a_machine_was_taken_away(tmp_path, capsys):
    assert await video_transcoding.main(tmp_path / "film") == {"small": 240, "large": 240}
    assert "film-large-00080 goes on at frame 20" in capsys.readouterr().out
    for size, times in video_transcoding.SIZES.items():
        frames = (tmp_path / "film" / f"{size}.txt").read_text().splitlines()
        assert frames == [str(number % 10) * times for number in range(240)]
    assert sorted(path.name for path in (tmp_path / "film").glob("film*")) == ["film.txt"], "no chunk is left"


# --- recruiting


async def test_somebody_is_hired_though_one_interviewer_forgot(capsys):
    assert await recruiting.main() == "hired"
    said = capsys.readouterr().out.splitlines()
    assert said.count("to lee: ada still waits for you") == 3
    assert said[-1] == "after 7 days"


async def test_a_candidate_withdraws(capsys):
    async with testing.environment(recruiting.app) as env:
        application = await env.client.start(recruiting.Application, "bob", ["kim"])
        await env.sleep(1)
        interview = env.client.get(recruiting.interview_id("bob", "kim"))
        with pytest.raises(perdure.UpdateFailedError, match="points go from 1 to 5, not to 9"):
            await interview.update(recruiting.Interview.hand_in, recruiting.Score(9))
        await application.cancel()
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await application.result()
        assert caught.value.status is perdure.RunStatus.CANCELED
        assert (await interview.describe()).status is perdure.RunStatus.CANCELED
    assert "to bob: a pity, good luck" in capsys.readouterr().out


@testing.seeds(100)
async def test_two_good_interviews_are_an_offer_whatever_happens(faults):
    async with testing.environment(recruiting.app, faults=faults) as env:
        application = await env.client.start(recruiting.Application, "ada", ["kim", "lee"], id="ada")
        await env.sleep(timedelta(hours=1))
        for interviewer in ("kim", "lee"):
            interview = env.client.get(recruiting.interview_id("ada", interviewer))
            assert await interview.update(recruiting.Interview.hand_in, recruiting.Score(4)) == "thank you"
        await application.signal(recruiting.Application.reply, True)
        assert await application.result() == "hired"


# --- subscription


async def test_a_year_of_subscriptions():
    assert await subscription.main() == {"ada": 16, "bob": 16, "eve": 0}
    assert len(subscription.cards.taken) == 32


@testing.seeds(100)
async def test_each_month_is_paid_for_whatever_happens(faults):
    subscription.cards = subscription.Cards()
    async with testing.environment(subscription.app, faults=faults) as env:
        run = await env.client.start(subscription.Subscription, "ada", 100, id="ada")
        await env.sleep(subscription.TRIAL + 11 * subscription.MONTH + timedelta(days=1))
        await run.signal("cancel")
        assert await run.result() == 12
    assert len(subscription.cards.taken) == 12
