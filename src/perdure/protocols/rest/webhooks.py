"""Inbound webhooks: a signed message from another server starts or signals a run."""

import time
from collections.abc import Mapping
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from perdure.model.access import Permission
from perdure.model.errors import InvalidArgumentError, NotFoundError, UnauthenticatedError
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import SignalWorkflow, StartWorkflow
from perdure.model.webhooks import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from perdure.protocols.rest.asking import ID_REUSE
from perdure.protocols.rest.bodies import read_body
from perdure.protocols.rest.kept import Webhook
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.signing import no_secret
from perdure.protocols.rest.values import to_payload

operations = Operations("webhooks")

PATH = "/namespaces/{namespace}/webhooks"


class WebhooksView(msgspec.Struct, frozen=True):
    """A page of those of a namespace, by name; ``next_cursor`` is empty on the last one."""

    webhooks: dict[str, Webhook]
    next_cursor: str = ""


class ReceivedView(msgspec.Struct, frozen=True):
    """What a message did: it started a run, signalled one, or was ignored. ``run_id`` is empty for a signal to a run that
    was there."""

    action: str
    workflow_id: str = ""
    run_id: str = ""


@operations.add("GET", PATH, query=PageQuery, answer=WebhooksView)
async def list_webhooks(call: Call[None, PageQuery]) -> WebhooksView:
    """The webhooks of a namespace."""
    call.require(Permission.ADMINISTER)
    found = await call.parts.webhooks.all(call.namespace)
    page, next_cursor = page_of(found.items(), lambda one: (one[0],), call.query)
    return WebhooksView(dict(page), next_cursor)


@operations.add("PUT", f"{PATH}/{{name}}", body=Webhook, answer=Webhook)
async def set_webhook(call: Call[Webhook, Nothing]) -> Webhook:
    """Set up a webhook, or change one. Messages then go to ``POST .../webhooks/{name}/messages``."""
    call.require(Permission.ADMINISTER)
    webhook = call.body
    needed = {
        "start": ("workflow_type",),
        "signal": ("signal_name", "workflow_id"),
        "signal_with_start": ("workflow_type", "signal_name"),
    }[webhook.action]
    if missing := [name for name in needed if not getattr(webhook, name)]:
        raise InvalidArgumentError(f"With action {webhook.action!r} the webhook needs {' and '.join(missing)}.")
    for expression in _expressions(webhook):
        try:
            jmespath.compile(expression)
        except JMESPathError as error:
            raise InvalidArgumentError(f"{expression!r:.200} is no JMESPath: {error}") from None
    if await call.parts.signing_secrets.get(call.namespace, webhook.secret) is None:
        raise no_secret(webhook.secret)
    name = call.path["name"]
    await call.perform(
        Permission.ADMINISTER,
        lambda: call.parts.webhooks.put(call.namespace, name, webhook),
        action=webhook.action,
        workflow_type=webhook.workflow_type,
        secret=webhook.secret,
    )
    return webhook


@operations.add("GET", f"{PATH}/{{name}}", answer=Webhook)
async def get_webhook(call: Call[None, Nothing]) -> Webhook:
    """One webhook."""
    call.require(Permission.ADMINISTER)
    return await _webhook(call)


@operations.add("DELETE", f"{PATH}/{{name}}")
async def delete_webhook(call: Call[None, Nothing]) -> None:
    """Remove a webhook."""

    async def remove() -> None:
        await _webhook(call)
        await call.parts.webhooks.put(call.namespace, call.path["name"], None)

    await call.perform(Permission.ADMINISTER, remove)


