"""Namespaces: created, described, limited, deleted."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

import perdure
from perdure import App, Quota, workflow
from perdure.app.server import Server
from perdure.model.ids import RunAddress
from perdure.model.system import SYSTEM_NAMESPACE

app = App("namespaces")


@app.workflow
class Waits:
    def __init__(self) -> None:
        self.done = False

    @workflow.signal
    def finish(self, note: str = "") -> None:
        self.done = True

    @workflow.query
    def is_done(self) -> bool:
        return self.done

    @workflow.update
    def note(self, text: str) -> str:
        return text

    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.done)


@app.workflow
async def parent(children: int) -> int:
    for number in range(children):
        await workflow.start_child(Waits, id=f"child-{number}", parent_close="abandon")
    return children


async def gone(client: perdure.Client, name: str) -> None:
    """Wait until a namespace is deleted."""
    async with asyncio.timeout(100):
        while any(namespace.name == name for namespace in await client.namespaces()):
            await asyncio.sleep(0.01)


async def test_a_namespace_is_set_described_and_kept(opened):
    quota = Quota(open_runs=5, starts_per_second=2.5, payload_bytes=100, share=3.0)
    async with opened(app, namespace="billing") as client:
        await client.set_namespace("billing", retention=timedelta(days=3), description="Invoices", quota=quota)
        await client.start(Waits, id="w", search_attributes={"Amount": 3})
        described = await client.describe_namespace("billing")
        assert described.namespace == perdure.Namespace("billing", 3 * 86_400 * 10**9, "Invoices", quota)
        assert (described.open_runs, described.closed_runs) == (1, 0)
        assert {name: str(type) for name, type in described.search_attributes.items()} == {"Amount": "int"}
        with pytest.raises(perdure.NotFoundError, match="There is no namespace 'none'"):
            await client.describe_namespace("none")


@pytest.mark.parametrize("name", ["", " a", "a ", "a:b", "*", "x" * 1001])
async def test_names_that_cannot_be_used(opened, name):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match="name must not be empty"):
            await client.set_namespace(name)


@pytest.mark.parametrize("quota", [Quota(open_runs=-1), Quota(share=0), Quota(starts_per_second=float("nan"))])
async def test_quotas_that_make_no_sense(opened, quota):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match="Namespace 'n'"):
            await client.set_namespace("n", quota=quota)


# --- quotas


async def test_no_more_runs_are_open_than_the_quota_allows(opened):
    async with opened(app) as client:
        await client.set_namespace("default", quota=Quota(open_runs=3))
        outcomes = await asyncio.gather(
            *(client.start(Waits, id=f"w{number}") for number in range(10)), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(refused) == 7
        for error in refused:
            assert isinstance(error, perdure.LimitExceededError)
            assert "as many open runs as its quota open_runs of 3 allows" in str(error)
            assert error.retry_after_seconds > 0
        runs = [outcome for outcome in outcomes if isinstance(outcome, perdure.Run)]
        # Who only joins a run that is open is let in.
        assert (await client.start(Waits, id=runs[0].id)).run_id == runs[0].run_id

        await runs[0].signal(Waits.finish)
        await runs[0].result()
        async with asyncio.timeout(100):
            while True:
                try:
                    await client.start(Waits, id="late")
                    break
                except perdure.LimitExceededError as error:
                    await asyncio.sleep(min(error.retry_after_seconds, 0.02))
        assert (await client.describe_namespace("default")).open_runs == 3
        # Without the quota there is no limit.
        await client.set_namespace("default")
        await asyncio.gather(*(client.start(Waits, id=f"v{number}") for number in range(10)))


async def test_children_start_all_the_same_but_count(opened):
    async with opened(app) as client:
        await client.set_namespace("default", quota=Quota(open_runs=4))
        assert await client.execute(parent, 6, id="p") == 6
        with pytest.raises(perdure.LimitExceededError):
            for number in range(4):
                await client.start(Waits, id=f"more-{number}")


async def test_a_fork_counts_too(opened):
    async with opened(app) as client:
        run = await client.start(Waits, id="w")
        await client.set_namespace("default", quota=Quota(open_runs=1))
        with pytest.raises(perdure.LimitExceededError, match="open_runs of 1"):
            await run.fork(event_id=3, id="copy")


async def test_rates_and_sizes(environment):
    async with environment(app) as env:
        client = env.client
        await client.set_namespace("default", quota=Quota(starts_per_second=2, payload_bytes=50))
        run = await client.start(Waits, id="w0")
        await client.start(Waits, id="w1")
        with pytest.raises(perdure.LimitExceededError, match="used up its quota starts_per_second of 2") as refused:
            await client.start(Waits, id="w2")
        assert refused.value.retry_after_seconds <= 0.5
        await env.sleep(0.5)
        await client.start(Waits, id="w2")
        with pytest.raises(perdure.LimitExceededError, match="payload_bytes of namespace 'default' of 50"):
            await run.signal(Waits.finish, "x" * 60)

        await client.set_namespace("default", quota=Quota(requests_per_second=3))
        await run.query(Waits.is_done)
        assert await run.update(Waits.note, "a") == "a"
        await run.signal(Waits.finish)
        for ask in (run.query(Waits.is_done), run.update(Waits.note, "a"), run.signal(Waits.finish)):
            with pytest.raises(perdure.LimitExceededError, match="requests_per_second of 3"):
                await ask
        await run.result()  # looking is free


async def test_one_namespace_does_not_feel_the_quota_of_another(opened):
    async with opened(app) as client:
        await client.set_namespace("other", quota=Quota(open_runs=1, starts_per_second=1))
        await asyncio.gather(*(client.start(Waits, id=f"w{number}") for number in range(10)))


async def test_slots_are_shared_between_namespaces(store_url):
    """A namespace with a backlog of 200 in four queues does not hold up one with a backlog of 20."""
    order: list[str] = []
    gate = asyncio.Event()
    shared = App("shared")

    @shared.activity
    async def work(whose: str) -> None:
        await gate.wait()
        order.append(whose)

    @shared.workflow
    async def one(whose: str, queue: str) -> None:
        await work.options(task_queue=queue)(whose)

    async with perdure.open(shared, store=store_url, max_async=4) as client:
        other = perdure.Client(client._service, namespace="small", apps=[shared])
        runs = [await client.start(one, "big", f"q{number % 4}", id=f"b{number}") for number in range(200)]
        runs += [await other.start(one, "small", "q0", id=f"s{number}") for number in range(20)]
        gate.set()
        await asyncio.gather(*(run.result() for run in runs))
    # From when both wait until the small one has no more, each gets half.
    last = len(order) - 1 - order[::-1].index("small")
    counted = Counter(order[: last + 1])
    assert counted["small"] == 20
    assert counted["big"] <= 20 + 8  # those that had slots before the others came


async def test_a_backlog_of_one_namespace_holds_up_no_other_on_a_server(tmp_path):
    """Each namespace has workers of its own there; they share the server alone."""
    order: list[str] = []
    gate = asyncio.Event()
    shared = App("shared")

    @shared.activity
    async def work(whose: str) -> None:
        await gate.wait()
        order.append(whose)

    @shared.workflow
    async def one(whose: str) -> None:
        await work(whose)

    server = Server(f"sqlite:///{tmp_path / 'work.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        async with (
            await perdure.connect(server.url, shared, namespace="big") as big,
            await perdure.connect(server.url, shared, namespace="small") as small,
            perdure.Worker(big, shared, max_async=4),
            perdure.Worker(small, shared, max_async=4),
        ):
            runs = [await big.start(one, "big", id=f"b{number}") for number in range(300)]
            runs += [await small.start(one, "small", id=f"s{number}") for number in range(20)]
            gate.set()
            await asyncio.gather(*(run.result() for run in runs))
    finally:
        await server.close()
    last = len(order) - 1 - order[::-1].index("small")
    assert order[:last].count("big") < 200, "what came last did not wait for all that was there before"


# --- removal


async def test_open_runs_keep_a_namespace_unless_forced(opened):
    async with opened(app, namespace="tmp") as client:
        runs = [await client.start(Waits, id=f"w{number}") for number in range(250)]
        await client.set_namespace("tmp", description="for a while")
        with pytest.raises(perdure.InvalidArgumentError, match="has 250 open runs"):
            await client.delete_namespace("tmp")
        await client.delete_namespace("tmp", force=True)
        with pytest.raises(perdure.NotFoundError, match="being deleted"):
            await client.start(Waits, id="new")
        await gone(client, "tmp")
        with pytest.raises(perdure.NotFoundError):
            await runs[0].describe()
        with pytest.raises(perdure.NotFoundError, match="no namespace 'tmp'"):
            await client.describe_namespace("tmp")
        # The name can be used again, with other types of search attributes.
        await client.start(Waits, id="new", search_attributes={"Amount": "much"})
        assert (await client.describe_namespace("tmp")).open_runs == 1


async def test_schedules_go_with_their_namespace(opened):
    async with opened(app, namespace="tmp") as client:
        await client.schedules.create("s", Waits, every=timedelta(hours=1))
        other = perdure.Client(client._service, namespace="kept", apps=[app])
        await other.schedules.create("s", Waits, every=timedelta(hours=1))
        await client.set_namespace("tmp")
        await client.delete_namespace("tmp", force=True)
        await gone(client, "tmp")
        assert [info.id async for info in client.schedules.list()] == []
        assert [info.id async for info in other.schedules.list()] == ["s"]


async def test_what_is_always_there_cannot_be_deleted(opened):
    async with opened(app) as client:
        for name in ("default", SYSTEM_NAMESPACE):
            with pytest.raises(perdure.InvalidArgumentError, match="is always there"):
                await client.delete_namespace(name, force=True)
        with pytest.raises(perdure.NotFoundError):
            await client.delete_namespace("none")


async def test_a_removal_goes_on_after_a_restart(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(app, store=store, namespace="tmp") as client:
        await asyncio.gather(*(client.start(Waits, id=f"w{number}") for number in range(400)))
        await client.set_namespace("tmp")
        await client.delete_namespace("tmp", force=True)
    async with perdure.open(app, store=store) as client:
        await gone(client, "tmp")
        with pytest.raises(perdure.NotFoundError):
            await client._service.describe(RunAddress("tmp", "w0"))


# --- what schedules may not do


async def test_a_schedule_acts_in_no_other_namespace(opened):
    """Whoever may set up schedules in one namespace could write another one into the definition."""
    async with opened(app, namespace="mine") as client:
        handle = await client.schedules.create("s", Waits, every=timedelta(hours=1), paused=True)
        victim = perdure.Client(client._service, namespace="theirs", apps=[app])
        forged = await victim.schedules.create("s", Waits, every=timedelta(hours=1), paused=True)
        snapshot = await forged._look()
        from perdure.sdk.schedules.definition import Replace

        await handle._tell(Replace(snapshot.state.definition))
        await handle.trigger()
        async with asyncio.timeout(100):
            while not (described := await handle.describe()).last_error:
                await asyncio.sleep(0.01)
        assert "is no schedule of namespace 'theirs'" in described.last_error
        assert await victim.count() == 0


# --- quotas, and what the clock starts


async def test_what_the_clock_starts_waits_for_room_as_well(opened):
    async with opened(app, namespace="small") as client:
        await client.set_namespace("small", quota=Quota(open_runs=1))
        first = await client.start(Waits, id="first")
        handle = await client.schedules.create("s", Waits, every=timedelta(days=1), overlap="allow_all")
        await handle.trigger()
        await asyncio.sleep(0.05)
        assert await client.count() == 1
        await first.signal(Waits.finish)
        await first.result()
        async with asyncio.timeout(100):
            while not (described := await handle.describe()).counts.fired:
                await asyncio.sleep(0.01)
        assert described.last_error == ""
        [started] = [run async for run in client.list(status="running")]
        assert started.id.startswith("s-")


async def test_what_a_namespace_can_never_take_is_the_schedules_last_error(opened):
    async with opened(app, namespace="small") as client:
        handle = await client.schedules.create("s", parent, 1_000_000, every=timedelta(days=1))
        await client.set_namespace("small", quota=Quota(payload_bytes=3))
        await handle.trigger()
        async with asyncio.timeout(100):
            while not (described := await handle.describe()).counts.failed:
                await asyncio.sleep(0.01)
        assert "payload_bytes" in described.last_error
        assert await client.count() == 0


async def test_a_schedule_of_too_long_an_id_fails_visibly(opened):
    async with opened(app) as client:
        handle = await client.schedules.create("s", Waits, every=timedelta(days=1), workflow_id="w" * 1000)
        await handle.trigger()
        async with asyncio.timeout(100):
            while not (described := await handle.describe()).counts.failed:
                await asyncio.sleep(0.01)
        assert "limit id_length" in described.last_error
