"""Keeping secrets out of logs: whatever a message or its traceback quotes, tokens in it are blacked out."""

import logging
import re

_SECRETS = re.compile(
    r"(perdure_[0-9a-f]{16}_)[0-9a-f]{64}"  # our tokens: the id may be seen
    r"|(\beyJ[\w-]{8,}\.)[\w-]+\.[\w-]+"  # JSON Web Tokens: only their header
    r"|(\bwhsec_)[\w+/=]{16,}"  # what webhooks are signed with
    r"|((?i:bearer|basic)\s+)[\w\-.~+/=]{8,}"
)


def redacted(text: str) -> str:
    """The text without the secrets in it."""
    return _SECRETS.sub(lambda found: f"{found[1] or found[2] or found[3] or found[4]}(secret)", text)


class _Redacting(logging.Formatter):
    """Another formatter's text, redacted: the one place that messages, arguments and tracebacks all come through."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return redacted(self._inner.format(record))


def redact_logs(logger: logging.Logger | None = None) -> None:
    """Black out secrets in whatever the handlers of a logger (the root without one) write from now on."""
    for handler in (logger or logging.getLogger()).handlers:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))
