"""What each operation of the client port needs: one table, so that none can be forgotten (a test compares).

``any_of`` are permissions of which one is enough. What is ``audited`` is an administrative act: it changes what others
may do, or ends or removes something for good.
"""

from collections.abc import Mapping

import msgspec

from perdure.model import requests as r
from perdure.model.access import ALLOWED, Permission, Role

_READ, _OPERATE, _WORK, _ADMINISTER = Permission.READ, Permission.OPERATE, Permission.WORK, Permission.ADMINISTER


class Need(msgspec.Struct, frozen=True):
    """What it takes to do something."""

    any_of: tuple[Permission, ...]
    audited: bool = False
    whole_server: bool = False
    """The permission is needed for all namespaces, not only the one that is meant."""

    @property
    def words(self) -> str:
        """Who may do it, for messages."""
        roles = [str(role) for role in Role if any(permission in ALLOWED[role] for permission in self.any_of)]
        return " or ".join(roles)


OPERATIONS: Mapping[str, Need] = {
    # Looking.
    "query": Need((_READ,)),
    "wait_closed": Need((_READ,)),
    "describe": Need((_READ,)),
    "explain": Need((_READ,)),
    "history": Need((_READ,)),
    "list": Need((_READ,)),
    "count": Need((_READ,)),
    "search_attributes": Need((_READ,)),
    "namespaces": Need((_READ,)),
    "describe_namespace": Need((_READ,)),
    "task_queues": Need((_READ,)),
    "describe_task_queue": Need((_READ,)),
    "workers": Need((_READ,)),
    # All namespaces at once.
    "statistics": Need((_READ,), whole_server=True),
    # Doing something to runs.
    "start": Need((_OPERATE,)),
    "execute": Need((_OPERATE,)),
    "request": Need((_OPERATE, _WORK)),  # see REQUESTS
    "update": Need((_OPERATE,)),
    "reset": Need((_OPERATE,), audited=True),
    "fork": Need((_OPERATE,), audited=True),
    "delete": Need((_OPERATE,), audited=True),
    "pause_task_queue": Need((_OPERATE,), audited=True),
    # Setting the rules.
    "import_run": Need((_ADMINISTER,), audited=True),
    "set_task_queue": Need((_ADMINISTER,), audited=True),
    "add_search_attributes": Need((_ADMINISTER,), audited=True),
    "remove_search_attributes": Need((_ADMINISTER,), audited=True),
    # A namespace's quota binds its own admins too, so it is not for them to set.
    "set_namespace": Need((_ADMINISTER,), audited=True, whole_server=True),
    "delete_namespace": Need((_ADMINISTER,), audited=True, whole_server=True),
}

REQUESTS: Mapping[type[r.BaseRequest], Need] = {
    r.SignalWorkflow: Need((_OPERATE,)),
    r.CancelWorkflow: Need((_OPERATE,)),
    r.TerminateWorkflow: Need((_OPERATE,), audited=True),
    r.PauseWorkflow: Need((_OPERATE,)),
    r.ResumeWorkflow: Need((_OPERATE,)),
    r.UpdateWorkflowOptions: Need((_OPERATE,), audited=True),
    r.PauseActivity: Need((_OPERATE,)),
    r.UnpauseActivity: Need((_OPERATE,)),
    r.ResetActivity: Need((_OPERATE,), audited=True),
    r.UpdateActivityOptions: Need((_OPERATE,), audited=True),
    # Whoever has the token of an activity that was left to somebody outside may say how it ended: a person or a program.
    r.CompleteActivity: Need((_WORK, _OPERATE)),
    r.FailActivity: Need((_WORK, _OPERATE)),
    r.CancelActivity: Need((_WORK, _OPERATE)),
    r.HeartbeatActivity: Need((_WORK, _OPERATE)),
}
"""What can be handed to ``request``. Anything else is for the engine alone: clocks, other runs, a worker's turns."""
