"""What a distributed Map reads, and how its items go in batches.

The engine's own worker makes the call of an ItemReader and answers with the text of what it found (``{"Body": "..."}``; where
that names files, or a listing does, ``"Parts"``, their texts; a list where the call lists things, or has rows). Here it
becomes items.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.languages.asl import calls, map_items, paths, templates
from perdure.languages.asl.data import decode, encode
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.said import Said
from perdure.model import events as e

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.scope import Scope

FAILED = "States.ItemReaderFailed"
DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
csv.field_size_limit(2**31 - 1)


def read(run: Interpreter, line: Line, state: State, name: str) -> None:
    """Have the items read."""
    reader = state.fields["ItemReader"]
    scope = map_items.scope_of(run, line, state)
    if state.is_jsonata:
        parameters = templates.fill_jsonata(reader.get("Arguments", {}), scope, field="ItemReader/Arguments")
    else:
        parameters = templates.fill(reader.get("Parameters", {}), scope, field="ItemReader")
    told = calls.about(run, line, state, reader["Resource"]) | {"reader_config": _config(state, scope)}
    run.commands.append(calls.service(run, name, reader["Resource"], parameters, told))


def _config(state: State, scope: Scope) -> dict[str, Any]:
    config = dict(state.fields["ItemReader"].get("ReaderConfig", {}))
    if "MaxItemsPath" in config:
        config["MaxItems"] = paths.read(config.pop("MaxItemsPath"), scope, field="MaxItemsPath")
    elif templates.is_jsonata(config.get("MaxItems")):
        config["MaxItems"] = templates.evaluate_jsonata(config["MaxItems"], scope, field="MaxItems", expected="integer")
    return config


def items_of(run: Interpreter, line: Line, state: State, event: e.Event) -> list[Any]:
    """The items that were read.

    Raises:
        StateFailure: they could not be, or what there is are no items.
    """
    match event:
        case e.ActivityTaskCompleted(result=result):
            answer = decode(result[0].data or b"null") if result else None
        case e.ActivityTaskFailed(failure=failure):
            raise Said(FAILED, failure.message or failure.type)
        case _:
            raise Said(FAILED, "The items could not be read.")
    config = _config(state, map_items.scope_of(run, line, state))
    try:
        items = parsed(answer, config)
    except (ValueError, KeyError, TypeError, msgspec.DecodeError, csv.Error) as error:
        raise Said(FAILED, f"Attempting to read the items failed: {error}") from error
    most = config.get("MaxItems", 0)
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise StateFailure(
            "States.Runtime", f"MaxItems must be a non-negative integer but was: {encode(most).decode()}"
        )
    return items[:most] if most else items


def parsed(answer: Any, config: dict[str, Any]) -> list[Any]:
    """What was found, as items.

    Args:
        answer: of the call.
        config: ReaderConfig.

    Raises:
        ValueError, csv.Error: it is not what the configuration says; the message says where.
    """
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict) and isinstance(answer.get("Contents"), list):
        return list(answer["Contents"])
    body = answer.get("Body") if isinstance(answer, dict) else answer
    parts = answer.get("Parts") if isinstance(answer, dict) else None
    kind = config.get("InputType", "JSON")
    if kind == "MANIFEST" or config.get("ManifestType") == "S3_INVENTORY":
        return _of_csv(parts or [], {"CSVHeaderLocation": "GIVEN", "CSVHeaders": _schema(body)})
    if isinstance(parts, list):
        return [item for part in parts for item in _of_text(part, kind, config)]
    return _of_text(body, kind, config) if isinstance(body, str) else _of_json(body, config)


def _of_text(body: str, kind: str, config: dict[str, Any]) -> list[Any]:
    match kind:
        case "JSON":
            return _of_json(decode(body), config)
        case "JSONL":
            return _of_lines(body)
        case "CSV":
            return _of_csv([body], config)
        case "PARQUET":
            raise ValueError("a Parquet file is no text: whoever reads it must answer with its rows")
        case _:
            raise ValueError(f"there is no InputType {kind!r}: use CSV, JSON, JSONL, PARQUET or MANIFEST")


def pointed(value: Any, pointer: str) -> Any:
    """What an ItemsPointer leads to. Raises ``ValueError``, ``LookupError`` or ``TypeError`` if that is nothing."""
    for part in pointer.split("/")[1:] if pointer else []:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def _of_json(value: Any, config: dict[str, Any]) -> list[Any]:
    value = pointed(value, config.get("ItemsPointer", ""))
    if isinstance(value, dict):
        return [{"Key": key, "Value": item} for key, item in value.items()]
    if not isinstance(value, list):
        raise ValueError(f"expected a JSON array or object, got {encode(value).decode()[:100]}")
    return value


def _of_lines(body: str) -> list[Any]:
    items = []
    for number, text in enumerate(body.splitlines(), 1):
        if text.strip():
            try:
                items.append(decode(text))
            except msgspec.DecodeError as error:
                raise ValueError(f"line {number}: {error}") from error
    return items


def _of_csv(bodies: list[str], config: dict[str, Any]) -> list[Any]:
    delimiter = DELIMITERS.get(config.get("CSVDelimiter", "COMMA"))
    if delimiter is None:
        raise ValueError(f"there is no CSVDelimiter {config['CSVDelimiter']!r}: use one of {', '.join(DELIMITERS)}")
    items: list[Any] = []
    for body in bodies:
        rows = csv.reader(io.StringIO(body.removeprefix("\ufeff"), newline=""), delimiter=delimiter, strict=True)
        headers = config.get("CSVHeaders")
        if config.get("CSVHeaderLocation", "FIRST_ROW") == "FIRST_ROW":
            headers = next(rows, None)
        if headers is None:
            raise ValueError("the CSV file has no header row")
        for row in rows:
            if not row:
                continue
            if len(row) > len(headers):
                raise ValueError(f"line {rows.line_num}: {len(row)} values for {len(headers)} columns")
            items.append({name: row[at] if at < len(row) else "" for at, name in enumerate(headers)})
    return items


def _schema(body: Any) -> list[str]:
    manifest = decode(body)
    return [name.strip() for name in manifest["fileSchema"].split(",")]


# --- batches


def batches(run: Interpreter, line: Line, state: State, items: list[Any]) -> list[int] | None:
    """Where each batch begins, and where the last one ends; None if each item goes alone."""
    batcher = state.fields.get("ItemBatcher")
    if batcher is None:
        return None
    scope = map_items.scope_of(run, line, state)
    return bounds_of(state, items, scope)


def bounds_of(state: State, items: list[Any], scope: Scope) -> list[int]:
    """The same, of a Map that has an ItemBatcher."""
    batcher = state.fields["ItemBatcher"]
    most = map_items.number(state, batcher, "MaxItemsPerBatch", scope) or len(items)
    most_bytes = map_items.number(state, batcher, "MaxInputBytesPerBatch", scope)
    bounds, size, start = [0], 0, 0
    for at, item in enumerate(items):
        length = len(encode(item)) + 1 if most_bytes else 0
        if at > start and (at - start >= most or (most_bytes and size + length > most_bytes)):
            bounds.append(at)
            start, size = at, 0
        size += length
    if items:
        bounds.append(len(items))
    return bounds


def batch(run: Interpreter, line: Line, state: State, items: list[Any], start: int, end: int) -> dict[str, Any]:
    """What a child execution gets."""
    batcher = state.fields["ItemBatcher"]
    given: dict[str, Any] = {}
    if "BatchInput" in batcher:
        scope = map_items.scope_of(run, line, state)
        fill = templates.fill_jsonata if state.is_jsonata else templates.fill
        given["BatchInput"] = fill(batcher["BatchInput"], scope, field="BatchInput")
    given["Items"] = [map_items.selected(run, line, state, at, items[at]) for at in range(start, end)]
    return given
