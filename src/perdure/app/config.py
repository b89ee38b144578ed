"""The settings of a server: one table, and the four places a value may come from.

A flag goes before an environment variable, that before the TOML file, that before the default. The name in the table
gives all the others: ``rest_address`` is ``--rest-address``, ``PERDURE_REST_ADDRESS`` and ``rest_address = "..."``; a
name with a dot stands in a table of the file: ``limits.page_size`` is ``--limits-page-size``,
``PERDURE_LIMITS_PAGE_SIZE`` and ``page_size = 500`` below ``[limits]``.

To add a setting, add a line to ``SETTINGS``: ``perdure server --help``, ``perdure config`` and docs/settings.md follow.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from perdure.app.setting_kinds import (
    ADDRESS,
    BYTES,
    COUNT,
    DURATION,
    FILE,
    FLAG,
    LIST,
    NUMBER,
    OPTIONAL_ADDRESS,
    TEXT,
    URL,
    Address,
    Kind,
    alternatives,
    choice,
    read,
)
from perdure.engine.settings import Settings
from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.model.limits import Limits

DEFAULT_FILE = "perdure.toml"
FILE_VARIABLE = "PERDURE_CONFIG"
PREFIX = "PERDURE_"
CLIENT_VARIABLES = (
    "PERDURE_SERVER",
    "PERDURE_TOKEN",
    "PERDURE_NAMESPACE",
    "PERDURE_CA",
    "PERDURE_CLIENT_CERT",
    "PERDURE_CLIENT_KEY",
    FILE_VARIABLE,
)
"""What the commands that ask a server read; they are no settings of the server itself (see ``client_config``)."""

WORKER_VARIABLES = (
    "PERDURE_WORKER_QUEUES",
    "PERDURE_WORKER_IDENTITY",
    "PERDURE_WORKER_LABELS",
    "PERDURE_WORKER_MAX_ASYNC",
    "PERDURE_WORKER_MAX_THREADS",
    "PERDURE_WORKER_MAX_PROCESSES",
    "PERDURE_WORKER_MAX_TURNS",
    "PERDURE_WORKER_MAX_CPU",
    "PERDURE_WORKER_MAX_MEMORY",
    "PERDURE_WORKER_GRACE",
    "PERDURE_WORKER_WAIT",
)
"""What ``perdure worker`` reads (see ``worker_config``)."""

TABLES = ("client.", "worker.")
"""Theirs in the TOML file."""


class Setting(msgspec.Struct, frozen=True):
    """One thing that can be set. A ``secret`` is never shown."""

    name: str
    kind: Kind
    default: Any
    help: str
    secret: bool = False

    @property
    def flag(self) -> str:
        """``--rest-address``."""
        return "--" + self.name.replace("_", "-").replace(".", "-")

    @property
    def variable(self) -> str:
        """``PERDURE_REST_ADDRESS``."""
        return PREFIX + self.name.replace(".", "_").upper()

    def shown(self, value: Any) -> str:
        """A value as it would be written; not that of a secret."""
        if value is None:
            return ""
        return "(secret)" if self.secret else self.kind.show(value)


def _numbers(prefix: str, struct: type[msgspec.Struct], about: str) -> Iterator[Setting]:
    """Settings for the fields of one of the engine's own structs. What they mean is written there."""
    for field in msgspec.structs.fields(struct):
        if field.type is int:
            name, kind = field.name, COUNT
            if name.endswith("_ns"):
                name, kind = name.removesuffix("_ns"), DURATION
            elif name.endswith("_bytes"):
                kind = BYTES
            yield Setting(f"{prefix}{name}", kind, field.default, f"See `{about}.{field.name}`.")


LOG_LEVEL = choice("debug", "info", "warning", "error", also={"warn": "warning", "never": "error"})
LOG_FORMAT = choice("text", "json", also={"pretty": "text"})

