"""Programs with bugs: the run is neither failed nor lost, and a fixed program carries on."""

import asyncio
import random
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

import perdure
from perdure import App, workflow


def app_with(step):
    app = App("buggy")

    @app.activity
    async def before() -> int:
        return 1

    @app.workflow
    async def process() -> int:
        value = await before()
        return int(step(value))

    return app, process


async def until_its_turn_says(run, words):
    """Why its last turn failed."""
    while words not in (said := repr((await run.describe()).turn)):
        await asyncio.sleep(0.01)
    return said


def broken(value):
    return value / 0


async def test_a_bug_fails_the_turn_and_a_fixed_deploy_carries_on(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"
    app, process = app_with(broken)
    async with perdure.open(app, store=store) as client:
        run = await client.start(process, id="p")
        await until_its_turn_says(run, "division by zero")
        assert (await run.describe()).status is perdure.RunStatus.RUNNING
    app, process = app_with(lambda value: value + 41)
    async with perdure.open(app, store=store) as client:
        assert await client.get("p").result(timeout=100) == 42


async def test_failed_turns_back_off(environment):
    attempts = []

    def step(value):
        attempts.append(value)
        if len(attempts) < 4:
            raise RuntimeError("not yet")
        return value

    app, process = app_with(step)
    async with environment(app) as env:
        assert await env.client.execute(process) == 1
        assert len(attempts) == 4
        assert env.elapsed.total_seconds() >= 1 + 2 + 4


async def test_a_bug_ends_a_test_instead_of_hanging_it(environment):
    def step(value):
        raise RuntimeError("never")

    app, process = app_with(step)
    async with environment(app) as env:
        with pytest.raises(
            perdure.WorkflowFailedError, match=r"failed 10 times in a row .*RuntimeError: never"
        ) as caught:
            await env.client.execute(process)
        assert isinstance(caught.value.__cause__, perdure.TerminatedError)


async def test_changed_code_is_found_and_named(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"

    def make(order):
        app = App("order")

        @app.activity
        async def first() -> None: ...

        @app.activity
        async def second() -> None: ...

        @app.workflow
        async def both() -> str:
            for name in order:
                await {"first": first, "second": second}[name]()
            return await workflow.receive("end", str)

        return app, both

    app, both = make(["first", "second"])
    async with perdure.open(app, store=store) as client:
        run = await client.start(both, id="b")
        while (await run.describe()).activities:
            await asyncio.sleep(0.01)
        history = await run.fetch_history()
    perdure.replay(app, history)
    app, both = make(["second", "first"])
    with pytest.raises(perdure.NonDeterminismError, match="5"):
        perdure.replay(app, history)
    async with perdure.open(app, store=store) as client:
        run = client.get("b")
        await run.signal("end", "x")
        await until_its_turn_says(run, "NON_DETERMINISTIC")
    app, both = make(["first", "second"])
    async with perdure.open(app, store=store) as client:
        assert await client.get("b").result(timeout=100) == "x"


async def test_patches_let_old_and_new_runs_live_together(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"

    def make(patched):
        app = App("patched")

        @app.activity
        async def old() -> str:
            return "old"

        @app.activity
        async def new() -> str:
            return "new"

        @app.workflow
        async def steps() -> str:
            await workflow.receive("go", str)
            if patched and workflow.patched("use-new"):
                return await new()
            return await old()

        return app, steps

    app, steps = make(False)
    async with perdure.open(app, store=store) as client:
        await client.start(steps, id="before")
    app, steps = make(True)
    async with perdure.open(app, store=store) as client:
        await client.start(steps, id="after")
        for id in ("before", "after"):
            await client.get(id).signal("go", "")
        assert await client.get("after").result(timeout=100) == "new"
        assert await client.get("before").result(timeout=100) == "new", "its old turns did not pass the patch"
        history = await client.get("after").fetch_history()
    perdure.replay(app, history)


async def test_the_build_id_of_each_turn_is_in_the_history(opened):
    app = App("built", build_id="v7")

    @app.workflow
    async def nothing() -> None: ...

    async with opened(app) as client:
        run = await client.start(nothing)
        await run.result()
        builds = [
            event.attributes.get("build_id") async for event in run.history() if event.type == "WorkflowTaskCompleted"
        ]
        assert builds == ["v7"]


guarded = App("guarded")


@guarded.workflow
async def reads_the_clock() -> None:
    time.time()


@guarded.workflow
async def asks_the_date() -> None:
    datetime.now()


@guarded.workflow
async def throws_dice() -> None:
    random.random()


@guarded.workflow
async def opens_a_file() -> None:
    Path("/etc/hostname").read_text()


@guarded.workflow
async def starts_a_thread() -> None:
    threading.Thread(target=print).start()


@pytest.mark.parametrize(
    ("program", "instead"),
    [
        (reads_the_clock, "workflow.now"),
        (asks_the_date, "workflow.now"),
        (throws_dice, "workflow.random"),
        (opens_a_file, "activity"),
        (starts_a_thread, "activity"),
    ],
)
async def test_calls_that_would_break_replay_are_refused_by_name(opened, program, instead):
    async with opened(guarded) as client:
        run = await client.start(program)
        assert "test_bugs.py" in await until_its_turn_says(run, instead)
        await run.terminate()


async def test_a_workflow_that_never_yields_is_found_and_named(opened):
    app = App("stuck")

    @app.workflow
    async def spins() -> None:
        while True:
            pass

    @app.workflow
    async def fine() -> int:
        return 1

    async with opened(app) as client:
        run = await client.start(spins, id="spinning")
        await until_its_turn_says(run, "spins")
        assert await client.execute(fine) == 1
        await run.terminate()


async def test_a_workflow_that_starts_itself_stops_growing_and_can_be_ended(opened):
    app = App("endless")

    @app.workflow
    async def again(depth: int = 0) -> int:
        return await again(depth + 1)

    async with opened(app, settings=perdure.Settings(limits=perdure.Limits(child_depth=20))) as client:
        top = await client.start(again)
        while await client.count() != 21:
            await asyncio.sleep(0.01)
        deepest = await anext(client.list())
        explained = str(await client.get(deepest.id).explain())
        assert "20 deep (limit child_depth)" in explained
        await top.terminate("enough")
        while await client.count(status="running"):
            await asyncio.sleep(0.01)
        assert await client.count() == 21


async def test_children_in_a_cycle_end_where_an_id_is_taken(opened):
    app = App("cycle")

    @app.workflow
    async def one() -> str:
        try:
            return await two.options(id="two")()
        except perdure.FailureError as error:
            return f"refused: {error}"

    @app.workflow
    async def two() -> str:
        return await one.options(id="one")()

    async with opened(app) as client:
        assert "refused" in await client.execute(two, id="start"), (
            "the third run would have had the id of the first child"
        )
