"""What stays within a workflow task or leaves only a marker or a timer: local activities, timers, patches, metadata."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.telling import LONG, Teller, outcome, story, until

KEYWORD = SearchAttributeKey.for_keyword("StoryKeyword")
INT = SearchAttributeKey.for_int("StoryInt")
KEYWORDS = SearchAttributeKey.for_keyword_list("StoryKeywords")


@workflow.defn
class LocalActivity:
    @workflow.run
    async def run(self, activity: str, options: str, args: list[Any]) -> Any:
        retry = {
            "plain": RetryPolicy(maximum_attempts=1),
            "quick": RetryPolicy(
                initial_interval=timedelta(milliseconds=10), maximum_interval=timedelta(milliseconds=20)
            ),
            # A wait that is longer than a workflow task should take becomes a timer.
            "slow": RetryPolicy(initial_interval=timedelta(milliseconds=600), backoff_coefficient=1),
        }[options]
        threshold = timedelta(milliseconds=100) if options == "slow" else None
        return await workflow.execute_local_activity(
            activity, args=args, start_to_close_timeout=LONG, retry_policy=retry, local_retry_threshold=threshold
        )


@workflow.defn
class LocalThenRemote:
    @workflow.run
    async def run(self) -> list[str]:
        near, far = workflow.execute_local_activity, workflow.execute_activity
        first = await near(activities.greet, "near", start_to_close_timeout=LONG)
        second = await far(activities.greet, "far", start_to_close_timeout=LONG)
        third = await near(activities.greet, "near again", start_to_close_timeout=LONG)
        return [first, second, third]


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[str]:
        await workflow.sleep(0.1, summary="a nap")
        fired = []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            fired.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(wait("later", 2))
            group.create_task(wait("sooner", 0.1))
        return fired


@workflow.defn
class TimerCancelled:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self.told, timeout=60)
        except TimeoutError:
            return "too late"
        return "told in time"

    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@workflow.defn
class TimerCancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.wait_for(asyncio.sleep(60), 0.1)
        except TimeoutError:
            return "timed out"
        return "never"


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list[Any]:
        found: list[Any] = [workflow.patched("first")]
        await workflow.sleep(0.05)
        found += [workflow.patched("first"), workflow.patched("second")]
        workflow.deprecate_patch("third")
        await workflow.sleep(0.05)
        return found


@workflow.defn
class Attributes:
    @workflow.run
    async def run(self) -> Any:
        before = dict(workflow.memo())
        workflow.upsert_search_attributes(
            [KEYWORD.value_set("changed"), INT.value_unset(), KEYWORDS.value_set(["a", "b"])]
        )
        workflow.upsert_memo({"added": [1, 2], "kept": None})
        await workflow.sleep(0.05)
        return [before, dict(workflow.memo()), workflow.info().typed_search_attributes[KEYWORD]]


@workflow.defn
class WithHeaders:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity(activities.header, start_to_close_timeout=LONG)


@workflow.defn
class Chance:
    @workflow.run
    async def run(self) -> bool:
        before = [str(workflow.uuid4()), workflow.random().random()]
        await workflow.sleep(0.05)
        again = [str(workflow.uuid4()), workflow.random().random()]
        return before != again


WORKFLOWS = [
    Attributes,
    Chance,
    LocalActivity,
    LocalThenRemote,
    Patched,
    TimerCancelled,
    TimerCancelledAtOnce,
    Timers,
    WithHeaders,
]


@story
async def local_activity(teller: Teller) -> Any:
    return await teller.run(LocalActivity.run, "greet", "plain", ["nearby"])


@story
async def local_activity_retry(teller: Teller) -> Any:
    return await teller.run(LocalActivity.run, "third_time", "quick", ["done"])


@story
async def local_activity_retry_with_timer(teller: Teller) -> Any:
    return await teller.run(LocalActivity.run, "third_time", "slow", ["done"])


@story
async def local_activity_fails(teller: Teller) -> Any:
    return await teller.run(LocalActivity.run, "always_fails", "plain", ["out of luck"])


@story
async def local_activities_between(teller: Teller) -> Any:
    return await teller.run(LocalThenRemote.run)


@story
async def timers(teller: Teller) -> Any:
    return await teller.run(Timers.run)


@story
async def timer_cancelled(teller: Teller) -> Any:
    handle = await teller.start(TimerCancelled.run)
    await until(handle, "TIMER_STARTED")
    await handle.signal(TimerCancelled.tell)
    return await outcome(handle.result())


@story
async def timer_beaten_by_timer(teller: Teller) -> Any:
    return await teller.run(TimerCancelledAtOnce.run)


@story
async def patches(teller: Teller) -> Any:
    return await teller.run(Patched.run)


@story
async def search_attributes_and_memo(teller: Teller) -> Any:
    attributes = TypedSearchAttributes([SearchAttributePair(KEYWORD, "given"), SearchAttributePair(INT, 7)])
    return await teller.run(
        Attributes.run,
        search_attributes=attributes,
        memo={"kept": "for now", "still": {"deep": True}},
        static_summary="a summary",
        static_details="details",
    )


@story
async def headers(teller: Teller) -> Any:
    return await teller.run(WithHeaders.run)


@story
async def chance(teller: Teller) -> Any:
    return await teller.run(Chance.run)
