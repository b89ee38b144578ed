"""The namespace of the engine's own workflows, such as schedules.

Each of its runs works for one namespace, and its workflow id says for which: ``kind:namespace:id``. Whoever may do
something in that namespace may do it to the run; and the run itself must do nothing anywhere else.
"""

SYSTEM_NAMESPACE = "perdure.system"


def system_workflow_id(kind: str, namespace: str, id: str) -> str:
    """The workflow id of one of the engine's own runs: of which kind it is, for whom it works, and its own id."""
    return f"{kind}:{namespace}:{id}"


def served_namespace(workflow_id: str) -> str:
    """For which namespace one of the engine's own runs works; empty if its workflow id does not say so."""
    parts = workflow_id.split(":", 2)
    return parts[1] if len(parts) == 3 else ""
