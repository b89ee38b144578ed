"""Roles in namespaces as people write them: ``admin``, ``operator:billing``, ``reader``."""

from collections.abc import Iterable, Mapping

from perdure.model.access import ALL_NAMESPACES, Role
from perdure.model.errors import InvalidArgumentError

Roles = dict[str, tuple[Role, ...]]

_ROLES = {str(role): role for role in Role}


def parse_grants(grants: Iterable[str]) -> Roles:
    """Roles by namespace.

    Args:
        grants: each a role, which then holds in all namespaces, or ``role:namespace``.

    Raises:
        InvalidArgumentError: there is no such role, or nothing is granted.
    """
    found: dict[str, list[Role]] = {}
    for grant in grants:
        word, colon, namespace = grant.strip().partition(":")
        role = _ROLES.get(word)
        if role is None or (colon and not namespace) or ":" in namespace:
            raise InvalidArgumentError(
                f"{grant!r} grants nothing: write a role ({', '.join(_ROLES)}), or a role and a namespace, such as "
                "'operator:billing'."
            )
        roles = found.setdefault(namespace or ALL_NAMESPACES, [])
        if role not in roles:
            roles.append(role)
    if not found:
        raise InvalidArgumentError("No role is granted: name one, such as 'reader' or 'operator:billing'.")
    return {namespace: tuple(roles) for namespace, roles in found.items()}


def grants_text(roles: Mapping[str, Iterable[Role]]) -> list[str]:
    """What ``parse_grants`` reads as the same."""
    return [
        str(role) if namespace == ALL_NAMESPACES else f"{role}:{namespace}"
        for namespace, held in roles.items()
        for role in held
    ]


def parse_mapping(text: str, about: str) -> dict[str, Roles]:
    """Grants by a name: ``ops=admin, billing-team=operator:billing+worker:billing``.

    Raises:
        InvalidArgumentError: it is not in this form; ``about`` names the setting.
    """
    found: dict[str, Roles] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, equals, grants = entry.rpartition("=")
        if not equals or not name.strip():
            raise InvalidArgumentError(
                f"{about}: {entry!r} is not NAME=ROLE, such as 'ops=admin' or 'billing-team=operator:billing+worker:billing'."
            )
        try:
            found[name.strip()] = parse_grants(grants.split("+"))
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{about}: {error}") from None
    return found
