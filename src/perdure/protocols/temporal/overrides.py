"""Versioning overrides: which build takes a run's turns, whatever these say themselves.

Clients say it in two ways, by ``pinned`` and ``auto_upgrade`` or by the older ``behavior``; what is kept is the same, and
shown in the newer way.
"""

from temporalio.api.deployment.v1 import message_pb2 as deployment
from temporalio.api.enums.v1 import workflow_pb2 as enums
from temporalio.api.workflow.v1 import message_pb2 as workflow

from perdure.model.deployments import version_of
from perdure.model.options import Versioning
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.versions import behavior, split, text

Override = workflow.VersioningOverride
PINNED = enums.VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
AUTO_UPGRADE = enums.VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE


def check_override(override: Override) -> None:
    """Raises ``Refused`` for one that says nothing, or several things, in the words of Temporal's server."""
    if override.HasField("one_time"):
        raise Refused(Code.UNIMPLEMENTED, "The override one_time of a run is not served; pinned and auto_upgrade are.")
    if override.HasField("pinned"):
        if not override.pinned.version.build_id:
            raise Refused.invalid("must provide version if override is pinned.")
        if not override.pinned.behavior:
            raise Refused.invalid("must specify pinned override behavior if override is pinned.")
    elif not override.auto_upgrade:
        _check_old(override)


def _check_old(override: Override) -> None:
    if override.behavior == PINNED:
        if override.pinned_version:
            if "." not in override.pinned_version:
                raise Refused.invalid(
                    f'invalid version string "{override.pinned_version}", expected format is "<deployment_name>.<build_id>"'
                )
        elif not override.HasField("deployment"):
            raise Refused.invalid("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'")
    elif override.behavior == AUTO_UPGRADE:
        if override.pinned_version:
            raise Refused.invalid("only provide pinned version if behavior is 'PINNED'")
        if override.HasField("deployment"):
            raise Refused.invalid("only provide deployment if behavior is 'PINNED'")
    else:
        raise Refused.invalid("override behavior is required")


def to_override(override: Override) -> tuple[str, Versioning]:
    """The build to which it pins a run, empty if it pins to none, and whether the run goes along with its deployment."""
    if override.HasField("pinned"):
        pinned = override.pinned.version
        return version_of(pinned.deployment_name, pinned.build_id), Versioning.UNSPECIFIED
    if override.auto_upgrade or override.behavior == AUTO_UPGRADE:
        return "", Versioning.AUTO_UPGRADE
    if override.pinned_version:
        return version_of(*override.pinned_version.split(".", 1)), Versioning.UNSPECIFIED
    old = override.deployment
    return (version_of(old.series_name, old.build_id) if old.build_id else ""), Versioning.UNSPECIFIED


def shown_override(pin: str, versioning: Versioning, *, also_old: bool = False) -> Override | None:
    """As it is shown; None if there is none. ``also_old``: for older clients as well."""
    if pin:
        name, build_id = split(pin)
        shown = Override(
            pinned=Override.PinnedOverride(
                behavior=Override.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
                version=deployment.WorkerDeploymentVersion(deployment_name=name, build_id=build_id),
            )
        )
        if also_old:
            shown.pinned_version = text(name, build_id)
            shown.behavior = behavior(Versioning.PINNED)
        return shown
    if versioning is not Versioning.AUTO_UPGRADE:
        return None
    return Override(auto_upgrade=True, behavior=AUTO_UPGRADE if also_old else 0)  # type: ignore[arg-type]
