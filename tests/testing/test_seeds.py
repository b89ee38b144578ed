"""A thousand seeds: they find real mistakes, say which seed it was, and that seed finds it again."""

import asyncio
import re
import threading
from datetime import timedelta

import pytest

import perdure
from perdure import ActivityError, App, Retry, activity, testing, workflow

app = App("bank")


class Bank:
    """An account, and how much it was charged under which key."""

    def __init__(self) -> None:
        self.charged = 0
        self.keys: set[str] = set()
        self.reserved: set[str] = set()

    async def charge(self, cents: int) -> None:
        await asyncio.sleep(1)
        self.charged += cents

    async def charge_by_key(self, cents: int) -> None:
        key = activity.info().idempotency_key
        if key not in self.keys:
            self.keys.add(key)
            await self.charge(cents)

    async def reserve(self, seat: str) -> None:
        self.reserved.add(seat)

    async def free(self, seat: str) -> None:
        self.reserved.discard(seat)


@app.activity
async def charge(cents: int) -> None: ...


@app.activity
async def reserve(seat: str) -> None: ...


@app.activity
async def free(seat: str) -> None: ...


@app.activity(retry=Retry(max_attempts=1))
async def print_ticket(seat: str) -> str:
    return f"ticket for {seat}"


@app.workflow
async def pay(cents: int) -> None:
    await workflow.sleep(timedelta(days=1))
    await charge(cents)


@app.workflow
async def book_and_hope(seat: str) -> str:
    await reserve(seat)
    return await print_ticket(seat)


@app.workflow
async def book(seat: str) -> str:
    async with workflow.saga() as saga:
        saga.compensate(free, seat)
        await reserve(seat)
        return await print_ticket(seat)


@app.workflow
async def never() -> None:
    await workflow.wait_condition(lambda: False)


@app.workflow
async def ticking() -> None:
    while True:
        await workflow.sleep(10_000)


@app.workflow
async def broken() -> None:
    raise KeyError("no such thing")


async def paying(faults: testing.Faults, *, by_key: bool) -> None:
    bank = Bank()
    mock = bank.charge_by_key if by_key else bank.charge
    async with testing.environment(app, mocks={charge: mock}, faults=faults) as env:
        await env.client.execute(pay, 5)
    assert bank.charged == 5


async def charged_once(faults: testing.Faults) -> None:
    await paying(faults, by_key=True)


async def charged_as_often_as_tried(faults: testing.Faults) -> None:
    await paying(faults, by_key=False)


async def booking(faults: testing.Faults, way) -> None:
    bank = Bank()
    async with testing.environment(app, mocks={reserve: bank.reserve, free: bank.free}, faults=faults) as env:
        try:
            await env.client.execute(way, "12A")
        except perdure.WorkflowFailedError as error:
            assert isinstance(error.__cause__, ActivityError)
            assert not bank.reserved, "nobody will ever sit here"


def failing_seed(scenario, error=AssertionError) -> tuple[int, str]:
    with pytest.raises(error) as caught:
        testing.check(scenario, seeds=1000)
    note = caught.value.__notes__[-1]
    found = re.search(r"^seed (\d+) fails, one of 1,000$", note, re.MULTILINE)
    assert found is not None
    return int(found[1]), note


def test_a_thousand_seeds_of_a_right_workflow_pass():
    testing.check(charged_once, seeds=1000)


def test_a_charge_without_a_key_is_found(capsys):
    seed, note = failing_seed(charged_as_often_as_tried)
    assert seed > 0
    assert f"run it again: testing.check(charged_as_often_as_tried, seeds=[{seed}])" in note
    assert note in capsys.readouterr().err
    for _ in range(2):
        with pytest.raises(AssertionError) as caught:
            testing.check(charged_as_often_as_tried, seeds=[seed])
        assert caught.value.__notes__[-1].splitlines()[1:-1] == note.splitlines()[1:-1], "the same things happen"


