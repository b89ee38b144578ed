"""Policies: ours and Temporal's numbers for them."""

from collections.abc import Mapping
from typing import Any

from temporalio.api.enums.v1 import workflow_pb2 as enums

from perdure.model.options import IdConflict, IdReuse, ParentClose

PARENT_CLOSE: Mapping[ParentClose, Any] = {policy: int(policy) for policy in ParentClose}
REUSE: Mapping[IdReuse, Any] = {policy: int(policy) for policy in IdReuse}

_TERMINATE_IF_RUNNING = enums.WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING


def parent_close(number: int) -> ParentClose:
    """What happens to a child when its parent closes; terminated unless said otherwise."""
    try:
        return ParentClose(number or 1)
    except ValueError:
        return ParentClose.TERMINATE


def reuse(number: int) -> IdReuse:
    """What a start does where the workflow id has a closed run."""
    try:
        return IdReuse(number or 1)
    except ValueError:
        return IdReuse.ALLOW


def conflict(number: int, reuse_number: int) -> IdConflict:
    """What a start does where the workflow id has an open run; it fails unless said otherwise."""
    if reuse_number == _TERMINATE_IF_RUNNING:
        return IdConflict.TERMINATE
    try:
        return IdConflict(number or 1)
    except ValueError:
        return IdConflict.FAIL
