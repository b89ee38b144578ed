"""Creating a namespace, and changing one, as the command line says it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from perdure.cli.inputs import nanoseconds
from perdure.cli.output import note
from perdure.cli.sources import ask
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from perdure.model.namespaces import Namespace
from perdure.model.service import Service
from perdure.sdk.client import Client

TYPES = ("keyword", "text", "int", "float", "bool", "datetime", "keyword_list")


class Changes(msgspec.Struct, frozen=True):
    """What was said: fields of a namespace, of its quota, and types of search attributes, by name."""

    fields: Mapping[str, Any]
    limits: Mapping[str, Any]
    attributes: Mapping[str, str]

    @classmethod
    def read(
        cls,
        retention: str | None,
        description: str | None,
        attributes: Sequence[str] | None,
        open_runs: int | None,
        starts_per_second: float | None,
        requests_per_second: float | None,
        payload_bytes: int | None,
        share: float | None,
    ) -> Self:
        """From the options. Raises ``InvalidArgumentError``, naming the option."""
        fields: dict[str, Any] = {}
        if retention is not None:
            fields["retention_ns"] = nanoseconds(retention, "--retention")
        if description is not None:
            fields["description"] = description
        quota = {
            "open_runs": open_runs,
            "starts_per_second": starts_per_second,
            "requests_per_second": requests_per_second,
            "payload_bytes": payload_bytes,
            "share": share,
        }
        limits = {name: value for name, value in quota.items() if value is not None}
        return cls(fields, limits, attribute_types(attributes))


def attribute_types(given: Sequence[str] | None) -> dict[str, str]:
    """``NAME=TYPE``, several times. Raises ``InvalidArgumentError``."""
    types = {}
    for each in given or ():
        name, is_there, kind = each.partition("=")
        if not is_there or not name or kind not in TYPES:
            raise InvalidArgumentError(
                f"{each!r} must be NAME=TYPE, such as Amount=float; types are {', '.join(TYPES)}."
            )
        types[name] = kind
    return types


def change(place: str | None, server: str, token: str, name: str, changes: Changes, *, must_exist: bool | None) -> None:
    """Make the changes. ``must_exist``: whether it has to be there before, None if it may.

    Raises ``AlreadyExistsError``, ``NotFoundError``, and what the server says.
    """

    async def make(service: Service) -> bool:
        known = {each.name: each for each in await service.namespaces()}
        is_there = name in known
        if must_exist is False and is_there:
            raise AlreadyExistsError(
                f"There is a namespace {name!r} already. Change it with perdure namespace update, or choose another name."
            )
        if must_exist and not is_there:
            raise NotFoundError(
                f"There is no namespace {name!r}. Create it with perdure namespace create. "
                f"There are: {', '.join(sorted(known))}."
            )
        present = known.get(name) or Namespace(name)
        quota = msgspec.structs.replace(present.quota, **changes.limits)
        await service.set_namespace(msgspec.structs.replace(present, quota=quota, **changes.fields))
        if changes.attributes:
            types: Any = changes.attributes
            await Client(service, name).add_search_attributes(types)
        return is_there

    was_there = ask(place, server, token, make)
    note(f"{'Changed' if was_there else 'Created'} namespace {name!r}.")