SETTINGS: tuple[Setting, ...] = (
    Setting("store", URL, "sqlite:///perdure.db", "Where all runs are kept: sqlite:///relative.db, sqlite:////absolute.db or memory://."),
    Setting("rest_address", ADDRESS, Address("127.0.0.1", 7420), "Where the server listens for REST; port 0 takes any free one."),
    Setting("grpc_address", ADDRESS, Address("127.0.0.1", 7421), "Where it listens for workers and clients over gRPC."),
    Setting("temporal_address", OPTIONAL_ADDRESS, None, "Where Temporal's SDKs connect, such as 127.0.0.1:7233; nowhere by default."),
    Setting("stepfunctions_address", OPTIONAL_ADDRESS, None, "Where AWS's clients of Step Functions connect; else nowhere."),
    Setting("stepfunctions_namespace", TEXT, "default", "The namespace in which executions run, and whose roles decide."),
    Setting("aws_account", TEXT, "123456789012", "The account of callers whose access key is no account: twelve digits."),
    Setting("aws_region", TEXT, "us-east-1", "The region of callers who sign for none, and of services that are called."),
    Setting("lambda_endpoint", URL, "", "Where Lambda's Invoke call is answered; without it, by AWS."),
    Setting("sqs_endpoint", URL, "", "Where SQS is, for tasks; without it, AWS's."),
    Setting("sns_endpoint", URL, "", "Where SNS is, for tasks; without it, AWS's."),
    Setting("dynamodb_endpoint", URL, "", "Where DynamoDB is, for tasks; without it, AWS's."),
    Setting("events_endpoint", URL, "", "Where EventBridge is, for tasks; without it, AWS's."),
    Setting("s3_endpoint", URL, "", "Where S3 is, for tasks and Map states; without it, AWS's."),
    Setting("batch_endpoint", URL, "", "Where Batch is, for tasks; without it, AWS's."),
    Setting("ecs_endpoint", URL, "", "Where ECS is, for tasks; without it, AWS's."),
    Setting("glue_endpoint", URL, "", "Where Glue is, for tasks; without it, AWS's."),
    Setting("sage_maker_endpoint", URL, "", "Where SageMaker is, for tasks; without it, AWS's."),
    Setting("step_functions_endpoint", URL, "", "Where tasks of Step Functions' own go; without it, here."),
    Setting("aws_endpoint", URL, "", "Where every other AWS service is, for tasks; without it, AWS's."),
    Setting("http_connections", FILE, "", "A file of EventBridge's connections, for http:invoke: as CreateConnection takes them, by ARN."),
    Setting("wait_time_scale", NUMBER, 1.0, "What the seconds of Wait states are multiplied by."),
    Setting("aws_limits", FLAG, True, "Whether a task's result of more than 256 KiB fails with States.DataLimitExceeded, as on AWS."),
    Setting("aws_history_limit", COUNT, 0, "How many events of AWS an execution may have before it fails: AWS has 25000, 0 is any number."),
    Setting("task_targets", LIST, (), "Workers that serve tasks in place of AWS: ARN=ACTIVITY@TASK-QUEUE, one for each resource."),
    Setting("mock_config", FILE, "", "A mock file of Step Functions Local; without it the one that SFN_MOCK_CONFIG names."),
    Setting("callback_hosts", LIST, (), "The only hosts that callbacks may go to, such as *.example.com; any without them."),
    Setting("public_url", URL, "", "Where others reach REST, such as https://perdure.example.com; without it, its own address."),
    Setting("log_level", LOG_LEVEL, "info", "What is logged, at least."),
    Setting("log_format", LOG_FORMAT, "text", "How: lines for people, or a JSON object a line for machines."),
    Setting("metrics", FLAG, True, "Whether there is a /metrics page on the REST address."),
    Setting("otlp_endpoint", URL, "", "Where spans go, by OTLP over HTTP; without it, where OTEL_EXPORTER_OTLP_ENDPOINT says."),
    Setting("trace_sample_percent", COUNT, 100, "How much of the traces that begin here is kept."),
    Setting("authentication", choice("none", "tokens"), "none", "Whether callers need API tokens, or all on this machine are let in."),
    Setting("token_requests_per_second", COUNT, 0, "How often one caller may ask, in the long run; 0 is no limit."),
    Setting("worker_messages_per_second", COUNT, 0, "How many messages one caller's workers may send, in the long run; 0 is no limit."),
    Setting("token_request_bytes", BYTES, 0, "How large one request or message of a caller may be; 0 is whatever the protocol takes."),
    Setting("failed_attempts_per_minute", COUNT, 60, "How many attempts to get in may fail from one address; 0 is no limit."),
    Setting("audit_retention", DURATION, 0, "How long entries of the audit log are kept; 0s keeps them for ever."),
    Setting("trusted_proxies", LIST, (), "Addresses or networks of proxies whose X-Forwarded-For is believed over REST."),
    Setting("oidc_issuer", URL, "", "An identity provider whose bearer tokens are good here: its issuer identifier, an https URL."),
    Setting("oidc_audience", TEXT, "", "What its tokens must have in their `aud`: the name of this server at the provider."),
    Setting("oidc_roles", TEXT, "", "What the values of the claim grant: `platform=admin, billing-team=operator:billing+worker:billing`."),
    Setting("oidc_claim", TEXT, "groups", "The claim that says what somebody is; with dots where it is nested."),
    Setting("oidc_name_claim", TEXT, "sub", "The claim that is somebody's name, in histories and the audit log."),
    Setting("tls_certificate", FILE, "", "The server's certificate and those that lead to its issuer, PEM: REST and gRPC speak TLS."),
    Setting("tls_key", FILE, "", "The certificate's key, PEM, not encrypted."),
    Setting("tls_client_ca", FILE, "", "Who issues clients' certificates, PEM. They are required where no token would do."),
    Setting("tls_clients", TEXT, "", "What the common names in clients' certificates grant: `worker-1=worker:billing, ops=admin`."),
    *_numbers("engine.", Settings, "perdure.Settings"),
    *_numbers("limits.", Limits, "perdure.Limits"),
)  # fmt: skip

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


