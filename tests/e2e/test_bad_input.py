"""Whatever is handed in by mistake is refused where it is handed in, in words, and nothing of it is stored."""

import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.conftest import settled

import perdure
from perdure import App, workflow

app = App("mistaken")


@app.activity
async def echo(value: object) -> object:
    return value


@app.workflow
async def hello(name: str = "") -> str:
    return f"Hello, {name}!"


@app.workflow
class Talk:
    def __init__(self) -> None:
        self.said: list[str] = []

    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.said)
        return self.said

    @workflow.signal
    def say(self, word: str) -> None:
        self.said.append(word)

    @workflow.update
    def count(self, word: str) -> int:
        self.said.append(word)
        return len(self.said)


CYCLE: list[object] = []
CYCLE.append(CYCLE)

STARTS = [
    ({"id": ""}, "id must not be empty"),
    ({"id": 5}, "id=5 must be text, not int"),
    ({"id": "a\0b"}, "NUL"),
    ({"id": "\ud800"}, "surrogate"),
    ({"id": "x" * 1_001}, "workflow_id .* has 1,001 characters; the limit id_length is 1,000"),
    ({"task_queue": ""}, "task_queue must not be empty"),
    ({"task_queue": 5}, "task_queue=5 must be text"),
    ({"task_queue": "q" * 1_001}, "task_queue .* the limit id_length is 1,000"),
    ({"namespace": 5}, "namespace=5 must be text"),
    ({"request_id": 5}, "request_id=5 must be text"),
    ({"pin_build": 5}, "pin_build=5 must be text"),
    ({"retry": 5}, "retry=5 must be a perdure.Retry"),
    ({"memo": [1]}, r"memo=\[1\] must be a mapping"),
    ({"memo": {1: 2}}, "a name in memo=1 must be text"),
    ({"memo": {"a": object()}}, "'a': a value of type object"),
    ({"search_attributes": [1]}, "search_attributes=.* must be a mapping"),
    ({"search_attributes": {1: 1}}, "a name in search_attributes=1 must be text"),
    ({"search_attributes": {"": 1}}, "must not be empty"),
    ({"search_attributes": {"RunId": "x"}}, "set by the engine alone"),
    ({"search_attributes": {"F": math.nan}}, "can't be searched by"),
    ({"run_timeout": math.nan}, "run_timeout: nan is not a duration"),
    ({"run_timeout": "1h"}, "run_timeout: '1h' is not a duration"),
    ({"run_timeout": 0}, "must be above zero"),
    ({"start_delay": -1}, "must not be negative"),
    ({"start_delay": math.inf}, "inf is not a duration"),
    ({"id_reuse": "nope"}, "choose one of"),
]


@pytest.mark.parametrize(("options", "words"), STARTS, ids=range(len(STARTS)))
async def test_a_start_that_cannot_be(opened, options, words):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match=words):
            await client.start(hello, "x", **options)
        assert await client.count() == 0
        assert await client.execute(hello, "y") == "Hello, y!"


@pytest.mark.parametrize("value", [object(), CYCLE, "\ud800", b"x" * (65 * 1024 * 1024)], ids=range(4))
async def test_an_argument_that_cannot_be(opened, value):
    async with opened(app) as client:
        with pytest.raises((perdure.InvalidArgumentError, perdure.LimitExceededError), match="argument 1: a value of"):
            await client.start(hello, value)
        assert await client.count() == 0


@pytest.mark.parametrize("id", ["a/b//../c", "💥\u202e", "a\nb", "'; DROP TABLE runs; --", "x" * 1_000, " "])
async def test_any_text_is_an_id(opened, id):
    async with opened(app) as client:
        await client.execute(hello, "x", id=id)
        assert [run.id async for run in client.list()] == [id]
        assert (await client.get(id).describe()).id == id


HANDLED = [
    (lambda run: run.signal(""), "the name of a signal must not be empty"),
    (lambda run: run.signal("s" * 1_001), "signal_name .* the limit id_length"),
    (lambda run: run.signal("say", request_id=5), "request_id=5 must be text"),
    (lambda run: run.signal(5), "5 is no signal"),
    (lambda run: run.query("\0"), "NUL"),
    (lambda run: run.update("count", "a", id=5), "id=5 must be text"),
    (lambda run: run.update("count", "a", id="u" * 1_001), "update_id .* the limit id_length"),
    (lambda run: run.cancel(5), "reason=5 must be text"),
    (lambda run: run.terminate("\ud800"), "surrogate"),
    (lambda run: run.pause(None), "reason=None must be text"),
    (lambda run: run.resume(b""), "must be text, not bytes"),
    (lambda run: run.pin(5), "build_id=5 must be text"),
    (lambda run: run.reset("x"), "event_id='x' must be a whole number"),
    (lambda run: run.reset(0), "events count from 1"),
    (lambda run: run.reset(10**6), "its history ends with event"),
    (lambda run: run.reset(10**30), "is none"),
    (lambda run: run.fork(3, id=""), "id must not be empty"),
    (lambda run: run.fork(3, id=5), "id=5 must be text"),
]


