"""The Step Functions API in front of an engine; boto3 is loaded here, for those who ask for it."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from perdure.app.config import Config
from perdure.app.setting_kinds import Address
from perdure.engine.documents import Documents
from perdure.engine.polls import Polls
from perdure.model.access import Gate
from perdure.model.errors import AlreadyExistsError, ApplicationError, InvalidArgumentError
from perdure.model.service import Service
from perdure.observability.http import ObservedApplication
from perdure.observability.watched import Watched
from perdure.protocols.rest import Bounds as ListeningBounds
from perdure.protocols.rest import RestServer
from perdure.protocols.rest.waiting import Closing
from perdure.sdk.batches.translated import TranslatedBatches

DEFAULT_PORT = 8083
MOCK_VARIABLE = "SFN_MOCK_CONFIG"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "host.docker.internal"})

_ENDPOINTS = {
    "lambda": "lambda_endpoint",
    "sqs": "sqs_endpoint",
    "sns": "sns_endpoint",
    "dynamodb": "dynamodb_endpoint",
    "events": "events_endpoint",
    "s3": "s3_endpoint",
    "batch": "batch_endpoint",
    "ecs": "ecs_endpoint",
    "glue": "glue_endpoint",
    "sagemaker": "sage_maker_endpoint",
    "stepfunctions": "step_functions_endpoint",
    "*": "aws_endpoint",
}


def with_stepfunctions(config: Config) -> Config:
    """The settings with the Step Functions API where Step Functions Local would be, unless they say where."""
    if config["stepfunctions_address"] is not None:
        return config
    values = {**config.values, "stepfunctions_address": Address("127.0.0.1", DEFAULT_PORT)}
    return msgspec.structs.replace(config, values=values)


class StepFunctions(msgspec.Struct, frozen=True):
    """What can be set about the Step Functions API; the fields are settings of a server and are described there.

    ``endpoints`` are those of AWS's services, by boto3's names; ``*`` is that of all others.
    """

    address: str
    namespace: str = "default"
    account: str = "123456789012"
    region: str = "us-east-1"
    endpoints: dict[str, str] = {}
    wait_time_scale: float = 1.0
    mock_config: str = ""
    http_connections: str = ""
    has_limits: bool = True
    event_limit: int = 0
    targets: dict[str, tuple[str, str]] = {}
    """By resource: the activity type, and the task queue, of workers that serve it."""
    bounds: Any = None
    """``protocols.stepfunctions.parts.Bounds``; the usual ones without it."""

    @classmethod
    def of(cls, config: Any) -> "StepFunctions | None":
        """Those of a server's ``Config``; None if nobody asks for the API. Raises ``InvalidArgumentError``."""
        if config["stepfunctions_address"] is None:
            return None
        account = config["aws_account"]
        if not (account.isascii() and account.isdecimal() and len(account) == 12):
            raise InvalidArgumentError(f"aws_account is {account!r}, but must be twelve digits.")
        return cls(
            str(config["stepfunctions_address"]),
            config["stepfunctions_namespace"],
            account,
            config["aws_region"],
            {service: config[setting] for service, setting in _ENDPOINTS.items() if config[setting]},
            config["wait_time_scale"],
            config["mock_config"] or os.environ.get(MOCK_VARIABLE, ""),
            config["http_connections"],
            config["aws_limits"],
            config["aws_history_limit"],
            _targets(config["task_targets"]),
        )


