"""From a task to whoever does it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from perdure.protocols.stepfunctions.calling import events, jobs, own, parquet, readers, resources
from perdure.protocols.stepfunctions.calling.failures import TaskFailed
from perdure.protocols.stepfunctions.calling.lambdas import Lambdas
from perdure.protocols.stepfunctions.calling.services import Services
from perdure.protocols.stepfunctions.calling.web import Exchange, Web
from perdure.protocols.stepfunctions.mocks import Mocks
from perdure.protocols.stepfunctions.refusals import Refusal

WAITS = "waitForTaskToken"


class TaskCall(msgspec.Struct, frozen=True):
    """What a task asks for, beside its parameters.

    Args:
        resource: as the definition has it.
        execution: the execution's ARN.
        machine: the state machine's name.
        state: the state's name.
        attempt: how often it was tried before.
        region, account: the execution's.
        test_case: of the mock file; empty for none.
    """

    resource: str
    execution: str = ""
    machine: str = ""
    state: str = ""
    attempt: int = 0
    region: str = ""
    account: str = ""
    test_case: str = ""
    reader_config: dict[str, Any] | None = None
    """Of an ItemReader, whose call this is."""
    poll: dict[str, Any] | None = None
    """Of a job that was begun and is waited for: the request that looks at it."""
    stop: list[dict[str, Any]] | None = None
    """Of a job that nobody waits for any more: the requests that stop it."""

    @property
    def machine_arn(self) -> str:
        """The state machine's ARN; empty where nobody knows the execution's."""
        arn, _, _ = self.execution.replace(":execution:", ":stateMachine:", 1).rpartition(":")
        return arn


StartNested = Callable[[Mapping[str, Any], str, str], Awaitable[tuple[str, str, float]]]
"""Makes the request of a nested execution, of a body, an account and a region: the request, as the language has it, the
execution's ARN and when it starts. Raises ``Refusal``."""


