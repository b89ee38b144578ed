"""State machines with their versions, their aliases, and activities, by ARN; durable, and in memory once read."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from perdure.engine.documents import Documents, Kept
from perdure.protocols.stepfunctions.arns import Arn, make, parse
from perdure.protocols.stepfunctions.records import Activity, Alias, Machine
from perdure.protocols.stepfunctions.refusals import deleting, no_activity, no_machine

T = TypeVar("T", Machine, Alias, Activity)


class Registry:
    """Of one server and one of its namespaces.

    Whoever changes something of it holds ``lock`` from the look that decides to the end of the change.

    Args:
        documents: where it is kept.
        namespace: whose.
        is_busy: whether executions of a state machine run: one that was deleted is there so long.
    """

    def __init__(
        self, documents: Documents, namespace: str, is_busy: Callable[[Machine], Awaitable[bool]] | None = None
    ) -> None:
        self._is_busy = is_busy
        self._namespace = namespace
        self._machines = Kept(documents, "stepfunctions-machine", Machine)
        self._aliases = Kept(documents, "stepfunctions-alias", Alias)
        self._activities = Kept(documents, "stepfunctions-activity", Activity)
        self.lock = asyncio.Lock()

    # --- state machines

    async def find_machine(self, arn: str) -> Machine | None:
        """The state machine of an unqualified ARN."""
        found = await self._machines.get(self._namespace, arn)
        if found is None or not found.is_deleting or await self.is_busy(found):
            return found
        if not self.lock.locked():
            async with self.lock:
                if (still := await self._machines.get(self._namespace, arn)) is not None and still.is_deleting:
                    await self.remove_machine(still)
        return None

    async def is_busy(self, machine: Machine) -> bool:
        """Whether executions of it run."""
        return self._is_busy is not None and await self._is_busy(machine)

    async def being_deleted(self) -> list[Machine]:
        """Those that are there only until their executions have ended."""
        return [machine for machine in (await self._machines.all(self._namespace)).values() if machine.is_deleting]

    async def machine(self, arn: str) -> Machine:
        """The same. Raises ``Refusal`` if there is none."""
        parse(arn, "stateMachine")
        found = await self.find_machine(arn)
        if found is None:
            raise no_machine(arn)
        return found

    async def machine_to_change(self, arn: str) -> Machine:
        """The same. Raises ``Refusal`` if it is being deleted, too."""
        found = await self.machine(arn)
        if found.is_deleting:
            raise deleting(arn)
        return found

    async def machine_of(self, arn: Arn, said: str) -> Machine:
        """The state machine that an ARN names, or of which it names a version or an alias. Raises ``Refusal``, which names
        what was said."""
        found = await self.find_machine(make(arn.region, arn.account, "stateMachine", arn.name))
        if found is None:
            raise no_machine(said)
        return found

    async def machines(self, region: str, account: str) -> Mapping[str, Machine]:
        """All of an account in a region."""
        known = _within(await self._machines.all(self._namespace), make(region, account, "stateMachine"))
        gone = [arn for arn, machine in known.items() if machine.is_deleting and await self.find_machine(arn) is None]
        return {arn: machine for arn, machine in known.items() if arn not in gone} if gone else known

    async def put_new_machine(self, machine: Machine) -> None:
        """Create one. Nothing is left of one that had its name before."""
        for alias in await self.aliases(machine.arn):
            await self.remove_alias(alias)
        await self.put_machine(machine)

    async def put_machine(self, machine: Machine) -> None:
        """Create or change one."""
        await self._machines.put(self._namespace, machine.arn, machine)

    async def remove_machine(self, machine: Machine) -> None:
        """Remove one, and its aliases."""
        for alias in await self.aliases(machine.arn):
            await self.remove_alias(alias)
        await self._machines.put(self._namespace, machine.arn, None)

    # --- aliases

    async def alias(self, arn: str) -> Alias | None:
        """One by its ARN."""
        return await self._aliases.get(self._namespace, arn)

    async def aliases(self, machine_arn: str) -> list[Alias]:
        """Those of a state machine, by name."""
        known = await self._aliases.all(self._namespace)
        return [alias for alias in known.values() if alias.machine_arn == machine_arn]

    async def put_alias(self, alias: Alias) -> None:
        """Create or change one."""
        await self._aliases.put(self._namespace, alias.arn, alias)

    async def remove_alias(self, alias: Alias) -> None:
        """Remove one."""
        await self._aliases.put(self._namespace, alias.arn, None)

    # --- activities

    async def find_activity(self, arn: str) -> Activity | None:
        """One by its ARN."""
        return await self._activities.get(self._namespace, arn)

    async def activity(self, arn: str) -> Activity:
        """The same. Raises ``Refusal`` if there is none."""
        parse(arn, "activity")
        found = await self.find_activity(arn)
        if found is None:
            raise no_activity(arn)
        return found

    async def activities(self, region: str, account: str) -> Mapping[str, Activity]:
        """All of an account in a region."""
        return _within(await self._activities.all(self._namespace), make(region, account, "activity"))

    async def put_activity(self, activity: Activity) -> None:
        """Create or change one."""
        await self._activities.put(self._namespace, activity.arn, activity)

    async def remove_activity(self, arn: str) -> None:
        """Remove one."""
        await self._activities.put(self._namespace, arn, None)


def _within(known: Mapping[str, T], prefix: str) -> Mapping[str, T]:
    return {arn: value for arn, value in known.items() if arn.startswith(prefix + ":")}
