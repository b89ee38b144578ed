"""What ``perdure worker`` is not told on the command line: the environment says it, or ``[worker]`` in the TOML file."""

from typing import Any

from perdure.app.setting_kinds import LIST
from perdure.app.worker_config import TABLE, WORKER_SETTINGS, read_worker_config
from perdure.cli.certificates import FromFile, ServerCommand

_BY_OWN_NAME = {setting.own_name: setting for setting in WORKER_SETTINGS}


class WorkerCommand(ServerCommand):
    """A command whose options are settings of workers."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """As ``ServerCommand``."""
        return super().make_context(info_name, args, parent, **{"default_map": FromSettings(), **extra})


class FromSettings(FromFile):
    """The settings of workers, and those of clients."""

    def get(self, name: str, default: Any = None) -> Any:
        """One of them, as its option takes it. Raises ``InvalidArgumentError``, ``NotFoundError`` if it can't be used."""
        setting = _BY_OWN_NAME.get(name)
        if setting is None:
            return super().get(name, default)
        config = read_worker_config()
        if config.origins[TABLE + name] == "default":
            return default
        value = config[TABLE + name]
        return list(value) if setting.kind is LIST else setting.kind.show(value)
