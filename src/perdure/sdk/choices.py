"""The words by which callers choose a policy, and what the model calls them."""

from collections.abc import Mapping
from typing import Literal, TypeVar

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import CancellationType, IdConflict, IdReuse, ParentClose, RunStatus

E = TypeVar("E")

IdReuseWord = Literal["allow", "allow_if_failed", "reject"]
IdConflictWord = Literal["use", "fail", "terminate"]
ParentCloseWord = Literal["terminate", "abandon", "cancel"]
AttributeWord = Literal["keyword", "text", "int", "float", "bool", "datetime", "keyword_list"]
CancellationWord = Literal["try", "wait", "abandon"]

ID_REUSE: Mapping[str, IdReuse] = {
    "allow": IdReuse.ALLOW,
    "allow_if_failed": IdReuse.ALLOW_IF_FAILED,
    "reject": IdReuse.REJECT,
}
ID_CONFLICT: Mapping[str, IdConflict] = {
    "use": IdConflict.USE,
    "fail": IdConflict.FAIL,
    "terminate": IdConflict.TERMINATE,
}
PARENT_CLOSE: Mapping[str, ParentClose] = {
    "terminate": ParentClose.TERMINATE,
    "abandon": ParentClose.ABANDON,
    "cancel": ParentClose.CANCEL,
}
CANCELLATION: Mapping[str, CancellationType] = {
    "try": CancellationType.TRY_CANCEL,
    "wait": CancellationType.WAIT_CANCELLATION_COMPLETED,
    "abandon": CancellationType.ABANDON,
}
STATUS: Mapping[str, RunStatus] = {status.name.lower(): status for status in RunStatus}


def choose(option: str, table: Mapping[str, E], word: str | E) -> E:
    """What a word stands for; the model's own value may be given instead.

    Raises:
        InvalidArgumentError: there is no such word; the message lists those there are.
    """
    if not isinstance(word, str):
        if word in table.values():
            return word
    elif word in table:
        return table[word]
    raise InvalidArgumentError(f"{option}={word!r} is not known; choose one of {', '.join(map(repr, table))}")
