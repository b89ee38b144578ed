"""What an expression of a state may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from perdure.languages.asl.chance import Chance

Json = Any


class Absent:
    """The one value that stands for no value at all."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(slots=True)
class Scope:
    """What an expression may see. Nothing in it is changed by an evaluation.

    Args:
        input: `$` of JSONPath, `$states.input` of JSONata.
        context: the context object: `$$`, `$states.context`.
        variables: what was assigned, by name.
        chance: for States.UUID, States.MathRandom, $random and $uuid.
        now_ms: milliseconds since 1970, for $now and $millis.
        result: `$states.result`, where there is one.
        error_output: `$states.errorOutput`, in a Catch.
    """

    input: Json
    context: Json = field(default_factory=dict)
    variables: Mapping[str, Json] = field(default_factory=dict)
    chance: Chance = field(default_factory=lambda: Chance("none"))
    now_ms: int = 0
    result: Json = ABSENT
    error_output: Json = ABSENT
