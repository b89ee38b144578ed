"""Amazon Resource Names of Step Functions: made, and taken apart.

``arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`` names a state machine, with ``:3`` behind it a version, with ``:prod`` an
alias. Executions are ``...:execution:MACHINE:NAME``; those of EXPRESS state machines ``...:express:MACHINE:NAME:ID``.
"""

import re
from typing import NamedTuple

from perdure.protocols.stepfunctions.refusals import Refusal, invalid_arn, invalid_name

_FORBIDDEN = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\U00010000-\U0010ffff]")
"""What no name of a state machine, activity or execution has, says the API reference."""


class Arn(NamedTuple):
    """The parts of an ARN; ``rest`` are those behind the kind."""

    partition: str
    region: str
    account: str
    kind: str
    rest: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it names first: a state machine or an activity."""
        return self.rest[0]

    @property
    def qualifier(self) -> str:
        """A version's number or an alias' name behind a state machine; empty without one."""
        return self.rest[1] if len(self.rest) > 1 else ""


def parse(arn: str, *kinds: str) -> Arn:
    """Take an ARN apart that is of one of these kinds; of any without them. Raises ``Refusal``."""
    parts = arn.split(":")
    if len(parts) < 3 or parts[0] != "arn":
        raise invalid_arn(arn)
    if parts[2] != "states":
        raise Refusal("InvalidArn", f"Invalid Arn: 'Service not valid in ARN: {parts[2]}'")
    if len(parts) < 7 or not all(parts[6:]):
        raise Refusal("InvalidArn", f"Invalid Arn: 'Invalid ARN: {arn}'")
    if kinds and parts[5] not in kinds:
        raise Refusal("InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {parts[5]}'")
    return Arn(parts[1], parts[3], parts[4], parts[5], tuple(parts[6:]))


def partition_of(region: str) -> str:
    """Of which of AWS's partitions a region is."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def make(region: str, account: str, kind: str, *rest: str) -> str:
    """An ARN of Step Functions."""
    return ":".join(("arn", partition_of(region), "states", region, account, kind, *rest))


def check_name(name: str) -> None:
    """Raise ``Refusal`` for what can't be the name of a state machine, an activity or an execution."""
    if not name or len(name) > 80 or _FORBIDDEN.search(name):
        raise invalid_name(name)
