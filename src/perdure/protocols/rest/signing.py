"""Signing secrets: made or taken over here, shown once, and used for callbacks and webhooks by their names."""

import secrets
import time
from datetime import datetime
from typing import Annotated

import msgspec

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError
from perdure.model.webhooks import key_of, secret_of
from perdure.protocols.rest.asking import Asked, Seconds
from perdure.protocols.rest.kept import SigningSecret
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_time

operations = Operations("webhooks")

PATH = "/namespaces/{namespace}/signing-secrets"

NEW_BYTES = 32


class SecretBody(Asked):
    """``secret`` is one that the other side has made (``whsec_...``); without it a new one is made. The one before stays
    good for ``keep_previous_seconds``."""

    secret: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    keep_previous_seconds: Seconds = 24 * 3600


class NewSecretView(msgspec.Struct, frozen=True):
    """The secret. It is shown this once."""

    name: str
    secret: str


class SecretView(msgspec.Struct, frozen=True):
    """That there is one."""

    name: str
    created_time: datetime | None


class SecretsView(msgspec.Struct, frozen=True):
    """A page of those of a namespace, by name; ``next_cursor`` is empty on the last one."""

    signing_secrets: list[SecretView]
    next_cursor: str = ""


@operations.add("GET", PATH, query=PageQuery, answer=SecretsView)
async def list_signing_secrets(call: Call[None, PageQuery]) -> SecretsView:
    """The names of a namespace's signing secrets."""
    call.require(Permission.ADMINISTER)
    found = await call.parts.signing_secrets.all(call.namespace)
    page, next_cursor = page_of(found.items(), lambda one: (one[0],), call.query)
    return SecretsView([SecretView(name, to_time(int(one.created * 1e9))) for name, one in page], next_cursor)


@operations.add("POST", f"{PATH}/{{name}}", body=SecretBody, answer=NewSecretView, status=201, remembers=True)
async def set_signing_secret(call: Call[SecretBody, Nothing]) -> NewSecretView:
    """Make a signing secret, or change one; the answer shows it, and nothing ever does again."""
    body, name, now = call.body, call.path["name"], time.time()

    async def put() -> NewSecretView:
        secret = secret_of(secrets.token_bytes(NEW_BYTES) if body.secret is None else key_of(body.secret))
        before = await call.parts.signing_secrets.get(call.namespace, name)
        kept = SigningSecret(secret, now, before.secret if before is not None else "", now + body.keep_previous_seconds)
        await call.parts.signing_secrets.put(call.namespace, name, kept)
        return NewSecretView(name, secret)

    return await call.perform(Permission.ADMINISTER, put)


@operations.add("DELETE", f"{PATH}/{{name}}")
async def delete_signing_secret(call: Call[None, Nothing]) -> None:
    """Remove a signing secret. Webhooks that use it are refused from then on, and callbacks fail."""

    async def remove() -> None:
        if await call.parts.signing_secrets.get(call.namespace, call.path["name"]) is None:
            raise no_secret(call.path["name"])
        await call.parts.signing_secrets.put(call.namespace, call.path["name"], None)

    await call.perform(Permission.ADMINISTER, remove)


def no_secret(name: str) -> NotFoundError:
    """What to say where there is none of a name."""
    return NotFoundError(f"There is no signing secret {name!r:.1000}. Make it with POST .../signing-secrets/{{name}}.")
