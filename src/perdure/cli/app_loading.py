"""Finding the app that ``app.py:app`` or ``package.module:app`` names. Its module is run, as an import would."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.sdk.app import App


def load_app(name: str) -> App:
    """The app of that name.

    Args:
        name: a file or module, a colon and a variable in it; without the variable, the only app that there is.

    Raises:
        NotFoundError: there is no such file, module or variable.
        InvalidArgumentError: it can't be run, or the variable is no app.
    """
    where, _, variable = name.partition(":")
    module = _run(where)
    apps = {key: value for key, value in vars(module).items() if isinstance(value, App)}
    known = ", ".join(f"{where}:{key}" for key in apps) or "none"
    if not variable:
        if len({id(app) for app in apps.values()}) != 1:
            raise InvalidArgumentError(f"{where} does not have one app, but these: {known}. Name the one to use.")
        return next(iter(apps.values()))
    value: Any = getattr(module, variable, None)
    if value is None:
        raise NotFoundError(f"There is no variable {variable!r} in {where}. Its apps: {known}.")
    if not isinstance(value, App):
        raise InvalidArgumentError(f"{name} is no perdure.App but of type {type(value).__name__}. Apps there: {known}.")
    return value


def _run(where: str) -> ModuleType:
    is_file = where.endswith(".py")
    path = Path(where)
    if is_file and not path.is_file():
        raise NotFoundError(f"There is no file {where}. Name a file and the app in it, such as app.py:app.")
    # What the module imports from beside it must be found, as when it is run as a script.
    beside = str(path.resolve().parent if is_file else Path.cwd())
    if beside not in sys.path:
        sys.path.insert(0, beside)
    try:
        return _module_of_file(path) if is_file else importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where == error.name or where.startswith(f"{error.name}.")):
            raise NotFoundError(
                f"There is no module {where!r} here. Name a file, such as app.py:app, or a module."
            ) from error
        raise _broken(where, error) from error
    except Exception as error:
        raise _broken(where, error) from error


def _module_of_file(path: Path) -> ModuleType:
    name = path.stem
    present = sys.modules.get(name)
    if present is not None and getattr(present, "__file__", None) == str(path.resolve()):
        return present
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name. Another module of that name keeps it.
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def _broken(where: str, error: Exception) -> InvalidArgumentError:
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename}:{last.lineno}"
    return InvalidArgumentError(f"{where} can't be run: {type(error).__name__}: {error} ({place}).")
