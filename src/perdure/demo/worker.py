"""A worker of the demo, which gets killed: the order sagas and their activities. Runs as ``python -m perdure.demo.worker``.

It knows nothing of earlier workers, and lives through the deaths of its server.
"""

import argparse
import asyncio
from pathlib import Path

import perdure
from perdure.demo.engine import end_with_parent
from perdure.demo.orders import app, service

SECONDS_BETWEEN_TRIES = 0.1


async def reach(url: str) -> perdure.Client:
    """A connection to a server that may be just starting."""
    while True:
        try:
            return await perdure.connect(url, app)
        except perdure.UnavailableError:
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)


async def work(url: str) -> None:
    """Work until killed."""
    async with await reach(url) as client, perdure.Worker(client, app):
        await asyncio.Event().wait()


def main() -> None:
    """Work until killed."""
    parser = argparse.ArgumentParser(prog="python -m perdure.demo.worker")
    parser.add_argument("--server", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--number", type=int, required=True, help="counted from 1 with every process that is started")
    parser.add_argument("--life", type=Path, required=True, help="a file with the number of the server that runs")
    options = parser.parse_args()
    end_with_parent()
    service.connect(options.service, lambda: max(options.number, int(options.life.read_text())))
    asyncio.run(work(options.server))


if __name__ == "__main__":
    main()
