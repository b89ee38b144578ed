"""Finding the run that somebody means, or saying in words that help why there is none."""

from collections.abc import Sequence
from difflib import get_close_matches

from perdure.cli.sources import PAGE, Source
from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.model.ids import RunAddress
from perdure.model.names import text_problem
from perdure.model.service import RunSummary

_RECENT = 5_000
_SUGGESTIONS = 3


async def find(source: Source, namespace: str, workflow_id: str, run_id: str = "") -> RunAddress:
    """The run that the arguments mean; ``run_id`` may be a beginning or an end, or empty for the last one started.

    Raises:
        NotFoundError: there is none; the message names what comes close.
        InvalidArgumentError: several runs' ids begin or end so.
    """
    for what, text in (("WORKFLOW_ID", workflow_id), ("--namespace", namespace), ("--run-id", run_id)):
        if problem := text_problem(what, text):
            raise InvalidArgumentError(f"{problem}.")
    found = await _exactly(source, namespace, workflow_id, run_id)
    if found is not None:
        return found
    if not run_id or await _exactly(source, namespace, workflow_id, "") is None:
        hint = await _hint(source, namespace, workflow_id)
        raise NotFoundError(f"There is no workflow {workflow_id!r} in namespace {namespace!r}.{hint}")
    quoted = workflow_id.replace("'", "''")
    runs = await summaries(source, namespace, filter=f"WorkflowId = '{quoted}'")
    ids = [run.run_id for run in runs]
    matching = [each for each in ids if each.startswith(run_id) or each.endswith(run_id)]
    if len(matching) == 1:
        return RunAddress(namespace, workflow_id, matching[0])
    if matching:
        raise InvalidArgumentError(
            f"Several runs of {workflow_id!r} match {run_id!r}: {_shown(matching)}. Give more of the run id."
        )
    raise NotFoundError(f"Workflow {workflow_id!r} has no run {run_id!r}. Its runs: {_shown(ids)}.")


async def summaries(source: Source, namespace: str, *, filter: str = "", most: int = 0) -> list[RunSummary]:
    """The runs of a filter, in its order or the newest first; at most ``most`` of them (0: all)."""
    found: list[RunSummary] = []
    cursor = ""
    while True:
        limit = min(PAGE, most - len(found)) if most else PAGE
        page = await source.list(namespace, filter=filter, statuses=(), workflow_type="", cursor=cursor, limit=limit)
        found += page.runs
        cursor = page.next_cursor
        if not cursor or len(found) == most:
            return found


async def _exactly(source: Source, namespace: str, workflow_id: str, run_id: str) -> RunAddress | None:
    try:
        page = await source.history(RunAddress(namespace, workflow_id, run_id), after=0, limit=1, wait=False)
    except NotFoundError:
        return None
    return RunAddress(namespace, workflow_id, page.run_id)


async def _hint(source: Source, namespace: str, workflow_id: str) -> str:
    """What somebody may have meant who asked for a workflow that is not there."""
    recent = await summaries(source, namespace, most=_RECENT)
    for run in recent:
        if run.run_id == workflow_id:
            return f" It is the id of a run: use {run.workflow_id} --run-id {run.run_id}."
    for known in await source.namespaces():
        if known.name != namespace and await _exactly(source, known.name, workflow_id, "") is not None:
            return f" There is one in another namespace: add --namespace {known.name}."
    ids = list(dict.fromkeys(run.workflow_id for run in recent))
    near = get_close_matches(workflow_id, ids, _SUGGESTIONS)
    near += [name for name in ids if workflow_id in name and name not in near][: _SUGGESTIONS - len(near)]
    if near:
        return f" Did you mean {alternatives(near)}?"
    return " See what there is with perdure list." if ids else " It has no runs at all."


def alternatives(names: Sequence[str]) -> str:
    """``a, b or c``."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _shown(run_ids: Sequence[str]) -> str:
    shown = ", ".join(run_ids[:10])
    return f"{shown} and {len(run_ids) - 10} more" if len(run_ids) > 10 else shown
