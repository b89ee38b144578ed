"""All methods that are served, by service and name."""

from collections.abc import Mapping

from perdure.protocols.temporal import (
    service_activities,
    service_activity_control,
    service_batches,
    service_deployments,
    service_describe,
    service_history,
    service_lists,
    service_nexus,
    service_nexus_tasks,
    service_old_versioning,
    service_operator,
    service_queries,
    service_schedule_lists,
    service_schedules,
    service_standalone,
    service_standalone_control,
    service_standalone_lists,
    service_standalone_operations,
    service_system,
    service_turns,
    service_updates,
    service_workflow_options,
    service_workflows,
)
from perdure.protocols.temporal.calls import Handler

WORKFLOW_METHODS: Mapping[str, Handler] = {
    **service_system.methods.handlers,
    **service_workflows.methods.handlers,
    **service_workflow_options.methods.handlers,
    **service_history.methods.handlers,
    **service_queries.methods.handlers,
    **service_batches.methods.handlers,
    **service_schedules.methods.handlers,
    **service_schedule_lists.methods.handlers,
    **service_updates.methods.handlers,
    **service_describe.methods.handlers,
    **service_deployments.methods.handlers,
    **service_old_versioning.methods.handlers,
    **service_lists.methods.handlers,
    **service_turns.methods.handlers,
    **service_activities.methods.handlers,
    **service_activity_control.methods.handlers,
    **service_standalone.methods.handlers,
    **service_standalone_control.methods.handlers,
    **service_standalone_lists.methods.handlers,
    **service_nexus_tasks.methods.handlers,
    **service_standalone_operations.methods.handlers,
}

OPERATOR_METHODS: Mapping[str, Handler] = {
    **service_system.operator_methods.handlers,
    **service_operator.operator_methods.handlers,
    **service_nexus.operator_methods.handlers,
}
