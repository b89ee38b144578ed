"""Drives a ``LocalWorker`` as the engine does, and keeps what it reports."""

import asyncio
import time
from types import TracebackType
from typing import Any

from perdure.model.events import ActivityTaskScheduled
from perdure.model.ids import RunAddress
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payloads
from perdure.model.program import ActivityTask
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity, Request
from perdure.sdk.app import App
from perdure.sdk.converter import Converter
from perdure.sdk.worker import LocalWorker

ADDRESS = RunAddress("default", "workflow-1", "run-1")


class Driver:
    """Starts activities and waits for their ends."""

    def __init__(self, *apps: App, **options: Any) -> None:
        self.worker = LocalWorker(apps, **options)
        self.converter = Converter()
        self.requests: list[Any] = []
        self.free_at_end: list[int] = []
        self._changed = asyncio.Event()
        self._next_id = 4

    async def __aenter__(self) -> "Driver":
        self.worker.open(self._report)
        self.loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.worker.close()

    def _report(self, address: RunAddress, request: Request) -> None:
        assert asyncio.get_running_loop() is self.loop
        assert address == ADDRESS
        self.requests.append(request)
        self._changed.set()

    def start(
        self,
        name: str,
        *args: Any,
        attempt: int = 1,
        event_id: int | None = None,
        heartbeat_timeout: float = 0,
        details: Payloads = (),
        retry: RetryPolicy | None = None,
        queue: str = "default",
    ) -> int:
        """Reserve a slot and start an attempt; its scheduled event id."""
        assert self.worker.reserve("default", queue, name)
        if event_id is None:
            self._next_id += 1
            event_id = self._next_id
        scheduled = ActivityTaskScheduled(
            event_id,
            time.time_ns(),
            str(event_id),
            name,
            queue,
            self.converter.to_payloads(args),
            heartbeat_timeout_ns=int(heartbeat_timeout * 1e9),
            retry_policy=retry or RetryPolicy(),
        )
        self.worker.start_activity(ActivityTask(ADDRESS, "test", scheduled, attempt, time.time_ns(), details))
        return event_id

    async def heartbeat(self, event_id: int, count: int = 1) -> HeartbeatActivity:
        """The attempt's ``count``-th heartbeat."""
        while True:
            beats = [r for r in self.requests if isinstance(r, HeartbeatActivity) and r.scheduled_event_id == event_id]
            if len(beats) >= count:
                return beats[count - 1]
            await self._change()

    async def end(self, event_id: int, attempt: int = 1) -> Any:
        """The last word about an attempt."""
        while True:
            for request in self.requests:
                is_end = isinstance(request, CompleteActivity | FailActivity | CancelActivity)
                if is_end and (request.scheduled_event_id, request.attempt) == (event_id, attempt):
                    return request
            await self._change()

    async def run(self, name: str, *args: Any, **options: Any) -> Any:
        """Start an attempt and wait for its end."""
        return await self.end(self.start(name, *args, **options), options.get("attempt", 1))

    async def result(self, name: str, *args: Any, **options: Any) -> Any:
        """What an attempt returned."""
        request = await self.run(name, *args, **options)
        assert isinstance(request, CompleteActivity), request
        return self.converter.from_payload(request.result[0])

    def cancel(self, event_id: int) -> None:
        """As the engine does when the run wants it."""
        self.worker.cancel_activity(ADDRESS, event_id)

    async def _change(self) -> None:
        self._changed.clear()
        async with asyncio.timeout(30):
            await self._changed.wait()
