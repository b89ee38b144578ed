"""Task queues: limits, pauses, priority, fairness; and circuit breakers."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.e2e.conftest import settled

import perdure
from perdure import App, Breaker, Retry, activity, testing

app = App("queues", task_queue="work")

PLAIN: dict[str, Any] = {}
"""No options."""


class Service:
    """What the activities call. ``calls`` are the order in which they came, ``peak`` how many there were at once."""

    def __init__(self) -> None:
        self.is_down = False
        self.calls: list[Any] = []
        self.live: list[Any] = []
        self.peak = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.tokens: list[str] = []


service = Service()


@pytest.fixture(autouse=True)
async def fresh_service():
    global service
    service = Service()


@app.activity
async def call(what: Any) -> Any:
    service.calls.append(what)
    service.live.append(what)
    service.peak = max(service.peak, len(service.live))
    try:
        await service.gate.wait()
        await asyncio.sleep(0)
    finally:
        service.live.remove(what)
    return what


@app.activity(
    retry=Retry(initial=1, backoff=1, non_retryable=("ValueError",)),
    breaker=Breaker(failures=3, window=60, cool_down=30),
)
async def pay(amount: int) -> int:
    service.calls.append((amount, activity.info().attempt))
    if amount < 0:
        raise ValueError("a payment must be above zero")
    await service.gate.wait()
    if service.is_down:
        raise ConnectionError("the service is down")
    return amount


@app.activity
async def handed_over() -> str:
    service.tokens.append(activity.info().task_token)
    activity.raise_complete_later()


@app.activity(start_to_close=5, retry=Retry(max_attempts=1))
async def never_stops() -> None:
    service.live.append("stubborn")
    while service.is_down:
        try:
            await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            continue
    service.live.remove("stubborn")


@app.workflow
async def payment(amount: int) -> int:
    return await pay(amount)


@app.workflow
async def late_payment(amount: int) -> str:
    try:
        await pay.options(schedule_to_start=20)(amount)
    except perdure.ActivityError as error:
        return str(error.cause)
    return "paid"


@app.workflow
async def calls(options: list[dict[str, Any]]) -> list[Any]:
    return list(await asyncio.gather(*(call.options(**each)(number) for number, each in enumerate(options))))


@app.workflow
async def handed() -> str:
    return await handed_over()


@app.workflow
async def stubborn() -> str:
    try:
        await never_stops()
    except perdure.ActivityError as error:
        return str(error.cause)
    return "stopped"


# --- limits


async def test_a_queue_runs_no_more_at_once_than_it_may(opened):
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=3)
        assert await client.execute(calls, [PLAIN] * 50) == list(range(50))
        assert service.peak == 3
        assert service.calls == list(range(50))
        described = await client.task_queues.describe("work")
        assert (described.running, described.backlog, described.settings.concurrency) == (0, 0, 3)


async def test_attempts_that_start_in_one_go_count(opened):
    """Few enough to be far from the limit at first; so many that it is reached before the decision to start them ends."""
    service.gate.clear()
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=40)
        run = await client.start(calls, [PLAIN] * 100)
        await until(lambda: len(service.live) == 40)
        assert (await client.task_queues.describe("work")).running == 40
        service.gate.set()
        assert await run.result() == list(range(100))
        assert service.peak == 40


async def test_a_key_holds_up_only_itself(opened):
    service.gate.clear()
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency_per_key=2)
        run = await client.start(calls, [{"limit_key": "a"}] * 5 + [{"limit_key": "b"}] * 5 + [PLAIN])
        await until(lambda: len(service.live) == 5)
        described = await client.task_queues.describe("work")
        assert described.running_by_key == {"a": 2, "b": 2}
        assert described.holds == {"concurrency_limit": 6}
        assert sorted(service.calls) == [0, 1, 5, 6, 10]
        service.gate.set()
        assert await run.result() == list(range(11))
        assert (await client.task_queues.describe("work")).running_by_key == {}


async def test_a_rate_is_kept_within_any_window(environment):
    times = []

    async def note(what: Any) -> None:
        times.append(env.elapsed.total_seconds())

    async with environment(app, mocks={call: note}) as env:
        await env.client.task_queues.set("work", rate=10, per=timedelta(seconds=60))
        run = await env.client.start(calls, [PLAIN] * 35)
        await env.sleep(59)
        described = await env.client.task_queues.describe("work")
        assert described.holds == {"rate_limit": 25}
        assert described.oldest_wait >= timedelta(seconds=58)
        await run.result()
    assert len(times) == 35
    assert all(late - early >= 60 for early, late in zip(times, times[10:], strict=False))
    assert 180 <= times[-1] < 182, "and none waits longer than it must"


async def test_each_key_has_a_rate_of_its_own(environment):
    async with environment(app) as env:
        await env.client.task_queues.set("work", rate_per_key=1, per=10)
        await env.client.execute(calls, [{"limit_key": key} for key in "aaabbc"])
        assert service.calls[:3] == [0, 3, 5]
        assert timedelta(seconds=20) <= env.elapsed < timedelta(seconds=22)


async def test_lower_limits_take_effect_at_once_and_stop_nothing_that_runs(opened):
    service.gate.clear()
    async with opened(app) as client:
        run = await client.start(calls, [PLAIN] * 5)
        await until(lambda: len(service.live) == 5)
        await client.task_queues.set("work", concurrency=2)
        assert (await client.task_queues.describe("work")).running == 5
        more = await client.start(calls, [PLAIN] * 5)
        service.gate.set()
        await asyncio.gather(run.result(), more.result())
        service.peak = 0
        await client.execute(calls, [PLAIN] * 10)
        assert service.peak == 2


async def test_an_attempt_that_was_given_up_but_still_runs_takes_its_place(environment):
    service.is_down = True
    async with environment(app) as env:
        await env.client.task_queues.set("work", concurrency=1)
        assert await env.client.execute(stubborn) == "activity start-to-close timeout"
        assert service.live == ["stubborn"]
        run = await env.client.start(calls, [PLAIN])
        await asyncio.sleep(0.05)
        assert service.calls == []
        assert (await env.client.task_queues.describe("work")).running == 1
        service.is_down = False
        assert await run.result() == [0]


async def test_an_activity_that_is_completed_from_outside_takes_its_place_until_then(opened):
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=1)
        run = await client.start(handed)
        await until(lambda: service.tokens != [])
        other = await client.start(calls, [PLAIN])
        await asyncio.sleep(0.05)
        assert service.calls == []
        await client.complete_activity(service.tokens[0], "done")
        assert await run.result() == "done"
        assert await other.result() == [0]
        assert (await client.task_queues.describe("work")).running == 0


async def test_those_that_are_completed_from_outside_count_far_from_the_limit_too(opened):
    service.gate.clear()
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=50)
        runs = [await client.start(handed) for _ in range(30)]
        await until(lambda: len(service.tokens) == 30)
        more = await client.start(calls, [PLAIN] * 30)
        await until(lambda: len(service.live) == 20)
        described = await client.task_queues.describe("work")
        assert (described.running, described.backlog) == (50, 10)
        for token in service.tokens:
            await client.complete_activity(token, "done")
        assert [await run.result() for run in runs] == ["done"] * 30
        service.gate.set()
        assert await more.result() == list(range(30))
        assert (await client.task_queues.describe("work")).running == 0


async def test_a_terminated_run_gives_its_places_back(opened):
    service.gate.clear()
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=2)
        run = await client.start(calls, [PLAIN] * 10)
        await until(lambda: len(service.live) == 2)
        await run.terminate()
        service.gate.set()
        assert await client.execute(calls, [PLAIN] * 5) == list(range(5))
        described = await client.task_queues.describe("work")
        assert (described.running, described.backlog) == (0, 0)


# --- order


async def test_urgent_first_and_equal_shares_by_key(opened):
    service.gate.clear()
    async with opened(app) as client:
        await client.task_queues.set("work", concurrency=1)
        noisy: list[dict[str, Any]] = [{"fairness_key": "noisy"}] * 6
        quiet: list[dict[str, Any]] = [{"fairness_key": "quiet"}] * 3
        run = await client.start(calls, [*noisy, *quiet, {"priority": 5}, {"priority": 1}])
        await until(lambda: len(service.live) == 1)
        service.gate.set()
        await run.result()
        first, *order = service.calls
        assert first == 0, "it came when nobody waited"
        assert order[0] == 10
        assert order[-1] == 9
        assert ["noisy" if number < 6 else "quiet" for number in order[1:7]] == ["noisy", "quiet"] * 3


async def test_order_survives_a_restart(store_url):
    if store_url == "memory://":
        pytest.skip("gone with the process")
    async with perdure.open(app, store=store_url, task_queues=[]) as client:
        await client.task_queues.set("work", concurrency=1, paused=True, pause_reason="maintenance")
        options: list[dict[str, Any]] = [{"priority": 5}, PLAIN, {"priority": 1, "fairness_key": "a"}, {"priority": 2}]
    async with perdure.open(app, store=store_url) as client:
        run = await client.start(calls, options)
        described = await client.task_queues.describe("work")
        assert described.holds == {"queue_paused": 4}
    async with perdure.open(app, store=store_url) as client:
        described = await client.task_queues.describe("work")
        assert (described.settings.paused, described.settings.pause_reason) == (True, "maintenance")
        await until_backlog(client, 4)
        run = client.get(run.id)
        await client.task_queues.resume("work")
        await run.result()
    assert service.calls == [2, 3, 1, 0]


# --- pauses


async def test_a_paused_queue_starts_nothing_and_says_so(opened):
    async with opened(app) as client:
        await client.task_queues.set("work", paused=True, pause_reason="the vault is being moved")
        run = await client.start(calls, [PLAIN])
        await settled(run)
        described = await client.task_queues.describe("work")
        assert (described.backlog, described.holds) == (1, {"queue_paused": 1})
        explained = await run.explain()
        assert "task queue 'work' is paused: the vault is being moved" in explained.waits[0].state
        await client.task_queues.set("work", concurrency=5)
        assert service.calls == [], "other settings do not resume it"
        await client.task_queues.resume("work")
        assert await run.result() == [0]


# --- circuit breakers


async def test_an_open_breaker_lets_attempts_wait_and_burns_none(environment):
    service.is_down = True
    async with environment(app) as env:
        runs = await trip(env.client, 5)
        await env.sleep(29)
        assert len(service.calls) == 3
        described = await env.client.task_queues.describe("work")
        assert described.holds == {"breaker_open": 5}
        assert [(breaker.activity, breaker.state) for breaker in described.breakers] == [("pay", "open")]
        explained = await runs[4].explain()
        assert "the circuit breaker of 'pay' on task queue 'work' is open" in explained.waits[0].state
        service.is_down = False
        await env.sleep(3)
        assert [await run.result() for run in runs] == [0, 1, 2, 3, 4]
        assert len(service.calls) == 8
        assert max(attempt for _, attempt in service.calls) == 2, "waiting used up no attempt"


async def test_a_half_open_breaker_lets_one_through_and_opens_again(environment):
    service.is_down = True
    async with environment(app) as env:
        await trip(env.client, 5)
        await env.sleep(31)
        assert len(service.calls) == 4
        await env.sleep(30)
        assert len(service.calls) == 5
        service.gate.clear()
        await env.sleep(30)
        await asyncio.sleep(0.01)
        assert len(service.calls) == 6
        await asyncio.sleep(0.05)
        described = await env.client.task_queues.describe("work")
        assert [breaker.state for breaker in described.breakers] == ["half-open"]
        assert described.holds == {"breaker_open": 4}
        assert len(service.calls) == 6, "while the trial is under way nobody else starts"
        service.gate.set()


async def test_a_trial_that_is_cancelled_makes_room_for_another(environment):
    service.is_down = True
    async with environment(app) as env:
        runs = await trip(env.client, 4)
        await env.sleep(29)
        service.gate.clear()
        service.is_down = False
        await env.sleep(2)
        await asyncio.sleep(0.01)
        trial, _ = service.calls[-1]
        assert len(service.calls) == 4
        await runs[trial].terminate()
        service.gate.set()
        others = [run for number, run in enumerate(runs) if number != trial]
        assert sorted([await run.result() for run in others]) == sorted({0, 1, 2, 3} - {trial})


async def test_wrong_requests_do_not_open_a_breaker(environment):
    async with environment(app) as env:
        for amount in range(-5, 0):
            with pytest.raises(perdure.WorkflowFailedError):
                await env.client.execute(payment, amount)
        assert await env.client.execute(payment, 1) == 1


async def test_timeouts_still_apply_while_a_breaker_is_open(environment):
    service.is_down = True
    async with environment(app) as env:
        for amount in range(3):
            await env.client.start(payment, amount)
        await env.sleep(1)
        assert await env.client.execute(late_payment, 9) == "activity schedule-to-start timeout"
        assert 9 not in [amount for amount, _ in service.calls]


async def test_a_breaker_is_still_open_after_a_restart(store_url):
    if store_url == "memory://":
        pytest.skip("gone with the process")
    service.is_down = True
    async with perdure.open(app, store=store_url) as client:
        for amount in range(5):
            await client.start(payment, amount)
        await until(lambda: len(service.calls) == 3)
        await until_state(client, "open")
    async with perdure.open(app, store=store_url) as client:
        await asyncio.sleep(1.5)
        assert len(service.calls) == 3
        [breaker] = (await client.task_queues.describe("work")).breakers
        assert breaker.state == "open"


# --- bad input


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        (
            "work",
            {"concurrency": 0},
            "concurrency=0 must be a whole number from 1 on, or None for no limit; to start nothing",
        ),
        ("work", {"rate": -1}, "rate=-1 must be a whole number from 1 on"),
        ("work", {"rate": 0.5}, "for a slower rate, make per longer"),
        ("work", {"concurrency_per_key": True}, "concurrency_per_key=True must be a whole number"),
        ("work", {"rate": 1, "per": 0}, "per=0 must be above zero"),
        ("work", {"ageing": -5}, "ageing=-5 must be above zero"),
        ("", {}, "must not be empty"),
        (" work", {}, "begin or end with a space"),
        ("x" * 2000, {}, "has 2,000 characters; the limit id_length is 1,000"),
        ("a\0b", {}, "NUL"),
        ("a", {"concurrency": 10**10}, "is more than 1,000,000,000"),
        # Over a connection, what has the wrong type is refused where it is read.
        (5, {}, "name=5 must be text|Expected `str`, got `int` - at `.*name`"),
        (
            "a",
            {"paused": True, "pause_reason": 5},
            "pause_reason=5 must be text|Expected `str`, got `int` - at `.*reason`",
        ),
    ],
)
async def test_settings_that_make_no_sense_are_refused(name, wrong, says, environment):
    async with environment(app) as env:
        with pytest.raises(perdure.InvalidArgumentError, match=says.replace("(", r"\(")):
            await env.client.task_queues.set(name, **wrong)
        assert [queue.name for queue in await env.client.task_queues.list()] == []


async def test_a_queue_that_nobody_knows_of_is_refused_by_name(environment):
    async with environment(app) as env:
        await env.client.task_queues.set("later", concurrency=1)
        for ask in (env.client.task_queues.pause, env.client.task_queues.resume, env.client.task_queues.describe):
            with pytest.raises(perdure.NotFoundError, match=r"no task queue 'wrok'.*Known are: 'later', 'work'"):
                await ask("wrok")
        described = await env.client.task_queues.describe("later")
        assert (described.served, described.backlog) == (False, 0)


async def test_each_namespace_has_queues_of_its_own():
    # A worker of a server would serve one namespace; the engine's own serves all.
    async with testing.environment(app) as env:
        await env.client.task_queues.set("work", paused=True)
        elsewhere = env.client.with_namespace("elsewhere")
        assert await elsewhere.execute(calls, [PLAIN]) == [0]
        assert await elsewhere.task_queues.list() == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"priority": 0}, "priority=0 must be a whole number from 1"),
        ({"priority": 6}, "priority=6"),
        ({"fairness_weight": 0}, "fairness_weight=0 must be a number above zero"),
        ({"fairness_weight": float("nan")}, "fairness_weight=nan"),
        ({"fairness_key": 5}, "fairness_key=5 must be a string"),
        ({"limit_key": None}, "limit_key=None must be a string"),
        ({"breaker": 5}, "must be a perdure.Breaker"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(perdure.InvalidArgumentError, match=says):
        call.options(**options)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"failures": 0}, "failures=0"),
        ({"failures": 1.5}, "failures=1.5"),
        ({"window": 0}, "window=0"),
        ({"cool_down": -1}, "cool_down=-1"),
        ({"cool_down": "soon"}, "'soon' is not a duration"),
    ],
)
def test_breakers_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(perdure.InvalidArgumentError, match=says):
        Breaker(**wrong)


async def until(condition):
    async with asyncio.timeout(100):
        while not condition():
            await asyncio.sleep(0.002)


async def until_backlog(client, backlog):
    async with asyncio.timeout(100):
        while (await client.task_queues.describe("work")).backlog != backlog:
            await asyncio.sleep(0.002)


async def trip(client, count):
    """Payments of which the first three open the breaker, and the others come after that."""
    runs = [await client.start(payment, amount) for amount in range(3)]
    await until_state(client, "open")
    return runs + [await client.start(payment, amount) for amount in range(3, count)]


async def until_state(client, state):
    async with asyncio.timeout(100):
        while not any(each.state == state for each in (await client.task_queues.describe("work")).breakers):
            await asyncio.sleep(0.002)


async def test_a_start_into_a_queue_that_is_full_is_refused_and_nothing_is_lost(opened):
    app = App("full")

    @app.activity
    async def work(number: int) -> int:
        return number

    @app.workflow
    async def job(number: int) -> int:
        return await work(number) + await work(number)

    settings = perdure.Settings(limits=perdure.Limits(queue_depth=2))
    async with opened(app, settings=settings) as client:
        assert await client.execute(job, 1) == 2
        await client.task_queues.pause("default", "for a test")
        runs = [await client.start(job, number) for number in (2, 3)]
        while (await client.task_queues.describe("default")).backlog < 2:
            await asyncio.sleep(0.01)
        for ask in (client.start, client.execute):
            with pytest.raises(perdure.LimitExceededError, match="2 activities wait in task queue 'default'"):
                await ask(job, 4, id="refused")
        assert await client.count() == 3
        await client.start(job, 5, task_queue="elsewhere")
        await client.task_queues.resume("default")
        assert [await run.result() for run in runs] == [4, 6]
        assert await client.execute(job, 4, id="refused") == 8
