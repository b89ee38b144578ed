"""A server, or a worker, as a process of its own, for tests that kill them.

python serving.py server STORE REST_PORT GRPC_PORT
python serving.py worker URL LOG
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import perdure
from perdure import activity, workflow
from perdure.model.options import SECOND_NS

app = perdure.App("serving")
LOG = Path(os.environ.get("SERVING_LOG", os.devnull))


def note(words: str) -> None:
    """A line that survives everything: what was done, by whom."""
    with LOG.open("a") as file:
        file.write(f"{words} {os.getpid()}\n")
        file.flush()
        os.fsync(file.fileno())


@app.activity(start_to_close=60, retry=perdure.Retry(max_attempts=1))
def once(name: str, seconds: float) -> str:
    note(f"begin {name}")
    time.sleep(seconds)
    note(f"end {name}")
    return f"{name} by attempt {activity.info().attempt}"


@app.activity(start_to_close=60, retry=perdure.Retry(initial=0.01, max_attempts=5))
async def often(name: str, seconds: float) -> str:
    note(f"begin {name}")
    await asyncio.sleep(seconds)
    note(f"end {name}")
    return f"{name} by attempt {activity.info().attempt}"


@app.workflow
async def careful(name: str, seconds: float) -> str:
    return await once(name, seconds)


@app.workflow
async def stubborn(name: str, seconds: float) -> str:
    return await often(name, seconds)


@app.workflow
async def steps(count: int) -> int:
    total = 0
    for number in range(count):
        await often(f"{workflow.info().workflow_id}.{number}", 0.0)
        total += number
    return total


async def serve(store: str, rest_port: str, grpc_port: str) -> None:
    from perdure.app.server import Server
    from perdure.protocols.worker import framed

    framed.TICK_SECONDS = float(os.environ.get("SERVING_TICK", framed.TICK_SECONDS))
    settings = perdure.Settings(worker_lease_ns=2 * SECOND_NS)
    server = Server(store, settings, rest_address=f"127.0.0.1:{rest_port}", grpc_address=f"127.0.0.1:{grpc_port}")
    await server.open()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def work(url: str) -> None:
    client = await perdure.connect(url)
    async with perdure.Worker(client, app):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    asyncio.run(serve(*arguments) if what == "server" else work(*arguments))
