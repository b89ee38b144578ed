"""Task tokens of ``.waitForTaskToken``: they name an activity that has not been scheduled yet, as they are among what is
handed to whoever is called."""

import base64
import binascii

import msgspec

from perdure.model.ids import RunAddress


class _Token(msgspec.Struct, frozen=True, array_like=True):
    namespace: str
    workflow_id: str
    run_id: str
    activity_id: str


def token_of(address: RunAddress, activity_id: str) -> str:
    """The token of an activity of a run."""
    token = _Token(address.namespace, address.workflow_id, address.run_id, activity_id)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode()


def read(text: str) -> tuple[RunAddress, str] | None:
    """The run and the activity that a token names; None for what is no token of this kind."""
    try:
        token = msgspec.msgpack.decode(base64.urlsafe_b64decode(text), type=_Token)
    except (binascii.Error, ValueError, TypeError):
        return None
    return RunAddress(token.namespace, token.workflow_id, token.run_id), token.activity_id
