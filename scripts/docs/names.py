"""What is public: the names that the modules for users list."""

import perdure
import perdure.testing

MODULES = (perdure, perdure.activity, perdure.workflow, perdure.testing)
# Described in tables of their own, see ``settings``.
TABLES = {"perdure.Limits", "perdure.Settings"}


def public_names() -> dict[str, object]:
    """Each by the name under which users import it; modules and what has a table left out."""
    found = {f"{_name_of(module)}.{name}": getattr(module, name) for module in MODULES for name in module.__all__}
    modules = {_name_of(module) for module in MODULES}
    return {name: value for name, value in found.items() if name not in modules | TABLES}


def _name_of(module: object) -> str:
    """``perdure.workflow`` lies in ``perdure.sdk``, but nobody needs to know."""
    return str(getattr(module, "__name__", "")).replace("perdure.sdk.", "perdure.")
