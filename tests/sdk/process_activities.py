"""Activities that run in processes of their own, which import this module."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

from perdure.sdk import activity
from perdure.sdk.app import App

app = App("processes")


@dataclass
class Square:
    side: int


class Refused(Exception):
    pass


@app.activity(executor="process")
def area(square: Square) -> int:
    return square.side * square.side


@app.activity(executor="process")
def pid() -> int:
    return os.getpid()


@app.activity(executor="process")
def where() -> list[str]:
    info = activity.info()
    return [info.workflow_id, info.activity_type, str(info.attempt), info.idempotency_key]


@app.activity(executor="process")
def refuse() -> None:
    raise Refused("not today")


@app.activity(executor="process")
def beat_then_die() -> None:
    activity.heartbeat(1)
    activity.heartbeat(2)
    os.kill(os.getpid(), signal.SIGKILL)


@app.activity(executor="process")
def beat_until_cancelled() -> str:
    step = 0
    try:
        while True:
            step += 1
            activity.heartbeat(step)
            time.sleep(0.01)
    except asyncio.CancelledError:
        if activity.info().attempt == 2:
            return "cleaned up"
        raise


@app.activity(executor="process")
def wait_until_cancelled() -> bool:
    return activity.wait_for_cancelled_in_thread(30)


@app.activity(executor="process")
def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@app.activity(executor="process")
def later() -> None:
    activity.raise_complete_later()


@app.activity(executor="process")
def leave() -> None:
    raise SystemExit(3)
