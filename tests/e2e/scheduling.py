"""A process that starts runs by the clock and is killed: ``python scheduling.py STORE LEDGER SECONDS``.

Each run appends its id and run id to the ledger. A schedule is due each second; it is created by the first process.
"""

import asyncio
import os
import sys

import perdure
from perdure import App, activity

app = App("scheduling")
ledger = -1


@app.activity
async def note() -> None:
    address = activity.info()
    os.write(ledger, f"{address.workflow_id} {address.run_id}\n".encode())


@app.workflow
async def job() -> None:
    await note()


async def main(store: str, path: str, seconds: float) -> None:
    global ledger
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with perdure.open(app, store=store) as client:
        for name in ("a", "b", "c"):
            try:
                await client.schedules.create(name, job, every=1, overlap="allow_all")
            except perdure.AlreadyExistsError:
                pass
        os.write(ledger, b"open\n")
        await asyncio.sleep(seconds)
        for name in ("a", "b", "c"):
            await client.schedules.get(name).pause("the end")
        async for run in client.list(status="running"):
            await client.get(run.id).result()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
