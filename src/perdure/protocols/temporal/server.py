"""The listener: which methods there are, who is let in, and how a refusal is told.

The methods are read from the services' own descriptions; those that nobody serves here answer UNIMPLEMENTED with their
name.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb

from perdure.model.access import Credentials, Gate, Session
from perdure.model.errors import InvalidArgumentError, LimitExceededError, NotFoundError, PerdureError
from perdure.protocols.temporal.calls import Call, Handler, Parts
from perdure.protocols.temporal.errors import Code, Refused, refused
from perdure.protocols.temporal.health import HEALTH
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS

log = logging.getLogger("perdure.server")

DEFAULT_MESSAGE_BYTES = 64 << 20
KEEPALIVE_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 10_000
PENDING_CALLS = 1_000_000
"""Calls that have come and wait to be looked at."""

Context = Any

_RUN_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class TemporalProtocol:
    """Listens for Temporal's SDKs.

    Args:
        gate: who is let in.
        parts: what serves them.
        address: host and port; port 0 picks a free one.
        credentials: for TLS; plain text without.
        message_bytes: the largest message that is taken.
    """

    def __init__(
        self,
        gate: Gate,
        parts: Parts,
        address: str,
        credentials: grpc.ServerCredentials | None = None,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
    ) -> None:
        self._gate = gate
        self._parts = parts
        self._address = address
        self._credentials = credentials
        self._message_bytes = message_bytes
        self._polls: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def open(self) -> None:
        """Begin to listen. Raises ``InvalidArgumentError`` if the address can't be used."""
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_time_ms", KEEPALIVE_MS * 6),
                ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
                ("grpc.http2.max_ping_strikes", 0),
                # Else the library cancels calls, chosen by chance, when more than a thousand come in one moment.
                ("grpc.server.max_pending_requests", PENDING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", PENDING_CALLS),
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers(
            [
                _Service(self, workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"], WORKFLOW_METHODS),
                _Service(self, operator_pb.DESCRIPTOR.services_by_name["OperatorService"], OPERATOR_METHODS),
                HEALTH,
            ]
        )
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(self._address)
            else:
                self.port = self._server.add_secure_port(self._address, self._credentials)
        except RuntimeError:
            raise InvalidArgumentError(
                f"The Temporal protocol can't listen at {self._address}: the address is in use, or not one of this machine's"
            ) from None
        await self._server.start()

    async def close(self, grace_seconds: float = 0.5) -> None:
        """Let go of everybody."""
        for task in list(self._polls):
            task.cancel()
        await self._server.stop(grace_seconds)

    async def serve(self, handler: Handler, request: Any, context: Context, name: str, size: int) -> Any:
        """One call, from who it is to its answer."""
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        try:
            session = await self._admit(context, headers)
            if 0 < session.request_bytes < size:
                _check_size(session, name, size)
            left = context.time_remaining()
            call = Call(self._parts, session, math.inf if left is None else left, headers)
            return await handler(call, request)
        except PerdureError as error:
            refusal = refused(error)
            if isinstance(error, NotFoundError) and refusal.message.startswith("There is no "):
                refusal = _no_such_run(request) or refusal
            await _abort(context, refusal)
        except Refused as refusal:
            await _abort(context, refusal)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception:
            log.exception("A call failed in a way that should be impossible")
            await _abort(context, Refused(Code.INTERNAL, "The server has a bug; its log says where."))

    def track(self) -> None:
        """The task of this call can be ended."""
        task = asyncio.current_task()
        if task is not None:
            self._polls.add(task)
            task.add_done_callback(self._polls.discard)

    async def _admit(self, context: Context, headers: Mapping[str, str]) -> Session:
        names = context.auth_context().get("x509_common_name", []) if self._credentials is not None else []
        return await self._gate.admit(
            Credentials(
                headers.get("authorization", ""),
                bytes(names[0]).decode() if names else "",
                context.peer(),
            )
        )


class _Service(grpc.GenericRpcHandler):
    """The methods of one service."""

    def __init__(self, protocol: TemporalProtocol, description: Any, handlers: Mapping[str, Handler]) -> None:
        self._handlers = {
            f"/{description.full_name}/{method.name}": _method(protocol, method, handlers.get(method.name))
            for method in description.methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(details.method)


def _method(protocol: TemporalProtocol, method: Any, handler: Handler | None) -> grpc.RpcMethodHandler[Any, Any]:
    is_poll = method.name.startswith("Poll") or method.name == "GetWorkflowExecutionHistory"

    read = GetMessageClass(method.input_type).FromString

    async def behave(given: bytes, context: Context) -> Any:
        if handler is None:
            await context.abort(Code.UNIMPLEMENTED, f"{method.name} is not served by Perdure.")
            return None
        try:
            request = read(given)
        except DecodeError:
            await context.abort(Code.INTERNAL, f"The bytes that were sent are no {method.input_type.name}.")
            return None
        if is_poll:
            protocol.track()
        return await protocol.serve(handler, request, context, method.name, len(given))

    return grpc.unary_unary_rpc_method_handler(
        behave,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _check_size(session: Session, name: str, size: int) -> None:
    """In the words of gRPC's own limit, by which SDKs know that sending it again is of no use, and fail the task instead."""
    try:
        session.check_size(name, size)
    except LimitExceededError as error:
        text = f"grpc: received message larger than max ({size} vs. {session.request_bytes}): {error}"
        raise Refused(Code.RESOURCE_EXHAUSTED, text) from None


def _no_such_run(request: Any) -> Refused | None:
    """In Temporal's words, which some clients look for."""
    for field in ("workflow_execution", "execution"):
        if hasattr(request, field):
            named = getattr(request, field)
            if named.run_id and not _RUN_ID.fullmatch(named.run_id):
                return Refused.invalid("Invalid RunId.")
            return Refused.not_found(f"workflow not found for ID: {named.workflow_id}")
    if getattr(request, "workflow_id", ""):
        return Refused.not_found(f"workflow not found for ID: {request.workflow_id}")
    return None


async def _abort(context: Context, refusal: Refused) -> None:
    await context.abort(refusal.code, refusal.message, refusal.trailer)
