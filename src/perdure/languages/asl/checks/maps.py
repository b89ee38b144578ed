"""States that hold states: Map and Parallel."""

from __future__ import annotations

from typing import Any, Final

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks import kinds, machines, states
from perdure.languages.asl.checks.diagnostics import Findings
from perdure.languages.asl.checks.fields import (
    BATCHER,
    BRANCH_FIELDS,
    PROCESSOR_FIELDS,
    READER,
    READER_CONFIG,
    WRITER,
    WRITER_CONFIG,
    Kind,
)

MODES: Final = ("INLINE", "DISTRIBUTED")
EXECUTION_TYPES: Final = ("STANDARD", "EXPRESS")
LONGEST_LABEL: Final = 40
NOT_IN_LABELS: Final = frozenset('?*<>{}[]"#%\\^|~`$&,;:/')
READS: Final = ("s3:getObject", "s3:listObjectsV2")
WRITES: Final = ("s3:putObject",)


def branches(value: Any, place: Place, found: Findings) -> None:
    """Notes what is wrong with the branches of a Parallel state."""
    if not found.type_of(place, value, "ARRAY"):
        return
    if not value:
        found.add(place, "Value cannot be empty")
    for number, branch in enumerate(value):
        machines.container(branch, BRANCH_FIELDS, (*place, number), found)


def judge(state: dict[str, Any], place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with what only a Map state has."""
    processors = [field for field in ("ItemProcessor", "Iterator") if field in state]
    if len(processors) != 1:
        said = "There should only be one" if processors else "This object should have only one"
        found.add(place, f"{said} of the following fields: [ItemProcessor, Iterator]")
    for field in processors:
        machines.container(state[field], PROCESSOR_FIELDS, (*place, field), found)
        if isinstance(state[field], dict) and "ProcessorConfig" in state[field]:
            config(state[field]["ProcessorConfig"], (*place, field, "ProcessorConfig"), found)
    if "Label" in state:
        label(state["Label"], (*place, "Label"), found)
    if "ItemReader" in state:
        reader(state["ItemReader"], (*place, "ItemReader"), found, jsonata)
    if "ItemBatcher" in state:
        parts(state["ItemBatcher"], BATCHER, (*place, "ItemBatcher"), found, jsonata)
    if "ResultWriter" in state:
        writer(state["ResultWriter"], (*place, "ResultWriter"), found, jsonata)


def config(value: Any, place: Place, found: Findings) -> None:
    if not found.type_of(place, value, "OBJECT"):
        return
    states.unknown(value, ("Mode", "ExecutionType", "Comment"), place, found)
    mode = value.get("Mode", "INLINE")
    if found.type_of((*place, "Mode"), mode, "STRING"):
        kinds.one_of(mode, MODES, (*place, "Mode"), found)
    if mode == "DISTRIBUTED":
        if found.of_express:
            found.add(
                (*place, "Mode"),
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
            )
        states.required(value, ("ExecutionType",), place, found)
        if "ExecutionType" in value and found.type_of((*place, "ExecutionType"), value["ExecutionType"], "STRING"):
            kinds.one_of(value["ExecutionType"], EXECUTION_TYPES, (*place, "ExecutionType"), found)
    elif mode == "INLINE" and "ExecutionType" in value:
        found.add(place, "Field 'ExecutionType' is not supported", at=(*place, "ExecutionType"))


def label(value: Any, place: Place, found: Findings) -> None:
    """Notes a label that cannot be a part of an ARN. AWS's refusal of these has a form of its own."""
    if not found.type_of(place, value, "STRING"):
        return
    if not value:
        found.add(place, "Label cannot be empty", said_alone=True)
    wrong = [letter for letter in value if letter in NOT_IN_LABELS or letter.isspace() or not letter.isprintable()]
    if wrong:
        found.add(place, f"Label contains invalid character: {wrong[0]!r}", said_alone=True)
    elif len(value) > LONGEST_LABEL:
        found.add(place, f"Label cannot exceed {LONGEST_LABEL} characters", said_alone=True)


def parts(value: Any, fields: dict[str, Kind], place: Place, found: Findings, jsonata: bool) -> bool:
    """Notes what is wrong with an object of simple fields; says whether it is an object."""
    if not found.type_of(place, value, "OBJECT"):
        return False
    states.unknown(value, tuple(fields), place, found)
    for field, inner in value.items():
        if field not in fields:
            continue
        other = f"{field}Path"
        if other in fields and other in value:
            found.add(place, f"There should only be one of the following fields: [{field}, {other}]")
        if jsonata and field.endswith("Path"):
            found.add(
                place,
                f"The QueryLanguage is set to 'JSONata', but field '{field}' is only supported for the 'JSONPath' "
                "QueryLanguage",
                at=(*place, field),
            )
        else:
            kinds.judge(inner, fields[field], (*place, field), found, jsonata)
    return True


def resource(value: dict[str, Any], allowed: tuple[str, ...], place: Place, found: Findings) -> None:
    states.required(value, ("Resource",), place, found)
    name = value.get("Resource")
    if isinstance(name, str) and not any(name.endswith(f":states:::{action}") for action in allowed):
        # Readers of files and of web pages are ours (docs/state-machines.md).
        if name.startswith("arn:"):
            found.add(
                (*place, "Resource"),
                "The field 'Resource' does not match any of the allowed values",
                expected=" or ".join(f"arn:aws:states:::{action}" for action in allowed),
            )
    elif "Resource" in value:
        found.type_of((*place, "Resource"), name, "STRING")


def reader(value: Any, place: Place, found: Findings, jsonata: bool) -> None:
    if not parts(value, READER, place, found, jsonata):
        return
    states.other_language(value, not jsonata, place, found)
    resource(value, READS, place, found)
    if "ReaderConfig" not in value:
        return
    where, config_ = (*place, "ReaderConfig"), value["ReaderConfig"]
    if not parts(config_, READER_CONFIG, where, found, jsonata):
        return
    kind = config_.get("InputType")
    if config_.get("Transformation") == "LOAD_AND_FLATTEN" or config_.get("ManifestType") == "ATHENA_DATA":
        states.required(config_, ("InputType",), where, found)
    if kind == "CSV" and "CSVHeaderLocation" not in config_:
        found.add(where, "The field 'CSVHeaderLocation' is required")
    if kind in ("JSON", "JSONL") and "CSVHeaderLocation" in config_:
        found.add(where, "Field 'CSVHeaderLocation' is not supported", at=(*where, "CSVHeaderLocation"))
    if config_.get("CSVHeaderLocation") == "GIVEN":
        states.required(config_, ("CSVHeaders",), where, found)


def writer(value: Any, place: Place, found: Findings, jsonata: bool) -> None:
    if not parts(value, WRITER, place, found, jsonata):
        return
    states.other_language(value, not jsonata, place, found)
    if "Resource" in value or "WriterConfig" not in value:
        resource(value, WRITES, place, found)
    if "WriterConfig" in value:
        parts(value["WriterConfig"], WRITER_CONFIG, (*place, "WriterConfig"), found, jsonata)
