"""Runs pinned to a build of the code: only that one takes their turns."""

import asyncio
import subprocess
import sys

import pytest
from tests.e2e.conftest import settled

import perdure
from perdure import App, workflow
from perdure.model.explanation import WaitKind


def app_of(build: str) -> App:
    """The same workflows as another build."""
    app = App("pinned", build_id=build)

    @app.workflow
    async def order(rounds: int = 0) -> str:
        word = await workflow.receive("word", str)
        if rounds:
            workflow.continue_as_new(rounds - 1)
        return f"{word} by {build}"

    @app.workflow
    async def parent() -> str:
        return await order.options(id="child")()

    @app.workflow
    class Talks:
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

        @workflow.query
        def build(self) -> str:
            return build

    return app


async def state_of(run: perdure.Run) -> str:
    """How the run's turn stands, once it has one."""
    while True:
        for wait in (await run.explain()).waits:
            if wait.kind is WaitKind.TURN:
                return f"{wait.state}; {wait.ends_by}"
        await asyncio.sleep(0.01)


async def test_a_pinned_run_waits_for_its_build_and_says_so(opened):
    async with opened(app_of("new")) as client:
        run = await client.start("order", id="x", pin_build="old")
        await run.signal("word", "hello")
        state = await state_of(run)
        assert "it is pinned to build old; the worker here has build new" in state
        assert state.endswith(
            "a worker that serves workflow type order on task queue default, with build old, to which it is pinned"
        )
        assert (await run.describe()).pinned_build_id == "old"
        explanation = await run.explain()
        assert (explanation.pinned_build_id, explanation.build_id) == ("old", "")
        assert str(explanation).endswith("It is pinned to build old; its last turn was taken by none.")
        with pytest.raises(TimeoutError):
            await run.result(timeout=0.05)


async def test_its_build_takes_it_up(tmp_path):
    store = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(app_of("new"), store=store) as client:
        await client.start("order", id="x", pin_build="old")
    async with perdure.open(app_of("old"), store=store) as client:
        run = client.get("x")
        await run.signal("word", "hello")
        assert await run.result(timeout=100) == "hello by old"


async def test_a_run_is_pinned_while_it_runs_moved_and_set_free(opened):
    async with opened(app_of("new")) as client:
        run = await client.start("order", id="x")
        await settled(run)
        await run.pin("old")
        await run.signal("word", "hello")
        assert "pinned to build old" in await state_of(run)
        await run.pin("older")
        assert "pinned to build older" in await state_of(run)
        await run.unpin()
        assert await run.result(timeout=100) == "hello by new"
        types = [event.type async for event in run.history()]
        assert types.count("WorkflowExecutionOptionsUpdated") == 3

        again = await client.start("order", id="y", pin_build="old")
        await again.pin("new")
        await again.signal("word", "moved")
        assert await again.result(timeout=100) == "moved by new"


async def test_the_pin_goes_on_with_the_workflow_and_to_its_children(opened):
    async with opened(app_of("new")) as client:
        run = await client.start("order", 1, id="x", pin_build="new")
        await run.signal("word", "first")
        _, _ = await run._service.wait_closed(run._exact(), follow=False)
        assert (await client.get("x").describe()).pinned_build_id == "new"

        await client.start("parent", id="p", pin_build="new")
        while not (children := (await client.get("p").describe()).children) or not children[0].run_id:
            await asyncio.sleep(0.01)
        assert (await client.get("child").describe()).pinned_build_id == "new"


async def test_a_query_is_not_answered_by_other_code(opened):
    async with opened(app_of("new")) as client:
        run = await client.start("Talks", id="x", pin_build="new")
        assert await run.query("build") == "new"
        await run.pin("old")
        with pytest.raises(perdure.QueryFailedError, match="pinned to build 'old', and the worker here has 'new'"):
            await run.query("build")
        assert (await run.explain()).waits[0].kind is WaitKind.MESSAGE


async def test_an_empty_build_is_refused(opened):
    async with opened(app_of("new")) as client:
        run = await client.start("order", id="x")
        with pytest.raises(perdure.InvalidArgumentError):
            await run.pin("")


async def test_runs_are_found_by_the_build_they_are_pinned_to(opened):
    async def pinned(client, filter="PinnedBuildId = 'old'"):
        return [run.id async for run in client.list(f"{filter} ORDER BY WorkflowId")]

    async with opened(app_of("new")) as client:
        assert await pinned(client) == [], "before anything was pinned the name is known as well"
        free = await client.start("order", id="free")
        await client.start("order", id="from the start", pin_build="old")
        later = await client.start("order", 1, id="later")
        await later.pin("old")
        assert await pinned(client) == ["from the start", "later"]
        assert await pinned(client, "PinnedBuildId IS NULL") == ["free"]
        assert await client.count_by("GROUP BY PinnedBuildId") == {"old": 2, None: 1}
        assert [run.search_attributes async for run in client.list("WorkflowId = 'later'")] == [
            {"PinnedBuildId": "old"}
        ]
        await free.pin("new")
        await later.pin("new")
        await later.signal("word", "a")  # it continues as new
        while (await client.get("later").describe()).run_id == later.run_id:
            await asyncio.sleep(0.01)
        assert await pinned(client, "PinnedBuildId = 'new' AND ExecutionStatus = 'Running'") == ["free", "later"]
        await free.unpin()
        assert await pinned(client, "PinnedBuildId = 'new' AND ExecutionStatus = 'Running'") == ["later"]
        with pytest.raises(perdure.InvalidArgumentError, match="set by the engine alone"):
            await client.start("order", search_attributes={"PinnedBuildId": "mine"})
        with pytest.raises(perdure.InvalidArgumentError, match="set by the engine alone"):
            await client.add_search_attributes({"PinnedBuildId": "int"})


async def test_a_file_with_pinned_runs_is_sound(tmp_path):
    async with perdure.open(app_of("new"), store=f"sqlite:///{tmp_path / 'work.db'}") as client:
        run = await client.start("order", id="x", pin_build="old", search_attributes={"City": "Rome"})
        await run.pin("older")
        await (await client.start("order", id="y", pin_build="old")).unpin()
    command = [sys.executable, "-m", "perdure", "verify", str(tmp_path / "work.db")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