class Config(msgspec.Struct, frozen=True):
    """The settings in force, by name, and where each came from."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    file: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def engine(self) -> Settings:
        """Those of the engine."""
        limits = _filled(Limits, "limits.", self.values)
        settings: Settings = _filled(Settings, "engine.", self.values)
        return msgspec.structs.replace(settings, limits=limits)


def read_config(
    flags: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> Config:
    """The settings in force.

    Args:
        flags: by a setting's name, what was said on the command line; None where nothing was.
        environment: of the process, without it.
        file: a TOML file that must be there. Without it ``PERDURE_CONFIG`` names one, and else ``perdure.toml`` in the
            working folder is used if it is there.

    Raises:
        InvalidArgumentError: a value can't be used, or a key or variable is not known; the message names place and key.
        NotFoundError: the file is not there.
    """
    environment = os.environ if environment is None else environment
    values = {setting.name: setting.default for setting in SETTINGS}
    origins = dict.fromkeys(values, "default")
    path = file or file_in(environment)
    for layer in (of_file(path, SETTINGS) if path else (), _of_environment(environment), _of_flags(flags or {})):
        for setting, value, origin in layer:
            values[setting.name], origins[setting.name] = value, origin
    return Config(values, origins, path)


def read_table(
    table: Sequence[Setting], environment: Mapping[str, str] | None = None, file: str | None = None
) -> Config:
    """The settings in force of a table that is not the server's, where no flag says anything. Raises as ``read_config``."""
    environment = os.environ if environment is None else environment
    values = {setting.name: setting.default for setting in table}
    origins = dict.fromkeys(values, "default")
    path = file or file_in(environment)
    for setting, value, origin in of_file(path, table) if path else ():
        values[setting.name], origins[setting.name] = value, origin
    for setting in table:
        if given := environment.get(setting.variable):
            values[setting.name] = read(setting.kind, given, f"{setting.variable} in the environment")
            origins[setting.name] = setting.variable
    return Config(values, origins, path)


def file_in(environment: Mapping[str, str]) -> str:
    """The TOML file that is used where none is named; empty if there is none."""
    return environment.get(FILE_VARIABLE) or (DEFAULT_FILE if Path(DEFAULT_FILE).is_file() else "")


Found = Iterator[tuple[Setting, Any, str]]


def _of_flags(flags: Mapping[str, str | None]) -> Found:
    for name, given in flags.items():
        if given is not None:
            setting = BY_NAME[name]
            yield setting, read(setting.kind, given, setting.flag), setting.flag


def _of_environment(environment: Mapping[str, str]) -> Found:
    by_variable = {setting.variable: setting for setting in SETTINGS}
    for variable, given in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in CLIENT_VARIABLES or variable in WORKER_VARIABLES:
            continue
        setting = by_variable.get(variable)
        if setting is None:
            meant = _suggestion(variable, [*by_variable, *CLIENT_VARIABLES, *WORKER_VARIABLES])
            raise InvalidArgumentError(
                f"The environment has {variable}, but there is no such setting.{meant} See them all with perdure config."
            )
        yield setting, read(setting.kind, given, f"{variable} in the environment"), variable


def of_file(path: str, table: Sequence[Setting]) -> Found:
    """What a TOML file says of a server's settings, a client's or a worker's. Raises ``InvalidArgumentError`` for what can't be used,
    and ``NotFoundError``."""
    by_name = {setting.name: setting for setting in table}
    prefix = _table_of(table[0].name)
    text = _text_of(path)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgumentError(f"{path} is not valid TOML: {error}.") from None
    for name, given in _flattened(found):
        if _table_of(name) != prefix:
            continue
        line = _line_of(text, name)
        setting = by_name.get(name)
        if setting is None:
            raise InvalidArgumentError(
                f"{path}, line {line}: there is no setting {name!r}.{_suggestion(name, list(by_name))} "
                "See them all with perdure config."
            )
        yield setting, read(setting.kind, given, f"{path}, line {line}: {name}"), f"{path}, line {line}"


def _table_of(name: str) -> str:
    """Of a setting that is not the server's; empty for the server's."""
    return next((table for table in TABLES if name.startswith(table)), "")


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"There is no settings file {path}.") from None
    except OSError as error:
        raise InvalidArgumentError(f"The settings file {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidArgumentError(f"The settings file {path} is not UTF-8 text.") from None


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in BY_NAME:
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _line_of(text: str, name: str) -> int:
    """Where a key stands, for messages; the TOML library does not say."""
    table, _, key = name.rpartition(".")
    current, fallback = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.split("#")[0].strip()
        if header := re.fullmatch(r"\[\s*(.+?)\s*\]", stripped):
            current = header[1].replace('"', "")
            fallback = number if current == table else fallback
        written = stripped.partition("=")[0].strip().replace('"', "").replace(" ", "")
        if "=" in stripped and (written == name or (current == table and written == key)):
            return number
    return fallback


def _suggestion(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 3, 0.7)
    return f" Did you mean {alternatives(close)}?" if close else ""


def _filled(struct: type[Any], prefix: str, values: Mapping[str, Any]) -> Any:
    own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    fields = {field.name for field in msgspec.structs.fields(struct)}
    return struct(**{name if name in fields else f"{name}_ns": value for name, value in own.items()})


__all__ = ["SETTINGS", "Config", "Setting", "of_file", "read_config"]
