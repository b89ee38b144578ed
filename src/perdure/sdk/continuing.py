"""Ending a run so that another one goes on."""

from collections.abc import Mapping
from typing import Any, NoReturn

from perdure.model import commands as c
from perdure.sdk.closing import ContinueAsNew
from perdure.sdk.definitions import workflow_definition_of
from perdure.sdk.durations import Duration, to_ns_or_zero
from perdure.sdk.retry import Retry
from perdure.sdk.run import require_run


def continue_as_new(
    *args: Any,
    workflow: Any = None,
    task_queue: str | None = None,
    run_timeout: Duration | None = None,
    task_timeout: Duration | None = None,
    retry: Retry | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: Mapping[str, Any] | None = None,
) -> NoReturn:
    """End this run and go on in a new one with the same workflow id and an empty history. Does not return.

    Whoever waits for the result gets that of the new run, and so on. What is left out stays as it is in this run.

    Args:
        args: the new run's arguments, all of them.
        workflow: another workflow function or class to go on with.
        task_queue: where the new run's workers are.
        run_timeout: how long it may take; a timedelta or seconds.
        task_timeout: how long one turn of it may take.
        retry: tries it again when it fails.
        memo: its memo.
        search_attributes: its search attributes.
    """
    run = require_run()
    definition = workflow_definition_of(workflow) if workflow is not None else None
    signature = (definition or run.definition).signature
    raise ContinueAsNew(
        c.ContinueAsNewWorkflowExecution(
            workflow_type=definition.name if definition is not None else "",
            task_queue=task_queue or "",
            input=run.converter.to_payloads(signature.bind(args, {})),
            workflow_run_timeout_ns=to_ns_or_zero(run_timeout) if run_timeout is not None else -1,
            workflow_task_timeout_ns=to_ns_or_zero(task_timeout) if task_timeout is not None else -1,
            memo=run.converter.to_payload_map(memo) if memo is not None else None,
            search_attributes=run.converter.to_search_attributes(search_attributes)
            if search_attributes is not None
            else None,
            retry_policy=retry.policy if retry is not None else None,
        )
    )
