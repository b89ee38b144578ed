"""Batches for those who speak another protocol: operations have names, and arguments are payloads already."""

from collections.abc import Sequence
from typing import Any

from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.service import Service
from perdure.sdk.batches.client import Batches, BatchHandle
from perdure.sdk.batches.definition import Cancel, Delete, Operation, Reset, Signal, Terminate


class TranslatedBatches:
    """As ``client.batches``."""

    def __init__(self, service: Service, namespace: str, identity: str) -> None:
        self._batches = Batches(service, namespace, identity, _unused)
        self.get = self._batches.get
        self.list = self._batches.list

    async def signal(
        self, name: str, input: Payloads, header: PayloadMap | None = None, /, **options: Any
    ) -> BatchHandle:
        """As ``Batches.start``, of a signal."""
        return await self._start(Signal(name, input, header), options)

    async def terminate(self, details: Payloads = (), /, *, reason: str = "", **options: Any) -> BatchHandle:
        """As ``Batches.start``, of a termination."""
        return await self._start(Terminate(reason, details), {**options, "reason": reason})

    async def cancel(self, *, reason: str = "", **options: Any) -> BatchHandle:
        """As ``Batches.start``, of a cancellation."""
        return await self._start(Cancel(reason), {**options, "reason": reason})

    async def reset(self, *, to_last: bool = False, reason: str = "", **options: Any) -> BatchHandle:
        """As ``Batches.start``, of a reset."""
        return await self._start(Reset(to_last, reason), {**options, "reason": reason})

    async def delete(self, **options: Any) -> BatchHandle:
        """As ``Batches.start``, of a removal."""
        return await self._start(Delete(), options)

    async def _start(self, operation: Operation, options: dict[str, Any]) -> BatchHandle:
        return await self._batches.start(operation, **options)


def _unused(values: Sequence[object]) -> Payloads:
    raise AssertionError("arguments are payloads already")
