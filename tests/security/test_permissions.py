"""Every operation of the client port, asked by everybody: who may, who may not, and that it is written down.

The tests are made from the port itself, so that an operation that is added is tested, or the tests fail.
"""

import asyncio
import inspect
import typing

import msgspec
import pytest

from perdure.model import requests as r
from perdure.model.access import ALL_NAMESPACES, ALLOWED, Credentials, Permission, Role
from perdure.model.errors import PerdureError, PermissionDeniedError, UnauthenticatedError
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback, ParentLink, RunAddress
from perdure.model.namespaces import Namespace
from perdure.model.payloads import Payload
from perdure.model.search import AttributeType
from perdure.model.service import Service, UpdateStage
from perdure.model.system import SYSTEM_NAMESPACE, system_workflow_id
from perdure.model.task_queues import TaskQueue
from perdure.security.audit import stored_entries
from perdure.security.guarded import GuardedService
from perdure.security.permissions import OPERATIONS, REQUESTS

NAMES = [name for name, member in vars(Service).items() if inspect.isfunction(member) and not name.startswith("_")]

LIST = {"filter": "", "statuses": [], "workflow_type": ""}


def calls(service, namespace, *, workflow_id="w"):
    """A call of each operation, by name, with arguments that mean a namespace."""
    address = RunAddress(namespace, workflow_id)
    start = r.StartWorkflow(f"{workflow_id}-new", "Waits")
    fork = {"event_id": 3, "input": None, "reason": "", "request_id": "f"}
    return {
        "start": lambda: service.start(namespace, start),
        "execute": lambda: service.execute(namespace, start),
        "request": lambda: service.request(address, r.SignalWorkflow("finish")),
        "update": lambda: service.update(
            address, r.UpdateWorkflow("u", "note", (Payload(b'"x"'),)), UpdateStage.COMPLETED
        ),
        "query": lambda: service.query(address, "is_done", ()),
        "wait_closed": lambda: service.wait_closed(address, follow=True),
        "describe": lambda: service.describe(address),
        "explain": lambda: service.explain(address),
        "history": lambda: service.history(address, after=0, limit=10, wait=False),
        "list": lambda: service.list(namespace, **LIST, cursor="", limit=10),
        "count": lambda: service.count(namespace, **LIST),
        "search_attributes": lambda: service.search_attributes(namespace),
        "add_search_attributes": lambda: service.add_search_attributes(namespace, {"Amount": AttributeType.INT}),
        "remove_search_attributes": lambda: service.remove_search_attributes(namespace, ["Amount"]),
        "reset": lambda: service.reset(address, event_id=3, reason="", request_id="r"),
        "fork": lambda: service.fork(address, workflow_id="copy", **fork),
        "import_run": lambda: service.import_run(RunAddress(namespace, workflow_id, "r"), ()),
        "delete": lambda: service.delete(address),
        "set_namespace": lambda: service.set_namespace(Namespace(namespace, 10**18)),
        "describe_namespace": lambda: service.describe_namespace(namespace),
        "delete_namespace": lambda: service.delete_namespace(namespace, force=True),
        "namespaces": lambda: service.namespaces(),
        "set_task_queue": lambda: service.set_task_queue(TaskQueue(namespace, "q", concurrency=1)),
        "pause_task_queue": lambda: service.pause_task_queue(namespace, "default", "to see"),
        "task_queues": lambda: service.task_queues(namespace),
        "describe_task_queue": lambda: service.describe_task_queue(namespace, "default"),
        "workers": lambda: service.workers(namespace),
        "statistics": lambda: service.statistics(1),
    }


async def outcome(call, patience=0.3):
    """What comes of a call: None if the engine took it, whatever it then said, and be it nothing for so many seconds."""
    try:
        async with asyncio.timeout(patience):
            await call()
    except (PermissionDeniedError, UnauthenticatedError) as error:
        return error
    except (PerdureError, TimeoutError):
        return None
    return None


async def audited(secured):
    await secured.audit.close()
    return [msgspec.json.decode(entry) for entry in await stored_entries(secured.store)]


