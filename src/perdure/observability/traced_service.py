"""A service whose callers are traced: each start, message and request to a run is a span, and takes its trace along."""

from typing import Any, cast

import msgspec

from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import OutsideRequest, SignalWorkflow, StartWorkflow, UpdateWorkflow
from perdure.model.service import Service, StartResult, UpdateOutcome, UpdateStage
from perdure.observability.tracing import Tracing, attributes_of_start


def traced(service: Service, tracing: Tracing) -> Service:
    """The service, traced."""
    return cast("Service", TracedService(service, tracing))


class TracedService:
    """What only looks is handed on as it is."""

    def __init__(self, service: Service, tracing: Tracing) -> None:
        self._service = service
        self._tracing = tracing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def start(self, namespace: str, request: StartWorkflow) -> StartResult:
        """As ``Service.start``."""
        name, attributes = f"StartWorkflow:{request.workflow_type}", attributes_of_start(namespace, request)
        with self._tracing.call(name, attributes, request.header) as (header, span):
            result = await self._service.start(namespace, msgspec.structs.replace(request, header=header))
            span.set_attribute("perdure.run_id", result.run_id)
            return result

    async def execute(self, namespace: str, request: StartWorkflow) -> tuple[str, Event]:
        """As ``Service.execute``."""
        name, attributes = f"ExecuteWorkflow:{request.workflow_type}", attributes_of_start(namespace, request)
        with self._tracing.call(name, attributes, request.header) as (header, span):
            run_id, closing = await self._service.execute(namespace, msgspec.structs.replace(request, header=header))
            span.set_attribute("perdure.run_id", run_id)
            return run_id, closing

    async def request(self, address: RunAddress, request: OutsideRequest) -> None:
        """As ``Service.request``."""
        if isinstance(request, SignalWorkflow):
            name = f"SignalWorkflow:{request.signal_name}"
            with self._tracing.call(name, _of(address), request.header) as (header, _):
                await self._service.request(address, msgspec.structs.replace(request, header=header))
        else:
            with self._tracing.call(type(request).__name__, _of(address), None):
                await self._service.request(address, request)

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: UpdateStage) -> UpdateOutcome:
        """As ``Service.update``."""
        name = f"UpdateWorkflow:{request.update_name}"
        with self._tracing.call(name, _of(address), request.header) as (header, _):
            return await self._service.update(address, msgspec.structs.replace(request, header=header), wait)

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        """As ``Service.query``."""
        with self._tracing.call(f"QueryWorkflow:{name}", _of(address), header) as (passed_on, _):
            return await self._service.query(address, name, input, passed_on)


def _of(address: RunAddress) -> dict[str, str]:
    attributes = {"perdure.namespace": address.namespace, "perdure.workflow_id": address.workflow_id}
    return {**attributes, "perdure.run_id": address.run_id} if address.run_id else attributes
