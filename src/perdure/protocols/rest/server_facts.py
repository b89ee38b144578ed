"""Facts about the server, and about its errors."""

from typing import Any

import msgspec

from perdure.model.errors import NotFoundError
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.problems import Kind, kinds

operations = Operations("server")


class ProblemsView(msgspec.Struct, frozen=True):
    """All codes that a problem document can have."""

    problems: list[Kind]


@operations.add("GET", "/server", answer=dict[str, Any])
async def get_server(call: Call[None, Nothing]) -> dict[str, Any]:
    """What a client needs to know of the server: its version, and where else it listens."""
    return dict(call.parts.about)


@operations.add("GET", "/problems", answer=ProblemsView)
async def list_problems(call: Call[None, Nothing]) -> ProblemsView:
    """All codes of errors, with what they mean and what to do."""
    return ProblemsView(sorted(kinds().values(), key=lambda kind: kind.code))


@operations.add("GET", "/problems/{code}", answer=Kind)
async def get_problem(call: Call[None, Nothing]) -> Kind:
    """What a code means, and what to do about it."""
    found = kinds().get(call.path["code"])
    if found is None:
        raise NotFoundError(f"There is no code {call.path['code']!r:.100}. See /api/v1/problems.")
    return found
