"""The OpenAPI 3.1 document, made from the table of operations."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from perdure.protocols.rest.operations import Nothing, Operation
from perdure.protocols.rest.problems import MEDIA_TYPE, STATUSES, Problem

PREFIX = "/api/v1"

_REF = "#/components/schemas/{name}"
_ANY: dict[str, Any] = {}

ABOUT = """Durable workflows: start them, follow them, talk to them, and do their activities, over plain HTTP.

Values (inputs, results, memos, search attributes) are JSON as it is. A value of another encoding is
`{"metadata": {"encoding": ...}, "data": base64}`. Times are RFC 3339, durations are seconds.

Errors are problem documents (RFC 9457) with a stable `code`; `GET /api/v1/problems` lists them. Send an
`Idempotency-Key` with whatever changes something, and it is safe to send again.
"""

_PARAMETERS = {
    "deployment": "Of workers: the name that they give.",
    "build_id": "Of a version: what its workers call their code.",
    "endpoint": "The name of an endpoint.",
    "namespace": "The space of workflow ids.",
    "workflow_id": "The workflow id, percent-encoded.",
    "name": "Its name.",
    "search_attribute": "The name of the search attribute.",
    "task_queue": "The task queue.",
    "batch_id": "The batch's id.",
    "schedule_id": "The schedule's id.",
    "token_id": "The token's id: the part between `perdure_` and the next `_`.",
    "task_token": "The token that came with the task.",
    "code": "The code of a problem.",
}


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document."""
    types = [Problem, *_types(operations)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    known = {id(type): schema for type, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, known, components)
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Perdure", "version": version, "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {
                    "description": "What was wrong.",
                    "content": {MEDIA_TYPE: {"schema": known[id(Problem)]}},
                }
            },
        },
        "security": [{}, {"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    }


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[int, Any] = {}
    for operation in operations:
        for type in (operation.body, operation.answer):
            if type is not None:
                found[id(type)] = type
    return list(found.values())


def _operation(operation: Operation, known: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    text = inspect.cleandoc(operation.handler.__doc__ or "").replace("``", "`")
    summary, _, description = text.partition("\n")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary.rstrip("."),
        "description": description.strip() or summary,
        "parameters": [*_path(operation), *_query(operation), *_headers(operation)],
        "responses": _responses(operation, known),
    }
    if operation.body is not None:
        required = any(field.required for field in msgspec.structs.fields(operation.body))
        described["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": known[id(operation.body)]}},
        }
    elif operation.is_raw:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ANY}}}
    return described


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is Nothing:
        return []
    _, components = msgspec.json.schema_components([operation.query], ref_template=_REF)
    schema = components[operation.query.__name__]
    parameters = []
    for name, given in schema["properties"].items():
        own = dict(given)
        described = own.pop("description", "")
        own.pop("default", None) if own.get("default", "") in ("", None, []) else None
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": described,
                "schema": own,
            }
        )
    return parameters


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if operation.method == "GET":
        return []
    as_id = "It becomes the request's id, where to do it twice is not the same as to do it once."
    kept = "The answer is remembered by this process." if operation.remembers else as_id
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": f"Makes it safe to send again. {kept}",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }
    ]


def _responses(operation: Operation, known: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answer is not None:
        content["application/json"] = {"schema": known[id(operation.answer)]}
    if operation.streams:
        content["text/event-stream"] = {"schema": {"type": "string", "description": operation.streams}}
    done = operation.status if operation.answer is not None or operation.is_raw else 204
    responses: dict[str, Any] = {str(done): {"description": operation.streams or "Done."}}
    if content:
        responses[str(done)]["content"] = content
    for status, description in operation.other_answers.items():
        responses[str(status)] = {"description": description}
        if status in (200, 202):
            responses[str(status)]["content"] = content
    for status in STATUSES:
        responses[str(status)] = {"$ref": "#/components/responses/Problem"}
    return responses