@pytest.mark.parametrize("number", range(len(HANDLED)))
async def test_a_message_that_cannot_be(opened, number):
    ask, words = HANDLED[number]
    async with opened(app) as client:
        run = await client.start(Talk, id="talk")
        await settled(run)
        before = [event.type async for event in run.history()]
        with pytest.raises(perdure.InvalidArgumentError, match=words):
            await ask(run)
        assert [event.type async for event in run.history()] == before
        await run.signal(Talk.say, "end")
        assert await run.result() == ["end"]


@pytest.mark.parametrize("id", ["", 5, None, "\0"])
async def test_a_handle_that_cannot_be(opened, id):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match="id"):
            client.get(id)


@pytest.mark.parametrize("token", ["", "x", "💥", "a" * 10_000, 5, None])
async def test_a_token_that_is_none(opened, token):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match="is not a task token"):
            await client.complete_activity(token, 1)


any_workflow: Any = workflow  # what a type checker would refuse
any_hello: Any = hello
any_echo: Any = echo

any_filter: Any = [5, None, b"", "\0", "WorkflowId = '\ud800'"]


@pytest.mark.parametrize("filter", any_filter, ids=range(len(any_filter)))
async def test_a_filter_that_is_none(opened, filter):
    async with opened(app) as client:
        for ask in (client.count, lambda filter: anext(client.list(filter))):
            with pytest.raises(perdure.InvalidArgumentError, match="The filter"):
                await ask(filter)


BUGS: dict[str, tuple[Callable[[], Any], str]] = {
    "nan": (lambda: any_workflow.sleep(math.nan), "nan is not a duration"),
    "queue": (lambda: any_echo.options(task_queue=5)(1), "task_queue=5 must be text"),
    "no queue": (lambda: any_echo.options(task_queue="")(1), "task_queue must not be empty"),
    "retry": (lambda: any_echo.options(retry=3)(1), "retry=3 must be a perdure.Retry"),
    "child": (lambda: any_workflow.start_child(any_hello, id=5), "id=5 must be text"),
    "child queue": (lambda: any_workflow.start_child(any_hello, task_queue="\0"), "NUL"),
    "child memo": (lambda: any_workflow.start_child(any_hello, memo=[1]), "must be a mapping"),
    "options": (lambda: any_hello.options(id="")(), "id must not be empty"),
    "attributes": (lambda: any_workflow.upsert_search_attributes(5), "must be a mapping"),
    "memo": (lambda: any_workflow.upsert_memo({1: 1}), "a name in memo=1"),
    "patch": (lambda: any_workflow.patched(""), "patch_id must not be empty"),
    "progress": (lambda: any_workflow.progress("much"), "must be a number"),
    "progress nan": (lambda: any_workflow.progress(1, math.nan), "must be a number"),
    "external": (lambda: any_workflow.external(5), "workflow_id=5 must be text"),
    "external reason": (lambda: any_workflow.external("x").cancel(5), "reason=5 must be text"),
    "external signal": (lambda: any_workflow.external("x").signal(""), "must not be empty"),
}


@app.workflow
async def buggy(bug: str) -> None:
    made = BUGS[bug][0]()
    if hasattr(made, "__await__"):
        await made


@pytest.mark.parametrize("bug", BUGS)
async def test_a_bug_in_a_workflow_is_shown_and_the_run_kept(opened, bug):
    async with opened(app) as client:
        run = await client.start(buggy, bug, id="b")
        details = await settled(run)
        assert details.status is perdure.RunStatus.RUNNING
        assert BUGS[bug][1] in repr(details.turn)
        await run.terminate("enough")


async def test_what_is_to_last_for_ever_lasts_a_century(opened):
    async with opened(app) as client:
        run = await client.start(hello, "x", start_delay=1e300, execution_timeout=1e300)
        (wait,) = (await run.explain()).waits
        assert wait.until - wait.since == 36_500 * 86_400 * 10**9
        await run.terminate()


def test_a_file_that_was_handed_nonsense_is_sound(tmp_path):
    """In a process of its own, as somebody would who tries things out."""
    script = """
import asyncio, sys, perdure
from tests.e2e.test_bad_input import HANDLED, STARTS, Talk, app, hello

async def main():
    async with perdure.open(app, store=sys.argv[1]) as client:
        for options, _ in STARTS:
            try:
                await client.start(hello, "x", **options)
            except perdure.PerdureError:
                pass
        run = await client.start(Talk, id="talk")
        for ask, _ in HANDLED:
            try:
                await ask(run)
            except perdure.PerdureError:
                pass

asyncio.run(main())
"""
    path = tmp_path / "work.db"
    done = subprocess.run([sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([sys.executable, "-m", "perdure", "verify", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
