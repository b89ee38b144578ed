"""Namespaces: spaces of workflow ids with rules of their own."""

import msgspec

from perdure.model.search import AttributeTypes


class Quota(msgspec.Struct, frozen=True, gc=False):
    """How much a namespace may have of an engine that it shares with others; 0 means no limit.

    Checked where requests enter. A child workflow is started all the same, since its parent's turn is decided, but it
    counts. What a schedule starts waits until there is room.
    """

    open_runs: int = 0
    """At once. Further starts are refused until one closes."""
    starts_per_second: float = 0.0
    """In the long run; so many, or one, may also come at once."""
    requests_per_second: float = 0.0
    """Starts, signals, updates, queries and other things asked of runs together, likewise."""
    payload_bytes: int = 0
    """One value; the engine's own limit holds as well."""
    share: float = 1.0
    """Of the workers' slots, where several namespaces wait for them: one with 2 gets twice as many as one with 1."""


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """A space of workflow ids. Closed runs are deleted ``retention_ns`` after they closed; 0 keeps them for ever.

    ``is_deleted``: it takes nothing new, its runs are being removed, and it goes when they are gone.
    """

    name: str
    retention_ns: int = 0
    description: str = ""
    quota: Quota = Quota()
    is_deleted: bool = False


class NamespaceDescription(msgspec.Struct, frozen=True, gc=False):
    """A namespace, how many runs it has, and the types of its custom search attributes."""

    namespace: Namespace
    open_runs: int
    closed_runs: int
    search_attributes: AttributeTypes
