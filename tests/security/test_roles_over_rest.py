"""Each operation of REST, asked by each role: who may not gets 403, whatever else would have been wrong."""

from typing import Any

import httpx
import pytest
from tests.security.test_acts import REST, REST_OTHERS, STRETCH
from tests.security.test_server import FOR_ALL, Running, first_token, path_of

from perdure.app.access import Access
from perdure.app.server import Server
from perdure.model.task_tokens import TaskToken
from perdure.protocols.rest import OPERATIONS

EVERY_ROLE = ("reader", "operator", "worker", "admin")
"""Of the namespace in the path; and ``root`` is an admin of the whole server."""

ADMINISTERS = {"set_task_queue", "add_search_attributes", "remove_search_attribute", "import_workflow"}
ADMINISTERS |= {"set_signing_secret", "list_signing_secrets", "delete_signing_secret"}
ADMINISTERS |= {"set_webhook", "get_webhook", "list_webhooks", "delete_webhook"}
ADMINISTERS |= {"create_token", "list_tokens", "revoke_token"}
ADMINISTERS_ALL = {"set_namespace", "delete_namespace", "read_audit_log", "set_endpoint", "delete_endpoint"}
WORKS = {"poll_activity"}
ENDS_ACTIVITIES = {"complete_activity", "fail_activity", "cancel_activity", "heartbeat_activity"}
LOOKS = {"query_workflow"} | {operation.name for operation in OPERATIONS if operation.method == "GET"}
OPERATES = (REST.keys() | REST_OTHERS) - ADMINISTERS - ADMINISTERS_ALL - WORKS - ENDS_ACTIVITIES - LOOKS


def who_may(name: str) -> set[str]:
    """The roles that an operation is for. Raises ``KeyError`` for one that no table has."""
    for names, roles in (
        (FOR_ALL, {*EVERY_ROLE, "root"}),
        (ADMINISTERS_ALL, {"root"}),
        (ADMINISTERS, {"admin", "root"}),
        (WORKS, {"worker", "admin", "root"}),
        (ENDS_ACTIVITIES, {"operator", "worker", "admin", "root"}),
        (OPERATES, {"operator", "admin", "root"}),
        (LOOKS, {*EVERY_ROLE, "root"}),
    ):
        if name in names:
            return roles
    raise KeyError(name)


MORE_BODIES: dict[str, Any] = {
    "start_workflow": {"workflow_type": "Waits", "workflow_id": "x"},
    "start_activity": {"activity_type": "a", "activity_id": "x"},
    "start_operation": {"service": "s", "operation": "o", "operation_id": "x", "task_queue": "q"},
    "signal_workflow": {"signal_name": "finish"},
    "query_workflow": {"query_name": "is_done"},
    "update_workflow": {"update_name": "note"},
    "poll_activity": {"activity_types": ["a"], "wait_seconds": 0},
    "fail_activity": {"message": "no"},
    "backfill_schedule": STRETCH,
    "create_token": {"name": "ci", "grants": ["reader:mine"]},
}
GOES_LAST = ("delete", "revoke")


@pytest.fixture
async def running(tmp_path):
    store_url = f"sqlite:///{tmp_path / 'work.db'}"
    tokens = {"admin": await first_token(store_url)}
    server = Server(
        store_url, access=Access(authentication="tokens"), rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0"
    )
    await server.open()
    yield Running(server, tokens)
    await server.close()


async def test_each_operation_is_there_for_the_roles_that_may_and_for_no_other(running):
    asked = [operation for operation in OPERATIONS if not operation.is_public]
    asked.sort(key=lambda operation: operation.name.startswith(GOES_LAST))
    tokens = {role: await running.new_token(f"{role}:mine") for role in EVERY_ROLE} | {"root": running.tokens["admin"]}
    victim = (await running.new_token("reader:mine")).split("_")[1]
    task_token = TaskToken("mine", "x", "r", 5, 1).encode()
    async with httpx.AsyncClient(base_url=running.rest, timeout=60) as http:
        exported = await http.post(
            "/api/v1/namespaces/mine/workflows",
            json={"workflow_type": "Waits", "workflow_id": "out"},
            headers={"authorization": f"Bearer {tokens['operator']}"},
        )
        assert exported.status_code == 201
        history = await http.get(
            "/api/v1/namespaces/mine/workflows/out/export", headers={"authorization": f"Bearer {tokens['reader']}"}
        )
        for operation in asked:
            body = MORE_BODIES.get(operation.name, REST.get(operation.name, ({},))[0])
            if operation.name == "import_workflow":
                body = history.json()
            path = path_of(operation).replace("/activities/x/", f"/activities/{task_token}/")
            if operation.name == "revoke_token":
                path = path.replace("/x", f"/{victim}")
            for role, token in tokens.items():
                answer = await http.request(
                    operation.method,
                    path,
                    headers={"authorization": f"Bearer {token}"},
                    json=body if operation.body is not None else None,
                    params={"wait_seconds": 0} if hasattr(operation.query, "wait_seconds") else {},
                )
                told = (operation.name, role, answer.status_code, answer.text)
                if role in who_may(operation.name):
                    assert answer.status_code not in (401, 403, 405) and answer.status_code < 500, told
                else:
                    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), told
