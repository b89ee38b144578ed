"""What is kept of webhooks, and what they and callbacks are signed with."""

from typing import Annotated, Literal

import msgspec

from perdure.protocols.rest.asking import Asked, IdReuseWord, Name

Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
"""JMESPath."""


class SigningSecret(msgspec.Struct, frozen=True):
    """As it is kept. Until ``previous_until`` (seconds since 1970) the one before is good too."""

    secret: str
    created: float
    previous: str = ""
    previous_until: float = 0.0

    def good(self, now: float) -> list[str]:
        """Those that may be used now, the newest first."""
        return [self.secret, self.previous] if self.previous and now < self.previous_until else [self.secret]


class Webhook(Asked):
    """What a webhook does with a message that is signed with ``secret``.

    All but names are JMESPath expressions over its body: ``workflow_id`` (without it, the message's id makes one), each of
    ``input``, and the values of ``memo`` and ``search_attributes``. ``when``: messages for which it is false or null are
    accepted and ignored. With ``action`` "start" ``workflow_type`` is needed, with "signal" ``signal_name`` and
    ``workflow_id``, with "signal_with_start" both names. Messages more than ``tolerance_seconds`` old are refused.
    """

    secret: Name
    action: Literal["start", "signal", "signal_with_start"] = "start"
    workflow_type: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    task_queue: Name = "default"
    signal_name: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    workflow_id: Expression | None = None
    input: Annotated[list[Expression], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=lambda: ["@"])
    memo: dict[Name, Expression] = {}
    search_attributes: dict[Name, Expression] = {}
    when: Expression | None = None
    id_reuse: IdReuseWord = "allow"
    tolerance_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300
