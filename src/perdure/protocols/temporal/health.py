"""``grpc.health.v1``: whether the server serves. It does, or nobody could ask."""

from typing import Any

import grpc

SERVING = b"\x08\x01"
"""A ``HealthCheckResponse`` with status SERVING."""

CHECK = "/grpc.health.v1.Health/Check"
KNOWN = ("", "temporal.api.workflowservice.v1.WorkflowService", "temporal.api.operatorservice.v1.OperatorService")


async def _check(request: bytes, context: Any) -> bytes:
    # A HealthCheckRequest is one string, field 1.
    service = request[2:].decode("utf-8", "replace") if request[:1] == b"\x0a" else ""
    if service not in KNOWN:
        await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {service}")
    return SERVING


class _Health(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        if details.method == CHECK:
            return grpc.unary_unary_rpc_method_handler(_check)
        return None


HEALTH = _Health()
