"""Server-sent events: histories, progress and lists, to their end or until somebody leaves."""

import asyncio
import json
from contextlib import asynccontextmanager

from tests.protocols.rest.test_runs import RUNS, result, start

STREAM = {"Accept": "text/event-stream"}


@asynccontextmanager
async def listening(http, path, headers=(), **params):
    """The events of a stream as they come: ``(event, data, id)``."""
    async with http.stream("GET", path, headers={**STREAM, **dict(headers)}, params=params) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events_of(answer)


async def events_of(answer):
    event = data = id = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        match name:
            case "event":
                event = value
            case "data":
                data = json.loads(value)
            case "id":
                id = value
            case "" if event and not line:
                yield event, data, id
                event = data = id = ""
            case _:
                assert line.startswith(":"), line


async def test_a_history_is_followed_to_its_end(http):
    await start(http, "Account", workflow_id="h")

    async with listening(http, f"{RUNS}/h/history") as events:
        seen = [await anext(events)]
        await http.post(f"{RUNS}/h/signal", json={"signal_name": "deposit", "input": [5]})
        await http.post(f"{RUNS}/h/signal", json={"signal_name": "close"})
        seen += [event async for event in events]

    assert [name for name, _, _ in seen] == ["event"] * (len(seen) - 1) + ["closed"]
    assert [int(id) for _, _, id in seen[:-1]] == list(range(1, len(seen)))
    assert seen[0][1]["type"] == "WorkflowExecutionStarted"
    assert seen[-1][1]["result"] == 5


async def test_whoever_reconnects_misses_nothing(http):
    await start(http, "hello", "x", workflow_id="r")
    await result(http, "r")

    async with listening(http, f"{RUNS}/r/history") as events:
        whole = [event async for event in events]
    async with listening(http, f"{RUNS}/r/history", headers={"Last-Event-ID": "3"}) as events:
        rest = [event async for event in events]

    assert rest == whole[3:]


async def test_progress_is_followed(http):
    await start(http, "counting", 20, workflow_id="p")

    async with listening(http, f"{RUNS}/p") as events:
        seen = [event async for event in events]

    assert seen[-1][0] == "closed"
    assert seen[-1][1]["result"] == 20
    assert seen[-2][1]["run"]["status"] == "completed"
    assert seen[-2][1]["run"]["progress"] == {"done": 20, "total": 20, "label": "counting"}


async def test_a_list_is_followed(http):
    await start(http, "Account", workflow_id="one")

    async with listening(http, RUNS, status="running", interval_seconds=0.2) as events:
        first, ready = await anext(events), await anext(events)
        await start(http, "Account", workflow_id="two")
        came = await anext(events)
        await http.post(f"{RUNS}/one/terminate")
        gone = await anext(events)

    assert (first[0], first[1]["workflow_id"], ready[0]) == ("run", "one", "ready")
    assert (came[0], came[1]["workflow_id"]) == ("run", "two")
    assert (gone[0], gone[1]["workflow_id"]) == ("gone", "one")


async def test_what_is_wrong_is_said_before_the_stream_begins(http):
    for path in (f"{RUNS}/none", f"{RUNS}/none/history"):
        refused = await http.get(path, headers=STREAM)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    refused = await http.get(RUNS, headers=STREAM, params={"filter": "("})
    assert refused.json()["code"] == "invalid_argument"


async def test_there_is_a_sign_of_life(serve):
    from perdure.protocols.rest import Bounds

    rest = await serve(bounds=Bounds(keep_alive_seconds=0.05))
    await start(rest.http, "Account", workflow_id="quiet")

    async with rest.http.stream("GET", f"{RUNS}/quiet/history", headers=STREAM) as answer:
        signs = 0
        async for line in answer.aiter_lines():
            signs += line == ": still here"
            if signs == 3:
                break


async def test_those_who_leave_mid_stream_leave_nothing_behind(http, rest):
    await start(http, "Account", workflow_id="left")
    waiting = rest.service.engine.waiting

    for _ in range(30):
        async with listening(http, f"{RUNS}/left/history") as events:
            await anext(events)
    for _ in range(30):
        waited = asyncio.create_task(http.get(f"{RUNS}/left/result", params={"wait_seconds": 20}))
        await asyncio.sleep(0.01)
        waited.cancel()

    assert (await http.get(f"{RUNS}/left")).status_code == 200
    streams = [task for task in asyncio.all_tasks() if "send_stream" in repr(task.get_coro())]
    assert not streams
    assert sum(map(len, [*waiting.followers.values(), *waiting.closes.values()])) < 40


async def test_a_server_that_ends_lets_go_of_those_who_wait(serve):
    rest = await serve()
    await start(rest.http, "Account", workflow_id="end")
    polled = asyncio.create_task(rest.http.get(f"{RUNS}/end/result", params={"wait_seconds": 50}))
    async with listening(rest.http, f"{RUNS}/end/history") as events:
        await anext(events)
        stopped = asyncio.create_task(rest.server.stop())
        left = [event async for event in events]

    await stopped
    assert all(name == "event" for name, _, _ in left)
    assert (await polled).status_code == 202
