"""Labels of workers, and activities and workflows that ask for them."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress

import httpx
import pytest

import perdure
from perdure import Affinity, App, InvalidArgumentError, testing
from perdure.app.server import Server
from perdure.model.affinity import MOST_LABELS

app = App("labels")


@app.activity(affinity={"gpu": "a100"})
async def train(what: str) -> str:
    return what


@app.activity
async def anywhere(what: str) -> str:
    return what


@app.activity(affinity=Affinity(preferred={"zone": "eu", "disk": "ssd"}))
async def near(what: str) -> str:
    return what


@app.workflow
async def training(what: str) -> str:
    return await train(what)


@app.workflow
async def loading(what: str) -> str:
    return await near(what)


@app.workflow
async def plain(what: str) -> str:
    return await anywhere(what)


@app.workflow
async def somewhere(hosts: list[str]) -> list[str]:
    return list(await asyncio.gather(*(anywhere.options(affinity={"host": host})("x") for host in hosts)))


@app.workflow(affinity={"zone": "eu"})
async def european(again: bool) -> str:
    if again:
        perdure.workflow.continue_as_new(False)
    return "done"


@app.workflow
async def parent() -> str:
    child = await perdure.workflow.start_child(european, False, id="child")
    other = await perdure.workflow.start_child(plain, "x", id="other", affinity={"zone": "us"})
    return f"{await child} {await other}"


async def waiting_for(run: perdure.Run, words: str) -> str:
    """The run's explanation, once there is such a run and it says these words."""
    told = ""
    async with asyncio.timeout(30):
        while words not in told:
            await asyncio.sleep(0.01)
            with suppress(perdure.NotFoundError):
                told = str(await run.explain())
    return told


async def who(run: perdure.Run) -> list[str]:
    """Who ran the run's activities, once it has ended."""
    await run.result()
    return [e.attributes["identity"] async for e in run.history() if e.type == "ActivityTaskCompleted"]


async def who_executes(client: perdure.Client, workflow, *args, **options) -> str:
    """Who runs the one activity of a new run."""
    [worker] = await who(await client.start(workflow, *args, **options))
    return worker


# --- one worker, in the engine's process or beside a server


async def test_a_worker_with_the_label_runs_what_asks_for_it(opened):
    async with opened(app, labels={"gpu": "a100"}, identity="big") as client:
        assert await who_executes(client, training, "model") == "big"
        assert await who_executes(client, plain, "model") == "big"


async def test_a_task_waits_while_nobody_has_the_label_and_says_so(opened):
    async with opened(app, labels={"gpu": "t4"}, identity="small") as client:
        run = await client.start(training, "model", id="train")
        told = await waiting_for(run, "no worker on task queue 'default' has label gpu=a100")
        assert "with label gpu=a100" in told
        [pending] = (await run.describe()).activities
        assert pending.affinity == Affinity({"gpu": "a100"}).for_engine
        queue = await client.task_queues.describe("default")
        assert {str(hold): count for hold, count in queue.holds.items()} == {"no_matching_worker": 1}
        assert await who_executes(client, plain, "model") == "small", "others are not held up by it"
        await run.terminate("enough")


async def test_turns_wait_for_a_worker_with_the_label(opened):
    async with opened(app, labels={"zone": "us"}) as client:
        run = await client.start(european, False, id="turns")
        await waiting_for(run, "no worker on task queue 'default' has label zone=eu")
        assert (await run.describe()).affinity == Affinity({"zone": "eu"}).for_engine
        assert await client.execute(european, False, affinity=None) == "done", "the start's option comes before"
        assert await client.execute(european, False, affinity={"zone": "us"}) == "done"
        with pytest.raises(perdure.QueryFailedError, match="zone=eu"):
            await run.query("state")
        await run.terminate("enough")


async def test_the_run_that_follows_and_children_ask_as_they_should(opened):
    async with opened(app, labels={"zone": "eu"}) as client:
        run = await client.start(european, True, id="follows")
        assert await run.result() == "done"
        assert (await client.get("follows").describe()).affinity == Affinity({"zone": "eu"}).for_engine
        above = await client.start(parent, id="above")
        await waiting_for(client.get("other"), "label zone=us")
        assert (await client.get("child").describe()).affinity == Affinity({"zone": "eu"}).for_engine
        await above.terminate("enough")


