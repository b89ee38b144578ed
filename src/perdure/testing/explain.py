"""Why a test does not go on: each open run, and what it waits for."""

from collections.abc import Iterator, Sequence

from perdure.sdk.client import Client
from perdure.sdk.descriptions import RunDetails


async def explain(client: Client) -> Sequence[str]:
    """A line for each run that is open."""
    lines = []
    async for run in client.list(status="running"):
        details = await client.get(run.id, run.run_id).describe()
        waits = "; ".join(_waits(details)) or "a signal, an update, or a condition that nothing makes true"
        lines.append(f"  workflow {run.id!r} ({run.type}) waits for {waits}")
    return lines


def _waits(details: RunDetails) -> Iterator[str]:
    if details.turn is not None:
        failure = details.turn.last_failure
        error = (
            f", since attempt {details.turn.attempt - 1} raised {failure.type}: {failure.message}" if failure else ""
        )
        yield f"its own code's turn{error}"
    for activity in details.activities:
        last = activity.last_failure
        error = (
            f", since attempt {activity.attempt - 1} failed: {last.message}" if last and activity.attempt > 1 else ""
        )
        yield f"activity {activity.activity_type} (attempt {activity.attempt}{error})"
    for child in details.children:
        yield f"child {child.workflow_id!r}"
    for timer in details.timers:
        yield f"timer {timer.timer_id!r}"
