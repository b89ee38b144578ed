"""``grpc.health.v1``: whether the server serves. It does, or nobody could ask."""

from perdure.protocols.temporal.errors import Code
from perdure.protocols.temporal.unary import Answered

SERVING = b"\x08\x01"
"""A ``HealthCheckResponse`` with status SERVING."""

CHECK = b"/grpc.health.v1.Health/Check"
KNOWN = ("", "temporal.api.workflowservice.v1.WorkflowService", "temporal.api.operatorservice.v1.OperatorService")


def check(request: bytes) -> Answered:
    """The answer to a ``HealthCheckRequest``, which is one string, field 1."""
    service = request[2:].decode("utf-8", "replace") if request[:1] == b"\x0a" else ""
    if service not in KNOWN:
        return Answered(status=Code.NOT_FOUND.value[0], message=f"unknown service {service}")
    return Answered(SERVING)