class Tasks:
    """Does what the tasks of state machines ask for.

    Args:
        mocks: the mock file.
        lambdas, services, web: whom else they may ask.
        ask: this server.
        start_nested: for executions that a task waits for.
        is_own: whether Step Functions itself is this server, rather than an endpoint of ``services``.
    """

    def __init__(
        self,
        mocks: Mocks,
        lambdas: Lambdas,
        services: Services,
        web: Web,
        ask: own.Ask,
        start_nested: StartNested,
        *,
        is_own: bool = True,
    ) -> None:
        self._mocks = mocks
        self._lambdas = lambdas
        self._services = services
        self._web = web
        self._ask = ask
        self._start_nested = start_nested
        self._is_own = is_own

    async def call(self, task: TaskCall, parameters: Any, exchange: Exchange | None = None) -> Any:
        """Do a task. Its result as AWS shows it; of a task that goes on after the call an object with ``submitted`` (what
        AWS shows of the call), ``output`` (it is over), ``start`` (a nested execution), or ``poll`` (a job: it is to be asked
        for so again) with ``stop`` (it is stopped so). ``exchange`` is told what a call of an HTTP API says and hears. Raises
        ``TaskFailed``."""
        try:
            resource = resources.read(task.resource)
        except ValueError as error:
            if not task.test_case:
                raise TaskFailed("States.Runtime", str(error)) from None
            resource = resources.Resource("", "")
        if task.test_case:
            mocked = self._mocks.answer(task.machine, task.test_case, task.state, task.attempt)
            if mocked is not None:
                if mocked.throw is not None:
                    raise TaskFailed(mocked.throw.error, mocked.throw.cause)
                return {"output": mocked.return_} if resource.pattern else mocked.return_
        if task.reader_config is not None:
            return await self._read(resource, task, parameters)
        match resource.pattern:
            case "":
                return await self._once(resource, task, parameters, exchange)
            case "waitForTaskToken":
                return {"submitted": await self._once(resource, task, parameters)}
            case _:
                return await self._and_wait(resource, task, parameters)

    async def _read(self, resource: resources.Resource, task: TaskCall, parameters: Any) -> Any:
        """What an ItemReader reads."""
        config = task.reader_config or {}
        kind, manifest, most = config.get("InputType", ""), readers.manifest_type(config), config.get("MaxItems") or 0
        place = parameters if isinstance(parameters, dict) else {}

        async def get(bucket: str, key: str, version: str = "") -> bytes:
            return await self._services.object(bucket, key, task.region, task.account, version)

        if resource.action == "getObject" and kind == readers.PARQUET and not manifest:
            bucket, key = str(place.get("Bucket", "")), str(place.get("Key", ""))
            data = await get(bucket, key, str(place.get("VersionId") or ""))
            return await asyncio.to_thread(parquet.rows, data, key, most)
        answer = readers.text_of(await self._once(resource, task, parameters))
        if resource.action == "listObjectsV2":
            is_loaded = config.get("Transformation") == readers.FLATTEN

            async def next_page(token: str) -> Any:
                return await self._once(resource, task, {**place, "ContinuationToken": token})

            found = await readers.listed(answer, next_page, 0 if is_loaded else most)
            if not is_loaded:
                return found
            keys = [str(one["Key"]) for one in found.get("Contents", ()) if not str(one["Key"]).endswith("/")]
            return await readers.loaded([(str(place.get("Bucket", "")), key) for key in keys], kind, get, most)
        if manifest == readers.INVENTORY:
            return await readers.inventory(answer, get, most)
        if manifest == readers.ATHENA:
            return await readers.loaded(readers.athena_files(answer), kind, get, most)
        return answer

    async def _once(
        self, resource: resources.Resource, task: TaskCall, parameters: Any, exchange: Exchange | None = None
    ) -> Any:
        account, region = task.account, task.region
        match (resource.service, resource.action, resource.is_sdk):
            case (resources.FUNCTION, arn, _):
                return await self._lambdas.function(arn, parameters, account, region)
            case ("lambda", "invoke", False):
                return await self._lambdas.invoke(parameters, account, region)
            case ("http", "invoke", False):
                return await self._web.invoke(parameters, exchange)
            case ("states", "startExecution", False) if self._is_own:
                body = own.start_request(parameters)
                return await own.asked(self._ask, "StepFunctions", "startExecution", body, account, region)
            case ("sfn", action, True) if self._is_own:
                return own.bare(await own.asked(self._ask, "Sfn", action, parameters, account, region))
            case ("states", action, False):
                return await self._services.call("sfn", action, parameters, region, account, "StepFunctions")
            case ("events", "putEvents", False):
                answer = await self._services.call(
                    "events", "putEvents", events.told(parameters, task.execution, task.machine_arn), region, account
                )
                return events.checked(answer)
            case (service, action, False) if (renamed := jobs.RENAMED.get((service, action))) is not None:
                given = renamed.request(parameters or {})
                return renamed.answer(await self._services.call(service, renamed.action, given, region, account))
            case (service, action, is_sdk):
                return await self._services.call(service, action, parameters, region, account, is_sdk=is_sdk)

    async def _and_wait(self, resource: resources.Resource, task: TaskCall, parameters: Any) -> Any:
        if (resource.service, resource.action) == ("states", "startExecution") and self._is_own:
            try:
                request, arn, started = await self._start_nested(
                    own.start_request(parameters), task.account, task.region
                )
            except Refusal as refusal:
                raise own.refused("StepFunctions", refusal) from None
            return {"submitted": own.shown_start(arn, started), "start": request}
        job = None if resource.is_sdk else jobs.JOBS.get((resource.service, resource.action))
        if job is None:
            raise TaskFailed("States.Runtime", f"{task.resource}: this server does not wait for such a task to end.")
        if task.stop is not None:
            return await self._stop(resource.service, job, task)
        if task.poll is None:
            answer = await self._once(resource, task, parameters)
            poll = jobs.poll_request(job, parameters, answer)
            return {"submitted": answer, "poll": poll, **({"stop": job.stops(poll)} if job.stop else {})}
        try:
            found = await self._services.call(resource.service, job.look, task.poll, task.region, task.account)
        except TaskFailed as failed:
            if failed.may_pass:
                return {"poll": task.poll}
            raise
        result = job.result(found)
        return {"poll": task.poll} if result is None else {"output": result}

    async def _stop(self, service: str, job: jobs.Job, task: TaskCall) -> None:
        """Stop a job that nobody waits for any more, unless it is over."""
        try:
            found = await self._services.call(service, job.look, task.poll, task.region, task.account)
            is_over = job.result(found) is not None
        except TaskFailed as failed:
            is_over = failed.error == jobs.FAILED
        for request in () if is_over else task.stop or ():
            await self._services.call(service, job.stop, request, task.region, task.account)

    async def close(self) -> None:
        """Close what connections there are."""
        await self._lambdas.close()
        self._services.close()
