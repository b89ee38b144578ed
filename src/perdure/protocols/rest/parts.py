"""What the REST interface is put together from; ``app`` fills it in."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from perdure.engine.deployments import Deployments
from perdure.engine.documents import Kept
from perdure.engine.endpoints import Endpoints
from perdure.model.access import Gate, Session
from perdure.model.payloads import Payloads
from perdure.model.program import PollActivity
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service
from perdure.protocols.rest.kept import SigningSecret, Webhook
from perdure.protocols.rest.outbound import Outbound
from perdure.protocols.rest.waiting import Closing


class CallbackRequest(Protocol):
    """How the engine's own run is started that tells ``targets`` (URLs, and names of signing secrets) when a workflow has
    ended."""

    def __call__(
        self,
        own_id: str,
        namespace: str,
        workflow_id: str,
        targets: Sequence[tuple[str, str]],
        request_id: str,
        identity: str,
    ) -> StartWorkflow: ...


class Schedule(Protocol):
    """One schedule, as ``client.schedules.get`` gives it."""

    async def describe(self) -> Any:
        """A ``ScheduleDescription``."""
        ...

    async def update(self, **options: Any) -> None: ...
    async def pause(self, note: str = "") -> None: ...
    async def resume(self, note: str = "") -> None: ...
    async def trigger(self, *, overlap: str | None = None, request_id: str = "") -> None: ...
    async def backfill(
        self, start: datetime, end: datetime, *, overlap: str = "buffer_all", request_id: str = ""
    ) -> None: ...
    async def delete(self) -> None: ...


class Schedules(Protocol):
    """The schedules of a namespace, as ``client.schedules``, but that arguments are payloads already."""

    async def create(self, id: str, workflow: Any, /, *args: Any, **options: Any) -> Any:
        """Start a workflow again and again."""
        ...

    def get(self, id: str) -> Schedule:
        """A handle on one."""
        ...

    def list(self) -> AsyncIterator[Any]:
        """Those that have not ended."""
        ...


class Batches(Protocol):
    """The batches of a namespace, as ``client.batches``, but that arguments are payloads already. ``options`` are those of
    ``Batches.start``."""

    async def signal(self, name: str, input: Payloads, /, **options: Any) -> Any: ...
    async def cancel(self, **options: Any) -> Any: ...
    async def terminate(self, **options: Any) -> Any: ...
    async def reset(self, **options: Any) -> Any: ...
    async def delete(self, **options: Any) -> Any: ...

    def get(self, id: str) -> Any:
        """A handle on one: ``describe``, ``pause``, ``resume``, ``stop``."""
        ...

    def list(self) -> AsyncIterator[Any]:
        """The newest first."""
        ...


class Allowance(Protocol):
    """How much may be sent with a token; 0 is what the server's settings say."""

    @property
    def requests_per_second(self) -> int: ...
    @property
    def messages_per_second(self) -> int: ...
    @property
    def request_bytes(self) -> int: ...


class Token(Protocol):
    """What is known of an API token; nothing that could be used as one. Times are ns since 1970, 0 for never."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def grants(self) -> Sequence[str]: ...
    @property
    def created(self) -> int: ...
    @property
    def created_by(self) -> str: ...
    @property
    def expires(self) -> int: ...
    @property
    def revoked(self) -> int: ...
    @property
    def last_used(self) -> int: ...
    @property
    def allowance(self) -> Allowance: ...


class Administration(Protocol):
    """What an admin does about tokens, and reads of the audit log. ``remote`` is where they call from."""

    async def create_token(
        self,
        session: Session,
        remote: str,
        name: str,
        grants: Sequence[str],
        lifetime_ns: int,
        for_signing: bool = False,
        requests_per_second: int = 0,
        messages_per_second: int = 0,
        request_bytes: int = 0,
    ) -> tuple[Token, str]:
        """A new token's record, and the token."""
        ...

    async def tokens(self, session: Session) -> Sequence[Token]:
        """Those that the caller could have made."""
        ...

    async def revoke_token(self, session: Session, remote: str, id: str) -> Token:
        """End one at once."""
        ...

    async def audit(self, session: Session, after: int, limit: int) -> tuple[list[bytes], str]:
        """Entries of the audit log, and its head."""
        ...


class Bounds(msgspec.Struct, frozen=True):
    """How much a caller may ask of the REST interface. Sizes are bytes, times seconds."""

    body_bytes: int = 64 * 1024 * 1024
    header_seconds: float = 10.0
    """A connection whose request head is not complete by then is closed."""
    webhook_body_bytes: int = 4 * 1024 * 1024
    """Of a message to a webhook: it is read before anybody knows who has sent it."""
    body_seconds: float = 30.0
    """The longest silence while a body is read."""
    wait_seconds: float = 60.0
    """The longest that one request waits for something to happen."""
    keep_alive_seconds: float = 15.0
    """Between two signs of life on a stream."""
    remembered_keys: int = 10_000
    remembered_bytes: int = 64 * 1024
    """A longer answer is not remembered."""
    remembered_seconds: float = 24 * 3600.0


class Seen:
    """What became of messages, for as long as the same ones might come again; the last so many."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._answers: OrderedDict[tuple[str, str, str], tuple[Any, float]] = OrderedDict()

    def answer(self, place: tuple[str, str, str], now: float) -> Any:
        """What was answered; None for a message that is new. Times are seconds since 1970."""
        known = self._answers.get(place)
        return known[0] if known is not None and now < known[1] else None

    def remember(self, place: tuple[str, str, str], answer: Any, until: float) -> None:
        """Keep an answer."""
        self._answers[place] = answer, until
        self._answers.move_to_end(place)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)


@dataclass
class Parts:
    """What handlers work with.

    Attributes:
        gate: knows the callers.
        service: the engine itself, for what the server does on a caller's behalf once ``Session.require`` allowed it.
        schedules, batches: those of a namespace, for an identity.
        signing_secrets, webhooks, endpoints: what was set of them.
        outbound: for the URLs of callbacks.
        callback_request: makes callbacks.
        poll_activity: where activity tasks come from.
        administration: tokens and the audit log; None where there are none.
        about: facts about the server, for ``GET /api/v1/server``.
        bounds: how much a caller may ask.
        allowed_hosts: the names that it answers to; None for any. Without authentication it must be few: a page of
            somebody else's site could give its own name this address.
        webhook_messages: the messages to webhooks that have come of late.
        closing: whether the server is about to end.
        deployments: of workers; None where nobody can have any.
    """

    gate: Gate
    service: Service
    signing_secrets: Kept[SigningSecret]
    webhooks: Kept[Webhook]
    endpoints: Endpoints
    outbound: Outbound
    schedules: Callable[[str, str], Schedules]
    batches: Callable[[str, str], Batches]
    callback_request: CallbackRequest
    poll_activity: PollActivity | None = None
    administration: Administration | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    allowed_hosts: frozenset[str] | None = None
    webhook_messages: "Seen" = field(default_factory=lambda: Seen())
    closing: Closing = field(default_factory=Closing)
    deployments: Deployments | None = None
