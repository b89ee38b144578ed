"""An engine under observation, and an app that gives it something to show."""

import asyncio
from contextlib import asynccontextmanager

import perdure
from perdure import activity, workflow
from perdure.app import Embedded, store_of
from perdure.engine.clock import SystemClock
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
from perdure.observability.watched import Watched
from perdure.sdk.client import Client
from perdure.sdk.schedules import schedule_app
from perdure.sdk.worker import LocalWorker

app = perdure.App("watched")


@app.activity(retry=perdure.Retry(initial=0.001, max_attempts=3))
async def shaky(fails: int) -> int:
    if activity.info().attempt <= fails:
        raise ValueError("not yet")
    return activity.info().attempt


@app.workflow
async def works(fails: int) -> int:
    return await shaky(fails)


@app.workflow
async def again(left: int) -> int:
    if left:
        workflow.continue_as_new(left - 1)
    await workflow.sleep(0)
    return 0


@app.activity(retry=perdure.Retry(max_attempts=2, initial=0.001), breaker=perdure.Breaker(failures=2, cool_down=60))
async def down() -> None:
    raise ConnectionError("nobody there")


@app.workflow
async def calls() -> None:
    await down()


@app.workflow
async def buggy() -> None:
    raise RuntimeError("a bug")


@app.workflow
async def waits() -> str:
    await workflow.wait_condition(lambda: False)
    return "never"


@asynccontextmanager
async def watched_engine(store_url: str, **options):
    embedded = Embedded([app], store_of(store_url), SystemClock(asyncio.get_running_loop()), **options)
    await embedded.open()
    watched = Watched(embedded.service)
    watched.begin()
    while watched.shard_state == "recovering":
        await asyncio.sleep(0)
    try:
        yield embedded, watched
    finally:
        watched.end()
        await embedded.close()


@asynccontextmanager
async def watched_server(store_url: str):
    """An engine whose workers connect: its client, its workers, and what is watched."""
    own = LocalWorker([], own_apps=[schedule_app(lambda: service)])
    workers = Workers(own)
    service = EngineService(store_of(store_url), SystemClock(asyncio.get_running_loop()), workers)
    own.open(service.engine.report)
    workers.open(service.engine)
    await service.open()
    watched = Watched(service)
    watched.begin()
    try:
        yield Client(service), workers, watched
    finally:
        watched.end()
        await own.close()
        await service.close()
