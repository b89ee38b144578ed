"""Which fields each state type has, and what they take. The rest of the checks reads these tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True, frozen=True)
class Number:
    """A field that takes a whole number (or, if `real`, any) in a range; in JSONata states, an expression, too."""

    least: float | None = None
    most: float | None = None
    real: bool = False


@dataclass(slots=True, frozen=True)
class Text:
    """A field that takes a text, perhaps one of a few."""

    values: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Path:
    """A path; `reference` must name one place, `null` may be left out on purpose, `intrinsic` may be a call."""

    reference: bool = False
    null: bool = False
    intrinsic: bool = False
    context: bool = True


@dataclass(slots=True, frozen=True)
class Template:
    """A payload template; `kinds` are the kinds of value it takes besides an expression."""

    kinds: tuple[type, ...] = (dict,)


@dataclass(slots=True, frozen=True)
class Anything:
    """Whatever JSON there is, perhaps with expressions in it."""


@dataclass(slots=True, frozen=True)
class Flag:
    """true or false."""


@dataclass(slots=True, frozen=True)
class Apart:
    """Judged by a function of its own."""


Kind = Number | Text | Path | Template | Anything | Flag | Apart

TYPES: Final = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
LONGEST_SECONDS: Final = 99_999_999

KINDS: Final[dict[str, Kind]] = {
    "Type": Apart(),
    "Comment": Text(),
    "QueryLanguage": Apart(),
    "Next": Text(),
    "End": Flag(),
    "Default": Text(),
    "InputPath": Path(null=True),
    "OutputPath": Path(null=True),
    "ResultPath": Path(reference=True, null=True, context=False),
    "ItemsPath": Path(reference=True),
    "Parameters": Template(),
    "ResultSelector": Template(),
    "ItemSelector": Template((dict, str)),
    "Arguments": Template((dict, str, list)),
    "Output": Anything(),
    "Assign": Apart(),
    "Result": Anything(),
    "Resource": Apart(),
    "Credentials": Apart(),
    "Retry": Apart(),
    "Catch": Apart(),
    "Choices": Apart(),
    "Branches": Apart(),
    "ItemProcessor": Apart(),
    "Iterator": Apart(),
    "ItemReader": Apart(),
    "ItemBatcher": Apart(),
    "ResultWriter": Apart(),
    "Items": Anything(),
    "Label": Apart(),
    "TimeoutSeconds": Number(1, LONGEST_SECONDS),
    "TimeoutSecondsPath": Path(reference=True),
    "HeartbeatSeconds": Number(1, LONGEST_SECONDS),
    "HeartbeatSecondsPath": Path(reference=True),
    "Seconds": Number(0, LONGEST_SECONDS),
    "SecondsPath": Path(reference=True),
    "Timestamp": Apart(),
    "TimestampPath": Path(reference=True),
    "Error": Text(),
    "ErrorPath": Path(intrinsic=True),
    "Cause": Text(),
    "CausePath": Path(intrinsic=True),
    "MaxConcurrency": Number(0),
    "MaxConcurrencyPath": Path(reference=True),
    "ToleratedFailureCount": Number(0),
    "ToleratedFailureCountPath": Path(reference=True),
    "ToleratedFailurePercentage": Number(0.0, 100.0, real=True),
    "ToleratedFailurePercentagePath": Path(reference=True),
}

COMMON: Final = ("Type", "Comment", "QueryLanguage")
PATHS: Final = ("InputPath", "OutputPath")
MOVING: Final = ("Next", "End")
RESULT: Final = ("ResultPath", "Parameters", "Output", "Assign")
CAUGHT: Final = ("ResultSelector", "Retry", "Catch")

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "Pass": (*COMMON, *PATHS, *RESULT, *MOVING, "Result"),
    "Task": (
        *COMMON, *PATHS, *RESULT, *CAUGHT, *MOVING, "Arguments", "Resource", "Credentials",
        "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath",
    ),
    "Wait": (*COMMON, *PATHS, *MOVING, "Output", "Assign", "Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    "Parallel": (*COMMON, *PATHS, *RESULT, *CAUGHT, *MOVING, "Arguments", "Branches"),
    "Map": (
        *COMMON, *PATHS, *RESULT, *CAUGHT, *MOVING, "ItemProcessor", "Iterator", "ItemsPath", "Items", "ItemSelector",
        "ItemReader", "ItemBatcher", "ResultWriter", "MaxConcurrency", "MaxConcurrencyPath", "ToleratedFailureCount",
        "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath", "Label",
    ),
    "Choice": (*COMMON, *PATHS, "Output", "Assign", "Choices", "Default"),
    "Succeed": (*COMMON, *PATHS, "Output"),
    "Fail": (*COMMON, "Error", "ErrorPath", "Cause", "CausePath"),
}  # fmt: skip

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "Task": ("Resource",),
    "Choice": ("Choices",),
    "Parallel": ("Branches",),
}

ONLY_JSONPATH: Final = (
    "InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "Result", "ItemsPath",
    "TimeoutSecondsPath", "HeartbeatSecondsPath", "SecondsPath", "TimestampPath", "MaxConcurrencyPath",
    "ToleratedFailurePercentagePath", "ToleratedFailureCountPath", "ErrorPath", "CausePath",
)  # fmt: skip
ONLY_JSONATA: Final = ("Output", "Arguments", "Items")

# At most one of each.
EITHER: Final[tuple[tuple[str, ...], ...]] = (
    ("Next", "End"),
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("SecondsPath", "Seconds", "TimestampPath", "Timestamp"),
)

MACHINE_FIELDS: Final = ("Comment", "QueryLanguage", "StartAt", "TimeoutSeconds", "Version", "States")
PROCESSOR_FIELDS: Final = ("Comment", "ProcessorConfig", "StartAt", "States")
BRANCH_FIELDS: Final = ("Comment", "StartAt", "States")

RETRIER: Final[dict[str, Kind]] = {
    "ErrorEquals": Apart(),
    "Comment": Text(),
    "IntervalSeconds": Number(0, LONGEST_SECONDS),
    "MaxAttempts": Number(0, LONGEST_SECONDS),
    "BackoffRate": Number(1.0, real=True),
    "MaxDelaySeconds": Number(1, 31_622_400),
    "JitterStrategy": Text(("NONE", "FULL")),
}
CATCHER: Final[dict[str, Kind]] = {
    "ErrorEquals": Apart(),
    "Comment": Text(),
    "Next": Text(),
    "ResultPath": Path(reference=True, null=True, context=False),
    "Output": Anything(),
    "Assign": Apart(),
}
READER: Final[dict[str, Kind]] = {
    "Resource": Apart(),
    "Parameters": Template(),
    "Arguments": Template((dict, str)),
    "ReaderConfig": Apart(),
    "Comment": Text(),
}
READER_CONFIG: Final[dict[str, Kind]] = {
    "InputType": Text(("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET")),
    "ManifestType": Text(("ATHENA_DATA", "S3_INVENTORY")),
    "CSVHeaderLocation": Text(("FIRST_ROW", "GIVEN")),
    "CSVHeaders": Apart(),
    "CSVDelimiter": Text(("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB")),
    "ItemsPointer": Text(),
    "Transformation": Text(("NONE", "LOAD_AND_FLATTEN")),
    "MaxItems": Number(0, 100_000_000),
    "MaxItemsPath": Path(reference=True),
    "Comment": Text(),
}
BATCHER: Final[dict[str, Kind]] = {
    "MaxItemsPerBatch": Number(0),
    "MaxItemsPerBatchPath": Path(reference=True),
    "MaxInputBytesPerBatch": Number(0, 262_144),
    "MaxInputBytesPerBatchPath": Path(reference=True),
    "BatchInput": Template((dict, str)),
    "Comment": Text(),
}
WRITER: Final[dict[str, Kind]] = {
    "Resource": Apart(),
    "Parameters": Template(),
    "Arguments": Template((dict, str)),
    "WriterConfig": Apart(),
    "Comment": Text(),
}
WRITER_CONFIG: Final[dict[str, Kind]] = {
    "Transformation": Text(("NONE", "COMPACT", "FLATTEN")),
    "OutputType": Text(("JSON", "JSONL")),
}