@operations.add("POST", f"{PATH}/{{name}}/messages", answer=ReceivedView, is_public=True, is_raw=True)
async def receive_webhook(call: Call[None, Nothing]) -> ReceivedView:
    """Take a message: it is signed as Standard Webhooks says, and starts or signals a run.

    The signature is what lets it in. The same message again, by its ``webhook-id``, does nothing more.
    """
    headers, name = call.request.headers, call.path["name"]
    webhook = await call.parts.webhooks.get(call.namespace, name)
    kept = None if webhook is None else await call.parts.signing_secrets.get(call.namespace, webhook.secret)
    body = await read_body(call.request, call.parts.bounds, call.parts.bounds.webhook_body_bytes)
    if webhook is None or kept is None:
        # Who can't sign does not learn which webhooks there are.
        raise UnauthenticatedError("There is no such webhook, or the message is not signed with its secret.")
    now, message_id = time.time(), headers.get(ID_HEADER, "")
    verify(
        kept.good(now),
        message_id,
        headers.get(TIMESTAMP_HEADER, ""),
        headers.get(SIGNATURE_HEADER, ""),
        body,
        now,
        webhook.tolerance_seconds,
    )
    seen = call.parts.webhook_messages
    place = (call.namespace, name, message_id)
    known: ReceivedView | None = seen.answer(place, now)
    if known is not None:
        return known  # the engine would know it too, but not for as long: its run may have ended, and another begun
    answer = await _act(call, webhook, _Mapped(webhook, name, message_id, body))
    # So long a copy of the message can come again: from now, if it came from the future, to when it is too old.
    again = msgspec.structs.replace(answer, action="found") if answer.action == "started" else answer
    seen.remember(place, again, now + 2 * webhook.tolerance_seconds)
    return answer


async def _webhook(call: Call[None, Nothing]) -> Webhook:
    webhook = await call.parts.webhooks.get(call.namespace, call.path["name"])
    if webhook is None:
        raise NotFoundError(f"There is no webhook {call.path['name']!r:.1000}.")
    return webhook


async def _act(call: Call[None, Nothing], webhook: Webhook, mapped: "_Mapped") -> ReceivedView:
    service, namespace = call.parts.service, call.namespace
    if not mapped.is_wanted:
        return ReceivedView("ignored")
    workflow_id, request_id, identity = mapped.workflow_id, mapped.request_id, f"webhook {call.path['name']}"
    signal = SignalWorkflow(webhook.signal_name, mapped.input, None, request_id, identity)
    if webhook.action == "signal":
        await service.request(RunAddress(namespace, workflow_id), signal)
        return ReceivedView("signalled", workflow_id)
    is_start = webhook.action == "start"
    request = StartWorkflow(
        workflow_id,
        webhook.workflow_type,
        webhook.task_queue,
        mapped.input if is_start else (),
        request_id,
        ID_REUSE[webhook.id_reuse],
        memo=mapped.values(webhook.memo),
        search_attributes=mapped.values(webhook.search_attributes),
        identity=identity,
        signal=None if is_start else signal,
    )
    result = await service.start(namespace, request)
    return ReceivedView("started" if result.is_new else "found", workflow_id, result.run_id)


class _Mapped:
    """A message as its webhook sees it."""

    def __init__(self, webhook: Webhook, name: str, message_id: str, body: bytes) -> None:
        try:
            body.decode()
            self._body = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidArgumentError(f"The body is no JSON: {error}") from None
        self._raw = body
        self.request_id = f"webhook {name} {message_id}"
        self.is_wanted = webhook.when is None or self._find(webhook.when) not in (None, False)
        self.workflow_id = self._workflow_id(webhook, name, message_id) if self.is_wanted else ""
        self.input: Payloads = tuple(self._value(one) for one in webhook.input) if self.is_wanted else ()

    def values(self, expressions: Mapping[str, str]) -> PayloadMap | None:
        """Memo or search attributes; those without a value are left out."""
        found = {name: expression for name, expression in expressions.items() if self._find(expression) is not None}
        return {name: self._value(expression) for name, expression in found.items()} or None

    def _workflow_id(self, webhook: Webhook, name: str, message_id: str) -> str:
        if webhook.workflow_id is None:
            return f"webhook-{name}-{message_id}"
        found = self._find(webhook.workflow_id)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not 0 < len(found) <= 1_000:
            raise InvalidArgumentError(f"{webhook.workflow_id!r:.200} names no workflow id in this message.")
        return found

    def _value(self, expression: str) -> Any:
        if expression == "@":
            return to_payload(msgspec.Raw(self._raw.strip()))
        return to_payload(msgspec.Raw(msgspec.json.encode(self._find(expression))))

    def _find(self, expression: str) -> Any:
        try:
            return jmespath.search(expression, self._body)
        except (JMESPathError, RecursionError, ArithmeticError) as error:
            raise InvalidArgumentError(f"{expression!r:.200} can't be found in this message: {error}") from None


def _expressions(webhook: Webhook) -> list[str]:
    some = [webhook.workflow_id, webhook.when]
    return [
        *(one for one in some if one is not None),
        *webhook.input,
        *webhook.memo.values(),
        *webhook.search_attributes.values(),
    ]