def test_a_missing_compensation_is_found():
    seed, note = failing_seed(lambda faults: booking(faults, book_and_hope))
    assert seed > 0
    assert "print_ticket" in note or "crashed" in note


def test_with_its_compensation_it_is_right():
    testing.check(lambda faults: booking(faults, book), seeds=300)


def test_a_seed_without_faults_comes_first():
    async def wrong(faults):
        raise AssertionError("in any case")

    seed, note = failing_seed(wrong)
    assert seed == 0
    assert "nothing went wrong: it fails without any fault" in note


def test_what_pytest_itself_raises_has_its_seed_too():
    async def fails(faults):
        with pytest.raises(ZeroDivisionError):
            await asyncio.sleep(1)

    with pytest.raises(pytest.fail.Exception) as caught:
        testing.check(fails, seeds=10)
    assert caught.value.__notes__[-1].startswith("seed 0 fails, one of 10\n")


def test_a_scenario_that_waits_for_ever_is_told_what_it_waits_for():
    async def waiting(faults):
        async with testing.environment(app, faults=faults) as env:
            await env.client.execute(never, id="godot")

    with pytest.raises(TimeoutError) as caught:
        testing.check(waiting, seeds=1)
    said = str(caught.value)
    assert said.startswith("everything waits for something that never comes\nnever 'godot' (run ")
    assert f"its code waits for a condition at {__file__}:" in said


def test_a_bug_ends_the_seed_and_is_told():
    async def buggy(faults):
        async with testing.environment(app, faults=faults) as env:
            await env.client.execute(broken, id="b")

    with pytest.raises(perdure.WorkflowFailedError, match="KeyError: 'no such thing'"):
        testing.check(buggy, seeds=1)


def test_a_seed_that_never_ends_is_told():
    async def endless(faults):
        async with testing.environment(app, faults=faults) as env:
            await env.client.execute(ticking, id="clock")

    with pytest.raises(TimeoutError, match=r"the seed takes longer than 0\.5 seconds\nticking 'clock'"):
        testing.check(endless, seeds=1, seconds=0.5)


def test_time_passes_at_once_for_activities_and_tests_too():
    async def slow(faults):
        async def charge_slowly(cents: int) -> None:
            await asyncio.sleep(3600)

        async with testing.environment(app, mocks={charge: charge_slowly}, faults=faults) as env:
            await asyncio.sleep(86_400)
            await env.client.execute(pay, 1)
            assert env.elapsed >= timedelta(days=2, hours=1)

    testing.check(slow, seeds=5, seconds=60)


def test_a_thread_that_takes_its_time_is_waited_for():
    def slow(cents: int) -> None:
        threading.Event().wait(0.5)

    async def scenario(faults):
        async with testing.environment(app, mocks={charge: slow}, faults=faults) as env:
            await env.client.execute(pay, 1)
        assert await asyncio.to_thread(lambda: 5) == 5

    testing.check(scenario, seeds=1)


def test_sockets_of_a_scenario_work():
    async def scenario(faults):
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask(cents: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            assert await asyncio.wait_for(reader.readline(), 100) == b"hello\n"
            writer.close()

        async with server, testing.environment(app, mocks={charge: ask}, faults=faults) as env:
            await env.client.execute(pay, 1)

    testing.check(scenario, seeds=1)


async def test_check_inside_of_a_loop_is_refused():
    with pytest.raises(perdure.InvalidArgumentError, match="plain function"):
        testing.check(charged_once, seeds=1)


def test_no_seeds_are_refused():
    with pytest.raises(perdure.InvalidArgumentError, match="at least one"):
        testing.check(charged_once, seeds=[])


def test_seeds_is_for_async_tests_with_faults():
    with pytest.raises(perdure.InvalidArgumentError, match="async def wrong"):

        @testing.seeds(3)
        def wrong() -> None: ...
