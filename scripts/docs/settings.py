"""The tables of settings: the strings below the fields of a struct, with each field's default."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.app.client_config import CLIENT_SETTINGS
from perdure.app.config import SETTINGS
from perdure.app.worker_config import WORKER_SETTINGS
from perdure.engine.settings import Settings
from perdure.model.limits import Limits

_KIB = 1024


def descriptions(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What the string below each field says, in one line; fields without one are left out."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(inspect.cleandoc(text).split())
            case _:
                pass
    return found


def table(struct: type[msgspec.Struct]) -> str:
    """A row for each field."""
    meanings = descriptions(struct)
    defaults = struct()
    rows = ["| setting | meaning | default |", "| --- | --- | --- |"]
    for name in struct.__struct_fields__:
        rows.append(f"| `{name}` | {meanings.get(name, '')} | {_shown(name, getattr(defaults, name))} |")
    return "\n".join(rows)


def server_table() -> str:
    """A row for each setting of a server; those of the engine's own structs say what is written there."""
    meanings = {f"engine.{name.removesuffix('_ns')}": text for name, text in descriptions(Settings).items()}
    meanings |= {f"limits.{name.removesuffix('_ns')}": text for name, text in descriptions(Limits).items()}
    rows = ["| setting | value | meaning | default |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        default = setting.shown(setting.default)
        kind = setting.kind.metavar.replace("|", ", ")
        meaning = meanings.get(setting.name, setting.help)
        rows.append(f"| `{setting.name}` | {kind} | {meaning} | {f'`{default}`' if default else 'none'} |")
    return "\n".join(rows)


def client_table() -> str:
    """A row for each setting of the commands that ask a server."""
    return _below("client", CLIENT_SETTINGS)


def worker_table() -> str:
    """A row for each setting of a worker."""
    return _below("worker", WORKER_SETTINGS)


def _below(table: str, known: Sequence[Any]) -> str:
    rows = [f"| below `[{table}]` | option | variable | meaning | default |", "| --- | --- | --- | --- | --- |"]
    for setting in known:
        default = "" if setting.default is None else setting.kind.show(setting.default)
        shown = f"`{default}`" if default else "none"
        rows.append(f"| `{setting.own_name}` | `{setting.flag}` | `{setting.variable}` | {setting.help} | {shown} |")
    return "\n".join(rows)


def _shown(name: str, value: object) -> str:
    """A default as people write it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"`{value.__class__.__name__}()`" if isinstance(value, msgspec.Struct) else f"`{value!r}`"
    if not value:
        return "none"
    if name.endswith("_ns"):
        return f"{value / 1e9:,g} s"
    if name.endswith("_bytes"):
        return f"{value // _KIB**2:,} MiB" if value >= _KIB**2 else f"{value // _KIB:,} KiB"
    return f"{value:,}"
