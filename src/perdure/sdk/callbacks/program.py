"""The workflow ``perdure.callback``: it waits for a run to close, and tells everybody who asked to be told."""

import asyncio
from collections.abc import Awaitable, Callable

from perdure.model.errors import ActivityError
from perdure.model.ids import Completion
from perdure.sdk import activity, workflow
from perdure.sdk.app import App
from perdure.sdk.callbacks.definition import QUEUE, WORKFLOW_TYPE, Delivery, Order, Outcome, Target
from perdure.sdk.retry import Retry

FIRST_LOOK_SECONDS = 60.0
LATER_LOOK_SECONDS = 24 * 3600.0

Deliver = Callable[[Delivery, str], Awaitable[None]]
"""Sends one message for a workflow id of ours; raises, with ``ApplicationError`` if trying again is of no use."""

IsAwaited = Callable[[Order, str], Awaitable[bool]]
"""Whether the run that was asked for is there and will tell this workflow id of ours."""


def callback_app(deliver: Deliver, is_awaited: IsAwaited) -> App:
    """The app that a server serves besides the users' own."""
    app = App("perdure.callbacks", task_queue=QUEUE)

    @app.activity(
        name="perdure.callback.deliver",
        start_to_close=60,
        # At once, then after 5 s, 20 s, 80 s ... up to 6 h: about three days in all.
        retry=Retry(initial=5.0, backoff=4.0, maximum=6 * 3600.0, max_attempts=18),
    )
    async def send(delivery: Delivery) -> None:
        await deliver(delivery, activity.info().workflow_id)

    @app.activity(name="perdure.callback.look", start_to_close=60, retry=Retry(initial=1.0, maximum=60.0))
    async def look(order: Order) -> bool:
        return await is_awaited(order, activity.info().workflow_id)

    @app.workflow(name=WORKFLOW_TYPE)
    class Callback:
        """See the module."""

        def __init__(self) -> None:
            self.completion: Completion | None = None

        @workflow.signal
        def closed(self, completion: Completion) -> None:
            self.completion = completion

        async def run(self, order: Order) -> list[Outcome]:
            if not await self.hears_of_the_end(order):
                return []
            assert self.completion is not None
            return list(await asyncio.gather(*(self.tell(order, target, self.completion) for target in order.targets)))

        async def hears_of_the_end(self, order: Order) -> bool:
            """Wait for the signal. A start may have failed after this was begun, or the run be deleted: look for it now
            and then."""
            seconds = FIRST_LOOK_SECONDS
            while not await self.has_heard(seconds):
                if not await look(order) and not await self.has_heard(FIRST_LOOK_SECONDS):
                    return False
                seconds = LATER_LOOK_SECONDS
            return True

        async def has_heard(self, seconds: float) -> bool:
            try:
                await workflow.wait_condition(lambda: self.completion is not None, timeout=seconds)
            except TimeoutError:
                return False
            return True

        async def tell(self, order: Order, target: Target, completion: Completion) -> Outcome:
            message_id = f"msg_{workflow.uuid4().hex}"
            try:
                await send(Delivery(order.namespace, target, message_id, completion))
            except ActivityError as error:
                return Outcome(target.url, str(error.cause or error))
            return Outcome(target.url)

    return app
