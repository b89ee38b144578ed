"""Calls that come from this server itself: the tasks of its own executions ask as a client would."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Message

from perdure.model.access import OpenSession
from perdure.model.service import Service
from perdure.protocols.stepfunctions.application import HANDLERS
from perdure.protocols.stepfunctions.executions import starting
from perdure.protocols.stepfunctions.operations import Call
from perdure.protocols.stepfunctions.parts import Parts
from perdure.protocols.stepfunctions.refusals import Refusal


class Inside:
    """Asks on behalf of executions, which may do within the namespace what whoever started them could not be asked for."""

    def __init__(self, parts: Parts, service: Service) -> None:
        self._parts = parts
        self._session = OpenSession(service)

    async def ask(self, name: str, body: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
        """Ask for an operation. Raises ``Refusal``."""
        if name not in HANDLERS:
            raise Refusal("UnknownOperationException", f"There is no call {name!r:.100}.")
        self._parts.model.check(name, dict(body))
        return await HANDLERS[name](self._call(name, body, account, region))

    async def start_nested(self, body: Mapping[str, Any], account: str, region: str) -> tuple[str, str, float]:
        """The request of an execution that a task waits for, as Base64 of MessagePack, its ARN and when it starts.
        Raises ``Refusal``."""
        self._parts.model.check("StartExecution", dict(body))
        _, request, note, _ = await starting(self._call("StartExecution", body, account, region))
        return base64.b64encode(msgspec.msgpack.encode(request)).decode(), request.workflow_id, note.started

    def _call(self, name: str, body: Mapping[str, Any], account: str, region: str) -> Call:
        present = {key: value for key, value in body.items() if value is not None}
        return Call(name, present, account, region, self._session, self._parts, _nobody)


async def _nobody() -> Message:
    """There is no connection that could be lost."""
    await asyncio.Event().wait()
    raise AssertionError
