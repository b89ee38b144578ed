"""Operations of endpoints that lead to a URL: attempts are taken from their task queues, and made by HTTP.

Each endpoint has a task queue of its own in the engine's namespace, and one task here that asks there for as long as
something waits. So a slow endpoint holds up nobody else, and one that keeps failing is simply not asked for a while:
its attempts wait, and are not counted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from perdure.engine.endpoints import URL_QUEUES, Endpoints
from perdure.engine.operation_tokens import CallbackToken, Seals
from perdure.engine.operations import Operations, OperationTask
from perdure.model.errors import ApplicationError, InvalidArgumentError, PerdureError, PermissionDeniedError
from perdure.model.failures import Failure, FailureKind
from perdure.model.requests import FailOperationAttempt, Request
from perdure.model.system import SYSTEM_NAMESPACE
from perdure.protocols.nexus.breaker import OPEN_SECONDS, Breaker
from perdure.protocols.nexus.contents import NoContent
from perdure.protocols.nexus.dialect import Dialect
from perdure.protocols.nexus.failures import call_error
from perdure.protocols.nexus.requests import Answer, answered, attempt_failed, posted

log = logging.getLogger("perdure.server")

AT_ONCE = 50
"""So many attempts of one endpoint are under way together."""

IDLE_SECONDS = 60.0
"""So long its task waits for more."""

OPEN = "The circuit breaker is open."
"""As Temporal says it."""

Ask = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answer]]
"""Makes an HTTP request: method, URL, headers, body."""


class Calling:
    """Asks others for operations.

    Args:
        operations: where attempts come from.
        endpoints: where they lead.
        seals: make callbacks' tokens.
        ask: makes requests.
        callback_url: where whoever carries out an operation of a namespace's run says how it ended.
        now: ns since 1970.
        dialect: what Temporal's programs have agreed on.
    """

    def __init__(
        self,
        operations: Operations,
        endpoints: Endpoints,
        seals: Seals,
        ask: Ask,
        callback_url: Callable[[str], str],
        now: Callable[[], int],
        dialect: Dialect,
    ) -> None:
        self._operations = operations
        self._endpoints = endpoints
        self._seals = seals
        self._ask = ask
        self._callback_url = callback_url
        self._now = now
        self._dialect = dialect
        self._lines: dict[str, asyncio.Task[None]] = {}
        self._breakers: dict[str, Breaker] = {}

    def open(self) -> None:
        """Begin, with what waits already."""
        self._operations.attend_own = self._attend
        for queue in self._operations.waiting_queues(SYSTEM_NAMESPACE):
            self._attend(queue)

    async def close(self) -> None:
        """Stop. Attempts that are under way are made again when the server is there again."""
        self._operations.attend_own = None
        lines = list(self._lines.values())
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    def _attend(self, queue: str) -> None:
        if queue.startswith(URL_QUEUES) and queue not in self._lines:
            line = asyncio.get_running_loop().create_task(self._serve(queue))
            self._lines[queue] = line
            line.add_done_callback(partial(self._ended, queue))

    def _ended(self, queue: str, line: asyncio.Task[None]) -> None:
        self._lines.pop(queue, None)
        if not line.cancelled() and (error := line.exception()) is not None:
            log.error("Asking endpoint %s failed in a way that should be impossible", queue, exc_info=error)
        if self._operations.attend_own is not None and self._operations.backlog(SYSTEM_NAMESPACE, queue):
            self._attend(queue)

    async def _serve(self, queue: str) -> None:
        """Take what waits, until nothing does."""
        breaker = self._breakers.setdefault(queue, Breaker())
        name, loop = (SYSTEM_NAMESPACE, queue), asyncio.get_running_loop()
        free = asyncio.Semaphore(AT_ONCE)
        open_until = 0.0
        polling: asyncio.Task[OperationTask | None] | None = None

        async def attempt(task: OperationTask) -> None:
            nonlocal open_until
            try:
                request, is_down = await self._attempt(queue, task)
                if breaker.note(is_down=is_down):
                    open_until = loop.time() + OPEN_SECONDS
                    if polling is not None:
                        polling.cancel()  # what waits is to wait on
                await self._operations.answer(task.source, request)
            except PerdureError as error:
                log.warning("What came of an operation of endpoint %s is not recorded: %s", queue, error)
            finally:
                free.release()

        async with asyncio.TaskGroup() as attempts:
            try:
                while True:
                    await free.acquire()
                    if breaker.is_tried:
                        self._operations.blocked[name] = OPEN
                        await asyncio.sleep(max(0.0, open_until - loop.time()))
                    polling = loop.create_task(
                        self._operations.poll(SYSTEM_NAMESPACE, queue, identity="perdure", timeout_seconds=IDLE_SECONDS)
                    )
                    await asyncio.wait([polling])
                    if polling.cancelled():
                        free.release()
                        continue
                    task = polling.result()
                    if task is None:
                        free.release()
                        return
                    attempted = attempts.create_task(attempt(task))
                    if breaker.is_tried:  # one alone shows whether it is there again
                        await asyncio.wait([attempted])
                    if not breaker.is_tried:
                        self._operations.blocked.pop(name, None)
            finally:
                self._operations.blocked.pop(name, None)
                if polling is not None:
                    polling.cancel()

    async def _attempt(self, queue: str, task: OperationTask) -> tuple[Request, bool]:
        """What comes of it, and whether whoever was to be asked seems to be down."""
        endpoint = await self._endpoints.get(queue.removeprefix(URL_QUEUES))
        scheduled, source = task.operation.scheduled, task.source
        if endpoint is None or not endpoint.url:
            message = f'handler error (NOT_FOUND): endpoint "{scheduled.endpoint}" leads to no URL'
            return attempt_failed(task, Failure(message, FailureKind.HANDLER, type="NOT_FOUND"), True), False
        token = CallbackToken(source.namespace, source.workflow_id, scheduled.id, scheduled.request_id)
        try:
            asked = posted(
                task,
                endpoint.url,
                self._callback_url(source.namespace),
                await self._seals.seal_text(token),
                self._now(),
                self._dialect,
            )
            async with asyncio.timeout(task.answer_seconds):
                answer = await self._ask("POST", asked.url, asked.headers, asked.body)
        except (InvalidArgumentError, PermissionDeniedError, NoContent) as error:
            return attempt_failed(task, call_error(str(error)), True), False
        except TimeoutError:
            failure = call_error(f"nobody answered within {task.answer_seconds:g} s")
            return attempt_failed(task, failure, False), True
        except ApplicationError as error:
            return attempt_failed(task, call_error(str(error)), False), True
        request = answered(task, answer, self._dialect)
        return request, isinstance(request, FailOperationAttempt) and not request.final
