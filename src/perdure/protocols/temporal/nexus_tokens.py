"""Words that Temporal's clients know around the tokens of operations."""

TOKEN_HEADER = "temporal-callback-token"
"""Where a callback's token goes, by Temporal's convention."""

INTERNAL_URL = "temporal://system"
"""Where callbacks go that this server delivers to itself; the name is Temporal's."""

TASK_GONE = "Nexus task not found or already expired"
