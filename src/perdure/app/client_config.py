"""The settings of whoever asks a server from a shell: an option, a variable, or a line below ``[client]`` of the TOML file."""

import os
from collections.abc import Mapping
from typing import Any

from perdure.app.config import PREFIX, Config, Setting, file_in, of_file, read_table
from perdure.app.setting_kinds import FILE, TEXT, URL

TABLE = "client."


class ClientSetting(Setting, frozen=True):
    """One of them. Its name in the file is ``client.ca``, its option ``--ca``, its variable ``PERDURE_CA``."""

    @property
    def flag(self) -> str:
        """``--client-cert``."""
        return "--" + self.own_name.replace("_", "-")

    @property
    def variable(self) -> str:
        """``PERDURE_CLIENT_CERT``."""
        return PREFIX + self.own_name.upper()

    @property
    def own_name(self) -> str:
        """``client_cert``."""
        return self.name.removeprefix(TABLE)


CLIENT_SETTINGS: tuple[ClientSetting, ...] = (
    ClientSetting("client.server", URL, "http://127.0.0.1:7420", "The server to ask."),
    ClientSetting("client.token", TEXT, "", "Who is asking.", secret=True),
    ClientSetting("client.namespace", TEXT, "default", "The namespace to ask about."),
    ClientSetting("client.ca", FILE, "", "Who may have issued the server's certificate, PEM."),
    ClientSetting("client.client_cert", FILE, "", "The client's own certificate, PEM, for a server that asks for one."),
    ClientSetting("client.client_key", FILE, "", "Its key, PEM, not encrypted."),
)

CLIENT_NAMES = frozenset(setting.own_name for setting in CLIENT_SETTINGS)


def client_settings_of_file() -> Mapping[str, Any]:
    """What ``[client]`` says, by the options' names; empty where there is no file.

    Raises ``InvalidArgumentError`` or ``NotFoundError`` if it can't be used.
    """
    path = file_in(os.environ)
    if not path:
        return {}
    return {setting.name.removeprefix(TABLE): value for setting, value, _ in of_file(path, CLIENT_SETTINGS)}


def read_client_config(environment: Mapping[str, str] | None = None, file: str | None = None) -> Config:
    """The settings in force for commands that say nothing themselves. Raises as ``config.read_config``."""
    return read_table(CLIENT_SETTINGS, environment, file)


__all__ = ["CLIENT_NAMES", "CLIENT_SETTINGS", "ClientSetting", "client_settings_of_file", "read_client_config"]
