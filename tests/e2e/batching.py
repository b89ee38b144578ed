"""A process that does one thing to many runs by a batch and is killed: ``python batching.py STORE LEDGER OPERATION``.

The ledger says how often it was opened, and that the batch has ended. The first process begins the runs and the batch.
"""

import asyncio
import os
import sys

import perdure
from perdure import App, workflow

COUNT = 300

app = App("batching")
ledger = -1


@app.workflow
class Counts:
    def __init__(self) -> None:
        self.signals = 0

    @workflow.signal
    def more(self) -> None:
        self.signals += 1

    async def run(self) -> int:
        await workflow.wait_condition(lambda: False)
        return self.signals


async def begin(batches: perdure.Batches, operation: str) -> None:
    filter, options = "WorkflowType = 'Counts'", {"id": "all", "rate": 200}
    if operation == "signal":
        await batches.signal(filter, "more", **options)
    else:
        await getattr(batches, operation)(filter, **options)


async def main(store: str, path: str, operation: str) -> None:
    global ledger
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with perdure.open(app, store=store) as client:
        if not [found async for found in client.batches.list()]:
            await asyncio.gather(*(client.start(Counts, id=f"run-{number}") for number in range(COUNT)))
            await begin(client.batches, operation)
        os.write(ledger, b"open\n")
        await client.batches.get("all").wait()
        os.write(ledger, b"ended\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