def test_the_table_has_every_operation():
    assert sorted(OPERATIONS) == sorted(NAMES)
    assert sorted(calls(None, "")) == sorted(NAMES)
    for name in NAMES:
        assert vars(GuardedService)[name] is not None


def test_the_table_of_requests_has_all_that_come_from_outside():
    outside = set(typing.get_args(r.OutsideRequest))
    for_their_own_operations = {r.UpdateWorkflow, r.StartWorkflow, r.ForkWorkflow}
    assert set(REQUESTS) == outside - for_their_own_operations


def test_the_guarded_service_has_the_ports_signatures():
    for name in NAMES:
        assert inspect.signature(vars(GuardedService)[name]) == inspect.signature(vars(Service)[name]), name


@pytest.mark.parametrize("role", Role, ids=str)
@pytest.mark.parametrize("name", NAMES)
async def test_each_role_may_do_what_the_table_says(secured, name, role):
    await secured.service.start("default", r.StartWorkflow("w", "Waits"))
    session = await secured.session(str(role))
    allowed = any(permission in ALLOWED[role] for permission in OPERATIONS[name].any_of)
    if name == "request":
        allowed = Permission.OPERATE in ALLOWED[role]
    # The first tells whether it may, so the default namespace serves although it can't be deleted.
    refused = await outcome(calls(session.service, "default")[name])
    if allowed or name == "namespaces":
        assert refused is None
        if OPERATIONS[name].audited:
            assert next(entry["outcome"] for entry in await audited(secured)) == "allowed"
    else:
        assert isinstance(refused, PermissionDeniedError)
        assert "may not" in str(refused) and "that is for a token that is" in str(refused)
        (entry,) = await audited(secured)
        assert (entry["outcome"], entry["who"], entry["remote"]) == ("refused", "somebody", "10.0.0.7")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "namespaces"])
async def test_a_role_in_one_namespace_is_none_in_another(secured, name):
    """Not even an admin's; nor by way of the engine's own runs that work for the other one."""
    session = await secured.session("admin:mine")
    assert isinstance(await outcome(calls(session.service, "theirs")[name]), PermissionDeniedError)
    own = calls(session.service, SYSTEM_NAMESPACE, workflow_id=system_workflow_id("schedule", "theirs", "s"))
    if name != "list":  # which leaves out what is not theirs
        assert isinstance(await outcome(own[name]), PermissionDeniedError)
    nobodys = calls(session.service, SYSTEM_NAMESPACE, workflow_id="w")
    if name != "list":
        assert isinstance(await outcome(nobodys[name]), PermissionDeniedError)


@pytest.mark.parametrize("name", NAMES)
async def test_a_session_ends_with_its_token(secured, name):
    """A stream goes on after its token was revoked, or has expired; what it asks then is refused."""
    text = await secured.token("admin", lifetime=3600 * 10**9)
    session = await secured.admit(text)
    secured.clock.move(3601)
    assert isinstance(await outcome(calls(session.service, "default")[name]), UnauthenticatedError)

    other = await secured.token("admin")
    session = await secured.admit(other)
    await secured.tokens.revoke(secured.tokens.check(other).id)
    assert isinstance(await outcome(calls(session.service, "default")[name]), UnauthenticatedError)
    with pytest.raises(UnauthenticatedError, match="revoked by now"):
        session.require(Permission.READ, "default")


@pytest.mark.parametrize("request_type", sorted(REQUESTS, key=repr), ids=repr)
@pytest.mark.parametrize("role", Role, ids=str)
async def test_each_request_to_a_run(secured, request_type, role):
    await secured.service.start("default", r.StartWorkflow("w", "Waits"))
    arguments = {
        r.SignalWorkflow: ("finish",),
        r.UpdateWorkflowOptions: ("",),
        r.FailActivity: (5, 1, Failure("x")),
        **dict.fromkeys((r.PauseActivity, r.UnpauseActivity, r.ResetActivity, r.UpdateActivityOptions), ()),
    }.get(request_type, (5, 1) if "Activity" in request_type.__name__ else ())
    session = await secured.session(str(role))
    refused = await outcome(lambda: session.service.request(RunAddress("default", "w"), request_type(*arguments)))
    need = REQUESTS[request_type]
    assert (refused is None) is any(permission in ALLOWED[role] for permission in need.any_of)
    entries = await audited(secured)
    assert bool(entries) is (need.audited or refused is not None)