async def test_what_is_preferred_is_not_waited_for(opened):
    async with opened(app, identity="only") as client:
        assert await who_executes(client, loading, "data") == "only"


async def test_the_runs_of_a_schedule_ask_too(opened):
    async with opened(app, labels={"zone": "us"}) as client:
        schedule = await client.schedules.create("nightly", plain, "x", cron="0 3 * * *", affinity={"zone": "us"})
        await schedule.trigger()
        async with asyncio.timeout(30):
            while not (runs := [run async for run in client.list("WorkflowType = 'plain'")]):
                await asyncio.sleep(0.01)
        run = client.get(runs[0].id)
        assert (await run.describe()).affinity == Affinity({"zone": "us"}).for_engine
        await run.result()


@pytest.mark.parametrize(
    "affinity", [{"": "a"}, {"a": ""}, {"a": 1}, "gpu", {f"l{n}": "x" for n in range(MOST_LABELS + 1)}]
)
async def test_labels_that_make_no_sense_are_refused_where_they_are_said(affinity):
    for refused in (
        lambda: anywhere.options(affinity=affinity),
        lambda: plain.options(affinity=affinity),
        lambda: Affinity(preferred=affinity),
        lambda: App("refused").activity(affinity=affinity),
    ):
        with pytest.raises(InvalidArgumentError):
            refused()
    async with testing.environment(app) as env:
        with pytest.raises(InvalidArgumentError):
            await env.client.start(plain, "x", affinity=affinity)
    with pytest.raises(InvalidArgumentError):
        async with testing.environment(app, labels=affinity):
            pass


# --- after a crash


async def test_what_was_asked_for_outlives_the_process(tmp_path):
    url = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(app, store=url, labels={"zone": "eu"}, namespace="labs") as client:
        runs = [await client.start(training, "model", id=f"t{n}") for n in range(3)]
        for run in runs:
            await waiting_for(run, "has label gpu=a100")
    async with perdure.open(app, store=url, namespace="labs", identity="wrong") as client:
        await waiting_for(client.get("t0"), "has label gpu=a100")
        async with asyncio.timeout(30):  # what waits is taken up while others are served already
            while (await client.task_queues.describe("default")).backlog != 3:
                await asyncio.sleep(0.01)
    async with perdure.open(app, store=url, labels={"gpu": "a100"}, namespace="labs", identity="right") as client:
        assert [await who(client.get(f"t{n}")) for n in range(3)] == [["right"]] * 3


# --- several workers


class Crew:
    """A server in this process and workers that come and go."""

    def __init__(self, client: perdure.Client, url: str) -> None:
        self.client = client
        self.url = url
        self._workers: dict[str, AsyncExitStack] = {}

    async def come(self, identity: str, labels: dict[str, str], max_async: int = 100) -> None:
        stack = self._workers[identity] = AsyncExitStack()
        client = await stack.enter_async_context(await perdure.connect(self.url, app))
        worker = perdure.Worker(client, app, identity=identity, labels=labels, grace=0.2, max_async=max_async)
        await stack.enter_async_context(worker)

    async def go(self, identity: str) -> None:
        await self._workers.pop(identity).aclose()

    async def disperse(self) -> None:
        for identity in list(self._workers):
            await self.go(identity)


