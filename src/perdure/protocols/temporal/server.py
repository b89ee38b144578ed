"""The listener: which methods there are, who is let in, and how a refusal is told.

The methods are read from the services' own descriptions; those that nobody serves here answer UNIMPLEMENTED with their
name.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.operatorservice.v1 import service_pb2 as operator_pb
from temporalio.api.workflowservice.v1 import service_pb2 as workflow_pb

from perdure.model.access import Credentials, Gate, Session
from perdure.model.errors import InvalidArgumentError, LimitExceededError, NotFoundError, PerdureError
from perdure.protocols.temporal import health
from perdure.protocols.temporal.calls import Call, Handler, Parts
from perdure.protocols.temporal.connections import Connections
from perdure.protocols.temporal.errors import Code, Refused, refused
from perdure.protocols.temporal.names import is_run_id
from perdure.protocols.temporal.service_nexus import completed
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS
from perdure.protocols.temporal.unary import Answered, Asked

log = logging.getLogger("perdure.server")

DEFAULT_MESSAGE_BYTES = 64 << 20
BACKLOG = 2048


class TemporalProtocol:
    """Listens for Temporal's SDKs.

    Args:
        gate: who is let in.
        parts: what serves them.
        address: host and port; port 0 picks a free one.
        tls: for TLS; plain text without.
        message_bytes: the largest message that is taken.
    """

    def __init__(
        self,
        gate: Gate,
        parts: Parts,
        address: str,
        tls: ssl.SSLContext | None = None,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
    ) -> None:
        self._gate = gate
        self._parts = parts
        self._address = address
        self._tls = tls
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        self._connections = Connections(self.answer, message_bytes)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Begin to listen. Raises ``InvalidArgumentError`` if the address can't be used."""
        await self._parts.endpoints.complete(completed)
        host, _, port = self._address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol said, asyncio turns Nagle's algorithm off for what is accepted.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, int(port)))
        except OSError:
            listener.close()
            raise InvalidArgumentError(
                f"The Temporal protocol can't listen at {self._address}: the address is in use, or not one of this machine's"
            ) from None
        self.port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(
            self._connections.make, sock=listener, backlog=BACKLOG, ssl=self._tls
        )

    async def close(self, grace_seconds: float = 0.5) -> None:
        """Let go of everybody."""
        if self._server is not None:
            self._server.close()
        await self._connections.close(grace_seconds)

    async def answer(self, asked: Asked) -> Answered:
        """One call, from who it is to its answer."""
        method = _METHODS.get(asked.method)
        if method is None:
            if asked.method == health.CHECK:
                return health.check(asked.body)
            return Answered(status=Code.UNIMPLEMENTED.value[0], message="Method not found!")
        if method.handler is None:
            return _told(Refused(Code.UNIMPLEMENTED, f"{method.name} is not served by Perdure."))
        try:
            request = method.read(asked.body)
        except DecodeError:
            return _told(Refused(Code.INTERNAL, f"The bytes that were sent are no {method.input}."))
        try:
            session = await self._gate.admit(
                Credentials(asked.headers.get(b"authorization", b"").decode("latin-1"), asked.common_name, asked.peer)
            )
            size = len(asked.body)
            if 0 < session.request_bytes < size:
                _check_size(session, method.name, size)
            call = Call(self._parts, session, asked.seconds, asked.headers)
            message = await method.handler(call, request)
            return Answered(message.SerializeToString())
        except PerdureError as error:
            refusal = refused(error)
            if isinstance(error, NotFoundError) and refusal.message.startswith("There is no "):
                refusal = _no_such_run(request) or refusal
            return _told(refusal)
        except Refused as refusal:
            return _told(refusal)
        except Exception:
            log.exception("A call failed in a way that should be impossible")
            return _told(Refused(Code.INTERNAL, "The server has a bug; its log says where."))


class _Method(NamedTuple):
    """A method of a service; without a handler nobody serves it."""

    name: str
    input: str
    read: Callable[[bytes], Any]
    handler: Handler | None


_METHODS = {
    f"/{service.full_name}/{method.name}".encode(): _Method(
        method.name, method.input_type.name, GetMessageClass(method.input_type).FromString, handlers.get(method.name)
    )
    for service, handlers in (
        (workflow_pb.DESCRIPTOR.services_by_name["WorkflowService"], WORKFLOW_METHODS),
        (operator_pb.DESCRIPTOR.services_by_name["OperatorService"], OPERATOR_METHODS),
    )
    for method in service.methods
}
"""By path."""


def _told(refusal: Refused) -> Answered:
    return Answered(status=refusal.code.value[0], message=refusal.message, trailers=refusal.trailer)


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
            if named.run_id and not is_run_id(named.run_id):
                return Refused.invalid("Invalid RunId.")
            if named.run_id:
                return Refused.not_found(
                    f'workflow execution not found for workflow ID "{named.workflow_id}" and run ID "{named.run_id}"'
                )
            return Refused.not_found(f"workflow not found for ID: {named.workflow_id}")
    if getattr(request, "workflow_id", ""):
        return Refused.not_found(f"workflow not found for ID: {request.workflow_id}")
    return None
