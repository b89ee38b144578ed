"""The two ways of telling workers' versions apart that Temporal has deprecated: refused, as by its server where nobody has
enabled them. ``service_deployments`` is what took their place."""

from collections.abc import Mapping
from typing import Any

from temporalio.api.errordetails.v1 import message_pb2 as details

from perdure.protocols.temporal.calls import Call, Handler, Methods
from perdure.protocols.temporal.errors import Code, Refused

methods = Methods()

SETS = "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace."
RULES = "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace."

DISABLED: Mapping[str, str] = {
    "UpdateWorkerBuildIdCompatibility": SETS,
    "GetWorkerBuildIdCompatibility": SETS,
    "UpdateWorkerVersioningRules": RULES,
    "GetWorkerVersioningRules": RULES,
    "GetWorkerTaskReachability": RULES,
}
"""What each of these calls is told."""


def _refusing(message: str) -> Handler:
    async def refuse(call: Call, request: Any) -> Any:
        await call.namespace(request.namespace)
        raise Refused(Code.PERMISSION_DENIED, message, details.PermissionDeniedFailure())

    return refuse


methods.handlers.update({name: _refusing(message) for name, message in DISABLED.items()})