@pytest.fixture
async def crew(store_url):
    server = Server(store_url, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    try:
        async with await perdure.connect(server.url, app) as client:
            crew = Crew(client, server.url)
            try:
                yield crew
            finally:
                await crew.disperse()
    finally:
        await server.close()


async def test_tasks_go_only_to_workers_that_match(crew):
    await crew.come("small", {"gpu": "t4"})
    await crew.come("big", {"gpu": "a100", "zone": "us"})
    await crew.come("bigger", {"gpu": "a100", "zone": "eu"})
    trained = await asyncio.gather(*(who_executes(crew.client, training, f"m{n}") for n in range(30)))
    assert set(trained) == {"big", "bigger"}
    hosts = await asyncio.gather(*(who_executes(crew.client, plain, f"m{n}") for n in range(30)))
    assert set(hosts) == {"small", "big", "bigger"}


async def test_the_best_match_comes_first_and_others_when_it_is_full(crew):
    await crew.come("far", {"zone": "us"})
    await crew.come("near", {"zone": "eu"})
    await crew.come("nearest", {"zone": "eu", "disk": "ssd"})
    assert [await who_executes(crew.client, loading, f"d{n}") for n in range(5)] == ["nearest"] * 5
    await crew.go("nearest")
    assert [await who_executes(crew.client, loading, f"e{n}") for n in range(5)] == ["near"] * 5
    await crew.go("near")
    assert await who_executes(crew.client, loading, "f") == "far"


async def test_a_worker_that_comes_takes_what_waited_for_it(crew):
    await crew.come("other", {})
    runs = [await crew.client.start(training, "m", id=f"w{n}") for n in range(3)]
    turns = await crew.client.start(european, False, id="eu")
    for run in runs:
        await waiting_for(run, "has label gpu=a100")
    await waiting_for(turns, "has label zone=eu")
    await crew.come("awaited", {"gpu": "a100", "zone": "eu"})
    assert [await who(run) for run in runs] == [["awaited"]] * 3
    assert await turns.result() == "done"


async def test_when_its_worker_is_gone_a_run_waits_for_another_one_that_matches(crew):
    await crew.come("first", {"zone": "eu"}, max_async=1)
    await crew.come("never", {"zone": "us"})
    run = await crew.client.start(somewhere, ["a", "b"], id="hosts", affinity={"zone": "eu"})
    await waiting_for(run, "has label host=a")
    await crew.go("first")
    await crew.come("a", {"host": "a"})
    await crew.come("b", {"host": "b"})
    await waiting_for(run, "has label zone=eu")
    await crew.come("second", {"zone": "eu"})
    assert sorted(await who(run)) == ["a", "b"]


async def test_one_slot_is_one_slot_whoever_is_asked_for(crew):
    await crew.come("single", {"gpu": "a100"}, max_async=1)
    await crew.come("other", {}, max_async=1)
    results = await asyncio.gather(
        *(who_executes(crew.client, training if n % 2 else plain, f"m{n}") for n in range(40)),
    )
    assert {results[n] for n in range(1, 40, 2)} == {"single"}


async def test_a_worker_with_labels_that_make_no_sense_is_refused(crew):
    with pytest.raises(InvalidArgumentError, match="label"):
        await crew.come("wrong", {"": "x"})


# --- by REST


async def test_rest_asks_for_labels_and_polls_with_them(crew):
    async with httpx.AsyncClient(base_url=f"{crew.url}/api/v1/namespaces/default", timeout=30) as http:
        await crew.come("turns", {})
        body = {"workflow_type": "training", "workflow_id": "r", "input": ["m"], "affinity": {"preferred": {"a": "b"}}}
        assert (await http.post("/workflows", json=body)).status_code == 201
        await waiting_for(crew.client.get("r"), "has label gpu=a100")
        seen = (await http.get("/workflows/r")).json()
        assert seen["affinity"] == {"required": {}, "preferred": {"a": "b"}}
        assert seen["activities"][0]["affinity"] == {"required": {"gpu": "a100"}, "preferred": {}}
        poll = "/task-queues/default/activities/poll"
        assert (await http.post(poll, json={"wait_seconds": 0.05})).status_code == 204
        task = await http.post(poll, json={"wait_seconds": 30, "labels": {"gpu": "a100"}})
        assert task.status_code == 200
        token = task.json()["task_token"]
        done = await http.post(f"/activities/{token}/complete", json={"result": "by hand"})
        assert done.status_code < 300
        assert json.loads((await http.get("/workflows/r/result?wait_seconds=20")).text)["result"] == "by hand"
        wrong = await http.post("/workflows", json={"workflow_type": "training", "affinity": {"required": {"": "x"}}})
        assert wrong.status_code == 400