def _targets(lines: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The setting as it is kept. Raises ``InvalidArgumentError``."""
    found: dict[str, tuple[str, str]] = {}
    for line in lines:
        arn, _, target = (part.strip() for part in line.partition("="))
        activity, _, queue = target.partition("@")
        if not arn.startswith("arn:") or not activity or not queue:
            raise InvalidArgumentError(
                f"task_targets has {line!r}, but an item must be ARN=ACTIVITY@TASK-QUEUE, such as "
                "arn:aws:states:::sqs:sendMessage=send@orders."
            )
        found[arn] = (activity, queue)
        if ":function:" in arn:
            found[arn.rpartition(":function:")[2]] = (activity, queue)  # as lambda:invoke may name it
    return found


class StepFunctionsServer:
    """The listener: ``RestServer``'s socket with another ``application`` behind it, and what the tasks of executions call.

    Args:
        settings: of it.
        service: the engine, for what tasks ask of this server itself.
        gate: who knows the callers.
        documents: where state machines are kept: the store.
        polls: where activities' tasks come from.
        ask: makes requests to others; as ``protocols.rest.outbound.Outbound.ask``.
        has_authentication: whether callers must sign.
        watched: where requests are counted.
        uvicorn_options: of ``uvicorn.Config``, for TLS and proxies.
    """

    def __init__(
        self,
        settings: StepFunctions,
        service: Service,
        gate: Gate,
        documents: Documents,
        polls: Polls,
        ask: Callable[..., Awaitable[tuple[int, str, list[tuple[str, str]], bytes]]],
        *,
        has_authentication: bool,
        watched: Watched | None = None,
        **uvicorn_options: Any,
    ) -> None:
        try:
            import botocore  # noqa: F401
        except ImportError as error:
            raise InvalidArgumentError(
                f"What AWS says of its API is not installed ({error}). Install it with: pip install 'perdure[stepfunctions]'"
            ) from None
        from perdure.app.asl_language import AslLanguage
        from perdure.protocols.stepfunctions import create_app
        from perdure.protocols.stepfunctions.calling.connections import Connections
        from perdure.protocols.stepfunctions.calling.dispatch import Tasks
        from perdure.protocols.stepfunctions.calling.lambdas import Lambdas
        from perdure.protocols.stepfunctions.calling.services import Services
        from perdure.protocols.stepfunctions.calling.web import Answer, Web
        from perdure.protocols.stepfunctions.inside import Inside
        from perdure.protocols.stepfunctions.mocks import Mocks
        from perdure.protocols.stepfunctions.parts import Bounds, Parts
        from perdure.protocols.stepfunctions.registry import Registry
        from perdure.protocols.stepfunctions.shapes import ServiceModel
        from perdure.protocols.stepfunctions.standing import is_busy

        self.parts = Parts(
            gate,
            ServiceModel(),
            Registry(documents, settings.namespace, partial(is_busy, service, settings.namespace)),
            AslLanguage(
                settings.wait_time_scale,
                is_strict=settings.has_limits,
                event_limit=settings.event_limit,
                targets=settings.targets,
            ),
            polls.poll,
            settings.namespace,
            settings.account,
            settings.region,
            Mocks.read(settings.mock_config),
            time.time,
            bounds=settings.bounds or Bounds(),
            has_authentication=has_authentication,
            allowed_hosts=None if has_authentication else LOOPBACK_NAMES,
        )

        async def asked(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
            return Answer(*await ask(method, url, headers, body))

        inside = Inside(self.parts, service)
        services = Services(settings.endpoints)
        self._tasks = Tasks(
            self.parts.mocks,
            Lambdas(settings.endpoints.get("lambda", ""), services),
            services,
            Web(asked, Connections.read(settings.http_connections)),
            inside.ask,
            inside.start_nested,
            is_own="stepfunctions" not in settings.endpoints,
        )
        self.parts.call_task = self._call_tried
        self.parts.signal_all = self._signal_all
        self._batches = TranslatedBatches(service, settings.namespace, "stepfunctions")
        host, _, port = settings.address.rpartition(":")
        self.application = create_app(self.parts)
        self._server = RestServer(
            self.application if watched is None else ObservedApplication(self.application, watched),
            host.strip("[]"),
            int(port),
            bounds=ListeningBounds(),
            closing=Closing(),
            **uvicorn_options,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    async def call(self, resource: str, parameters: Any, about: dict[str, Any]) -> Any:
        """Make a task's call; as ``app.asl.Call``."""
        from perdure.protocols.stepfunctions.calling.dispatch import TaskCall
        from perdure.protocols.stepfunctions.calling.failures import TaskFailed

        try:
            return await self._tasks.call(msgspec.convert({**about, "resource": resource}, TaskCall), parameters)
        except TaskFailed as failed:
            raise ApplicationError(failed.cause, type=failed.error, non_retryable=True) from None

    async def _call_tried(self, resource: str, parameters: Any, account: str, region: str, exchange: Any) -> Any:
        from perdure.protocols.stepfunctions.calling.dispatch import TaskCall

        return await self._tasks.call(TaskCall(resource, account=account, region=region), parameters, exchange)

    async def _signal_all(self, filter: str, signal: str, id: str) -> None:
        try:
            await self._batches.signal(signal, (), filter=filter, id=id)
        except AlreadyExistsError:
            pass  # it is done

    async def open(self) -> None:
        """Go on with what the last server had begun, and begin to listen. Raises ``OSError``."""
        from perdure.protocols.stepfunctions import deletions

        await deletions.resume(self.parts)
        await self._server.start()

    async def close(self) -> None:
        """Let go of everybody."""
        self.parts.closing.set()
        await self._server.stop()
        await self._tasks.close()
