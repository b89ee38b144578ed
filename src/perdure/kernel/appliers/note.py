"""What the program notes down about its run."""

from perdure.kernel.appliers.applier import Applier, nothing
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.payloads import NULL, PayloadMap


def _search_attributes(run: Run, event: e.UpsertWorkflowSearchAttributes) -> None:
    run.search_attributes = merged(run.search_attributes, event.search_attributes)


def _properties(run: Run, event: e.WorkflowPropertiesModified) -> None:
    run.memo = merged(run.memo, event.upserted_memo)


def merged(old: PayloadMap, new: PayloadMap) -> PayloadMap:
    """``new`` over ``old``; a null payload removes its key. Never changes ``old``, which an event may own."""
    return {key: value for key, value in {**old, **new}.items() if value.encoding != NULL}


APPLIERS: dict[type, Applier] = {
    e.MarkerRecorded: nothing,
    e.UpsertWorkflowSearchAttributes: _search_attributes,
    e.WorkflowPropertiesModified: _properties,
}