@pytest.mark.parametrize(
    "request_",
    [r.FireTimer(1), r.ChildStarted(1, "r"), r.LoseActivity(5, 1), r.CompleteWorkflowTask(3, 1, ())],
    ids=lambda it: type(it).__name__,
)
async def test_nobody_speaks_for_the_engine(secured, request_):
    session = await secured.session("admin")
    with pytest.raises(PermissionDeniedError, match="is for the engine itself"):
        await session.service.request(RunAddress("default", "w"), request_)


@pytest.mark.parametrize(
    "field",
    [
        {"parent": ParentLink("theirs", "w", "r", 5)},
        {"completion_callback": CompletionCallback("theirs", "w", "finish")},
        {"root_run_id": "r"},
        {"attempt": 2},
        {"first_execution_run_id": "r"},
    ],
    ids=lambda field: next(iter(field)),
)
async def test_a_start_reaches_into_no_other_run(secured, field):
    session = await secured.session("operator:mine")
    for ask in (session.service.start, session.service.execute):
        with pytest.raises(PermissionDeniedError, match="can't be set by whoever asks for a start"):
            await ask("mine", r.StartWorkflow("w", "Waits", **field))


async def test_lists_leave_out_what_is_not_the_callers(secured):
    for namespace in ("mine", "theirs"):
        await secured.service.set_namespace(Namespace(namespace))
        await secured.service.start(
            SYSTEM_NAMESPACE, r.StartWorkflow(system_workflow_id("schedule", namespace, "s"), "none", "nowhere")
        )
    await secured.service.set_namespace(Namespace(SYSTEM_NAMESPACE))
    session = await secured.session("reader:mine")
    assert [found.name for found in await session.service.namespaces()] == ["mine", SYSTEM_NAMESPACE]
    page = await session.service.list(SYSTEM_NAMESPACE, **LIST, cursor="", limit=10)
    assert [run.workflow_id for run in page.runs] == ["schedule:mine:s"]
    all_of_them = await secured.session("reader")
    page = await all_of_them.service.list(SYSTEM_NAMESPACE, **LIST, cursor="", limit=10)
    assert len(page.runs) == 2


async def test_an_act_that_fails_is_written_down_twice(secured):
    session = await secured.session("operator")
    with pytest.raises(PerdureError):
        await session.service.delete(RunAddress("default", "not there"))
    allowed, failed = await audited(secured)
    assert (allowed["act"], allowed["outcome"], allowed["workflow_id"]) == ("delete", "allowed", "not there")
    assert (failed["act"], failed["outcome"], failed["error"]) == ("delete", "failed", "NotFoundError")


@pytest.mark.parametrize("header", ["", "Basic eDp5", "Bearer", "Bearer ", "Bearer x y", "bearer perdure_1_2", "x"])
async def test_without_a_good_header_nobody_is_let_in(secured, header):
    await secured.token("admin")
    with pytest.raises(UnauthenticatedError):
        await secured.gate.admit(Credentials(header, "", "10.0.0.7"))
    (entry,) = await audited(secured)
    assert (entry["act"], entry["outcome"], entry["remote"]) == ("authenticate", "refused", "10.0.0.7")
    assert entry["reason"]


async def test_require(secured):
    session = await secured.session("worker:mine")
    session.require(Permission.WORK, "mine")
    for permission, namespace in (
        (Permission.WORK, "theirs"),
        (Permission.OPERATE, "mine"),
        (Permission.READ, ALL_NAMESPACES),
    ):
        with pytest.raises(PermissionDeniedError):
            session.require(permission, namespace)
