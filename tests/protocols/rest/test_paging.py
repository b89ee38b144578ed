"""Every list of REST goes by cursor: whatever comes or goes meanwhile, nothing that stays is left out or shown twice."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.app.server import Server
from perdure.model.errors import InvalidArgumentError
from perdure.protocols.rest import OPERATIONS
from perdure.protocols.rest.paging import PageQuery, page_of

NAMES = [f"n{number}" for number in range(5)]
HERE = "/namespaces/default"


@pytest.fixture
async def http():
    server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", timeout=60) as http:
        yield http
    await server.close()


LISTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "list_schedules": ("schedule_id", "POST", f"{HERE}/schedules", {"workflow_type": "W", "cron": ["0 2 * * *"]}),
    "list_batches": ("batch_id", "POST", f"{HERE}/batches", {"operation": "cancel", "workflow_type": "None"}),
    "list_tokens": ("name", "POST", "/tokens", {"grants": ["reader"]}),
    "list_namespaces": ("name", "PUT", "/namespaces/{name}", {}),
    "list_task_queues": ("name", "PUT", f"{HERE}/task-queues/{{name}}", {"concurrency": 2}),
    "list_workers": ("identity", "POST", f"{HERE}/task-queues/{{name}}/activities/poll", {"wait_seconds": 0}),
    "list_endpoints": ("name", "PUT", "/endpoints/{name}", {"namespace": "default", "task_queue": "q"}),
    "list_webhooks": ("", "PUT", f"{HERE}/webhooks/{{name}}", {"secret": "s", "workflow_type": "W"}),
    "list_signing_secrets": ("name", "POST", f"{HERE}/signing-secrets/{{name}}", {}),
    "list_workflows": ("workflow_id", "POST", f"{HERE}/workflows", {"workflow_type": "W"}),
}
"""By operation: what names an element, and how one is made."""
WITHOUT_END = {"list_search_attributes", "list_problems"}
"""Whose length is bounded: the types that runs have, the errors that there are."""
ELSEWHERE = {"list_deployments"}
"""REST makes no such element; test_deployments.py goes through that list."""


def test_all_lists_are_here():
    assert {each.name for each in OPERATIONS if each.name.startswith("list_")} == LISTS.keys() | WITHOUT_END | ELSEWHERE


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_goes_by_cursor(http, name):
    field, method, path, body = LISTS[name]
    if name == "list_webhooks":
        await http.post(f"{HERE}/signing-secrets/s", json={})
    for element in NAMES:
        own = {field: element} if "{name}" not in path or field == "identity" else {}
        made = await http.request(method, path.format(name=element), json={**body, **own})
        assert made.status_code < 300, made.text
    [operation] = [each for each in OPERATIONS if each.name == name]
    listed = operation.path.replace("{namespace}", "default")
    found: list[str] = []
    cursor, pages = "", 0
    while cursor or not pages:
        answer = await http.get(listed, params={"limit": 2, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        [elements] = [value for key, value in answer.json().items() if key != "next_cursor"]
        assert 1 <= len(elements) <= 2
        found += [each if isinstance(each, str) else each[field] for each in elements]
        cursor, pages = answer.json()["next_cursor"], pages + 1
    assert sorted(set(found) & set(NAMES)) == NAMES and len(found) == len(set(found)) and pages >= 3
    whole = (await http.get(listed)).json()
    assert whole["next_cursor"] == ""
    for bad in ("x", "WzFd", "bnVsbA==", "é"):
        refused = await http.get(listed, params={"cursor": bad})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument"), (bad, refused.text)


keys = st.sets(st.tuples(st.integers(-5, 5), st.text("ab", max_size=2)), max_size=12)


@given(keys, keys, st.integers(1, 4))
def test_what_stays_is_seen_once_whatever_comes_or_goes(before, after, limit):
    seen, cursor, there = [], "", before
    while True:
        page, cursor = page_of(there, lambda one: one, PageQuery(cursor, limit))
        seen += page
        if not cursor:
            break
        there = after
    assert seen == sorted(seen) and len(seen) == len(set(seen))
    assert before & after <= set(seen) <= before | after


def test_a_cursor_of_another_list_is_refused():
    _, cursor = page_of(["a", "b"], lambda one: (one,), PageQuery("", 1))
    with pytest.raises(InvalidArgumentError, match="next_cursor"):
        page_of([1, 2], lambda one: (one,), PageQuery(cursor, 1))
