"""What the docs say is served is what is served."""

import grpc
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from perdure.protocols.temporal import coverage
from perdure.protocols.temporal.history import EVENTS, TYPES
from perdure.protocols.temporal.service_old_versioning import DISABLED
from perdure.protocols.temporal.services import OPERATOR_METHODS, WORKFLOW_METHODS


def test_every_method_that_is_served_is_one_of_temporals() -> None:
    named = {row.name for row in coverage.methods() if row.state != coverage.NOT}
    assert named == {*WORKFLOW_METHODS, *OPERATOR_METHODS}


def test_every_event_goes_out_under_its_own_type_and_field() -> None:
    from temporalio.api.enums.v1 import EventType
    from temporalio.api.history.v1 import HistoryEvent

    for kind, (field, _) in EVENTS.items():
        assert field in HistoryEvent.DESCRIPTOR.fields_by_name
        assert EventType.Value(f"EVENT_TYPE_{field.removesuffix('_event_attributes').upper()}") == TYPES[kind]


def test_notes_are_about_things_that_are_there() -> None:
    there = {
        row.name
        for rows in (coverage.methods(), coverage.events(), coverage.commands())
        for row in rows
        if row.state != coverage.NOT
    }
    assert set(coverage.NOTES) <= there


async def test_the_old_ways_of_versioning_are_refused_as_by_temporals_server(raw) -> None:
    for name, message in DISABLED.items():
        for namespace, told in (("default", message), ("none", "Namespace none is not found.")):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await getattr(raw, name)(getattr(pb, f"{name}Request")(namespace=namespace))
            assert refused.value.details() == told


async def test_search_attributes_are_removed(client: Client) -> None:
    ours = {"Amount": IndexedValueType.INDEXED_VALUE_TYPE_INT}
    await client.operator_service.add_search_attributes(
        operator.AddSearchAttributesRequest(namespace="default", search_attributes=ours)
    )
    for names, told in (
        (["Nothing"], ""),
        (["WorkflowId"], "Unable to remove non-custom search attributes: WorkflowId."),
        ([], "SearchAttributes are not set on request."),
        (["Amount", "Nothing", "Amount"], ""),
    ):
        request = operator.RemoveSearchAttributesRequest(namespace="default", search_attributes=names)
        try:
            await client.operator_service.remove_search_attributes(request)
        except RPCError as refused:
            assert told and refused.message.startswith(told)
        else:
            assert not told
    with pytest.raises(RPCError, match="no attribute 'Amount'") as unknown:
        await client.count_workflows("Amount = 5")
    assert unknown.value.status is RPCStatusCode.INVALID_ARGUMENT
    amount = SearchAttributePair(SearchAttributeKey.for_int("Amount"), 5)
    with pytest.raises(RPCError, match="'Amount' was removed") as removed:
        await client.start_workflow("W", id="w", task_queue="q", search_attributes=TypedSearchAttributes([amount]))
    assert removed.value.status is RPCStatusCode.INVALID_ARGUMENT
    await client.operator_service.add_search_attributes(
        operator.AddSearchAttributesRequest(
            namespace="default", search_attributes={"Amount": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
        )
    )
    assert (await client.count_workflows("Amount = '5'")).count == 0


async def test_what_is_not_served_says_so_by_its_name(raw) -> None:
    missing = [row.name for row in coverage.methods() if row.state == coverage.NOT and hasattr(raw, row.name)]
    assert missing
    for name in missing:
        request = getattr(pb, f"{name}Request")()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(raw, name)(request)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert name in (refused.value.details() or "")
