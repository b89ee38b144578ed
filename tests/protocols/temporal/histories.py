"""The histories that a story left on a server: of the runs that it names, of those that followed them, and of their children."""

from dataclasses import dataclass, field
from pathlib import Path

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client, WorkflowHistory
from tests.protocols.temporal.digest import digest

MOST_RUNS = 12


@dataclass
class Told:
    """Histories in the order in which they are found, each under its workflow id and the number of its run."""

    histories: dict[str, History] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def digests(self) -> dict[str, list[str]]:
        """What the histories say."""
        return {name: digest(history.events) for name, history in self.histories.items()}

    def write(self, folder: Path) -> None:
        """Each history into a file, in Temporal's JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, history in self.histories.items():
            workflow_id = name.rpartition("#")[0]
            (folder / f"{name}.json").write_text(WorkflowHistory(workflow_id, history.events).to_json(), "utf-8")


async def gather(client: Client, runs: list[tuple[str, str]], *, follow: bool = True) -> Told:
    """Read the histories.

    Args:
        client: of the server that has them.
        runs: workflow ids and run ids; an empty run id is the latest.
        follow: also what follows: children, and the runs that continue one.
    """
    told = Told()
    waiting = list(runs)
    while waiting and len(told.histories) < MOST_RUNS:
        workflow_id, run_id = waiting.pop(0)
        events = await read(client, workflow_id, run_id)
        run_id = events[0].workflow_execution_started_event_attributes.original_execution_run_id
        if run_id in told.seen:
            continue
        told.seen.add(run_id)
        count = sum(name.rpartition("#")[0] == workflow_id for name in told.histories)
        told.histories[f"{workflow_id}#{count + 1}"] = History(events=events)
        if follow:
            waiting.extend(following(workflow_id, events))
    return told


def following(workflow_id: str, events: list[HistoryEvent]) -> list[tuple[str, str]]:
    """The children of a run, and the run that continues it."""
    found = []
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            found.append((child.workflow_id, child.run_id))
    attributes = getattr(events[-1], events[-1].WhichOneof("attributes") or "")
    next_run = getattr(attributes, "new_execution_run_id", "")
    return [*found, (workflow_id, next_run)] if next_run else found


async def read(client: Client, workflow_id: str, run_id: str = "") -> list[HistoryEvent]:
    """A history's events, page by page."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    )
    events: list[HistoryEvent] = []
    while True:
        page = await client.workflow_service.get_workflow_execution_history(request)
        events.extend(page.history.events)
        if not page.next_page_token:
            return events
        request.next_page_token = page.next_page_token
