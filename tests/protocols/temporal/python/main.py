"""Tells stories as a worker and a client in Temporal's Python SDK: a line of JSON for each.

python -m tests.protocols.temporal.python.main --address 127.0.0.1:7233 [--cache 0] [STORY ...]
"""

import argparse
import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.protocols.temporal.python import (
    activities,
    activity_stories,
    child_stories,
    control_stories,
    life_stories,
    local_stories,
    message_stories,
    nexus_stories,
    visible_stories,
)
from tests.protocols.temporal.python.headers import Headers
from tests.protocols.temporal.python.telling import QUEUE, Story, Teller, stories

MODULES = (
    activity_stories,
    local_stories,
    message_stories,
    child_stories,
    life_stories,
    visible_stories,
    control_stories,
    nexus_stories,
)
WORKFLOWS: list[type] = [workflow for module in MODULES for workflow in module.WORKFLOWS]
STORY_SECONDS = 50
AT_ONCE = 24


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--cache", type=int, default=1000)
    parser.add_argument("stories", nargs="*")
    chosen = parser.parse_args()
    names = chosen.stories or list(stories)
    client = await Client.connect(chosen.address, namespace=chosen.namespace, interceptors=[Headers()])
    await nexus_stories.endpoints(client)
    # The sandbox is a matter between the SDK and its user; a server never hears of it.
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        activities=[*activities.ALL, *control_stories.ACTIVITIES],
        nexus_service_handlers=nexus_stories.SERVICES,
        max_cached_workflows=chosen.cache,
        workflow_runner=UnsandboxedWorkflowRunner(),
        activity_executor=ThreadPoolExecutor(20),
        max_concurrent_activities=20,
    )
    async with worker:
        turn = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(tell(client, name, stories[name], turn) for name in names))


async def tell(client: Client, name: str, story: Story, turn: asyncio.Semaphore) -> None:
    """Tell one story, whatever becomes of it."""
    teller = Teller(client, name)
    line: dict[str, Any] = {"story": name}
    async with turn:
        try:
            async with asyncio.timeout(STORY_SECONDS):
                line["result"] = await story(teller)
        except Exception as error:
            line["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(line | {"runs": teller.runs, "follow": teller.follow}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(main())
