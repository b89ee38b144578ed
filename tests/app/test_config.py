"""Where a server's settings come from, and what is said when one can't be used."""

import pytest
from scripts.docs import settings as tables

from perdure.app.client_config import CLIENT_SETTINGS, read_client_config
from perdure.app.config import BY_NAME, CLIENT_VARIABLES, SETTINGS, WORKER_VARIABLES, read_config
from perdure.app.setting_kinds import ADDRESS, BYTES, DURATION, FLAG, LIST, Address
from perdure.app.worker_config import WORKER_SETTINGS, read_worker_config
from perdure.engine.settings import Settings
from perdure.model.errors import InvalidArgumentError, NotFoundError
from perdure.model.options import SECOND_NS


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_nobody_elsewhere_reaches_a_server_unless_it_is_told_so():
    addresses = [setting.default for setting in SETTINGS if setting.name.endswith("_address")]
    assert {address.host for address in addresses if address is not None} == {"127.0.0.1"}


def test_without_anything_said_all_are_defaults():
    config = read_config(environment={})
    assert config.values == {setting.name: setting.default for setting in SETTINGS}
    assert set(config.origins.values()) == {"default"}
    assert config.engine == Settings()


def test_a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default(tmp_path):
    (tmp_path / "perdure.toml").write_text(
        'rest_address = "h:1"\ngrpc_address = "h:2"\n\n[limits]\npage_size = 5\n[engine]\nstore_retry = "3s"\n'
    )
    config = read_config(
        {"rest_address": "flag:1", "log_level": None},
        {"PERDURE_GRPC_ADDRESS": "env:2", "PERDURE_REST_ADDRESS": "env:1"},
    )
    assert (config["rest_address"], config.origins["rest_address"]) == (Address("flag", 1), "--rest-address")
    assert (config["grpc_address"], config.origins["grpc_address"]) == (Address("env", 2), "PERDURE_GRPC_ADDRESS")
    assert (config["limits.page_size"], config.origins["limits.page_size"]) == (5, "perdure.toml, line 5")
    assert config["log_level"] == "info"
    assert config.engine.limits.page_size == 5 and config.engine.store_retry_ns == 3_000_000_000


def test_a_file_can_be_named(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("log_level = 'debug'")
    assert read_config(environment={"PERDURE_CONFIG": str(other)})["log_level"] == "debug"
    assert read_config(environment={}, file=str(other)).file == str(other)
    with pytest.raises(NotFoundError, match=r"no settings file none\.toml"):
        read_config(environment={}, file="none.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "perdure.toml is not valid TOML: "),
        ("\n# c\nrest_adress = 'h:1'", "perdure.toml, line 3: there is no setting 'rest_adress'. Did you mean rest_address"),
        ("[limits]\npage_sise = 3", "line 2: there is no setting 'limits.page_sise'. Did you mean limits.page_size"),
        ("[limit]\npage_size = 3", "line 2: there is no setting 'limit.page_size'. Did you mean limits.page_size"),
        ("rest_address = 7420", "line 1: rest_address is 7420, but must be HOST:PORT"),
        ("\n[limits]\npage_size = -1", "line 3: limits.page_size is -1, but must be a whole number"),
        ("log_level = 'loud'", "log_level is 'loud', but must be one of debug, info, warning or error"),
    ],
)  # fmt: skip
def test_mistakes_in_the_file_are_named_with_their_place(tmp_path, text, said):
    (tmp_path / "perdure.toml").write_text(text)
    with pytest.raises(InvalidArgumentError, match=said):
        read_config(environment={})


def test_mistakes_elsewhere_are_named_too():
    with pytest.raises(InvalidArgumentError, match=r"PERDURE_REST_ADRESS, but .* Did you mean PERDURE_REST_ADDRESS"):
        read_config(environment={"PERDURE_REST_ADRESS": "h:1"})
    with pytest.raises(InvalidArgumentError, match="PERDURE_REST_ADDRESS in the environment is 'h'"):
        read_config(environment={"PERDURE_REST_ADDRESS": "h"})
    with pytest.raises(InvalidArgumentError, match="--rest-address is 'h:99999'"):
        read_config({"rest_address": "h:99999"}, {})
    assert read_config(environment={"PERDURE_SERVER": "http://h", "PERDURE_TOKEN": "t", "HOME": "/"}).file == ""


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (ADDRESS, "[::1]:7420", Address("::1", 7420)),
        (ADDRESS, "localhost:0", Address("localhost", 0)),
        (BYTES, "64KiB", 65536),
        (BYTES, "2 mb", 2_000_000),
        (BYTES, 7, 7),
        (DURATION, "1h30m", 5_400_000_000_000),
        (DURATION, "0.5", 500_000_000),
        (DURATION, 2, 2_000_000_000),
        (FLAG, "Yes", True),
        (LIST, "a, b,", ("a", "b")),
        (LIST, ["a"], ("a",)),
    ],
)
def test_values_are_read_and_what_is_shown_is_read_again(kind, given, value):
    assert kind.read(given) == value
    assert kind.read(kind.show(value)) == value


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (ADDRESS, "7420"), (ADDRESS, "::1:7420"), (ADDRESS, "http://h:1"), (ADDRESS, ":1"), (ADDRESS, "h:x"), (ADDRESS, 1),
        (BYTES, "-1"), (BYTES, "1 parsec"), (DURATION, "soon"), (DURATION, ""), (DURATION, "-1s"), (DURATION, True),
        (FLAG, "maybe"), (FLAG, 1), (LIST, [1]),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(kind, given):
    with pytest.raises(ValueError):
        kind.read(given)


def test_every_default_can_be_written_down_and_read_again():
    for setting in SETTINGS:
        if setting.default is not None:
            assert setting.kind.read(setting.kind.show(setting.default)) == setting.default


@pytest.mark.parametrize("setting", [*CLIENT_SETTINGS, *WORKER_SETTINGS], ids=lambda setting: setting.name)
def test_every_setting_of_clients_and_workers_is_in_the_reference(setting):
    table = tables.client_table() if setting in CLIENT_SETTINGS else tables.worker_table()
    [row] = [row for row in table.splitlines() if row.startswith(f"| `{setting.own_name}` |")]
    assert f"`{setting.flag}`" in row and f"`{setting.variable}`" in row and setting.help in row


@pytest.mark.parametrize("name", BY_NAME)
def test_every_setting_is_in_the_reference(name):
    [row] = [row for row in tables.server_table().splitlines() if row.startswith(f"| `{name}` |")]
    meaning = row.split(" | ")[2]
    assert meaning and not meaning.startswith("See ")


def test_the_table_of_clients_is_no_business_of_the_server(tmp_path):
    path = tmp_path / "perdure.toml"
    path.write_text('rest_address = "127.0.0.1:9"\n[client]\nserver = "https://flows.example"\ntoken = "secret"\n')
    assert read_config({}, {}, str(path)).origins["rest_address"] == f"{path}, line 1"
    found = read_client_config({"PERDURE_CA": "ca.pem"}, str(path))
    assert (found["client.server"], found["client.ca"]) == ("https://flows.example", "ca.pem")
    assert found.origins["client.ca"] == "PERDURE_CA" and found.origins["client.client_key"] == "default"
    (token,) = [setting for setting in CLIENT_SETTINGS if setting.name == "client.token"]
    assert token.shown(found["client.token"]) == "(secret)"
    assert {setting.variable for setting in CLIENT_SETTINGS} < set(CLIENT_VARIABLES)


def test_a_worker_has_settings_of_its_own(tmp_path):
    path = tmp_path / "perdure.toml"
    path.write_text('[worker]\nqueues = ["orders", "mail"]\nmax_turns = 7\nmax_cpu = 0.5\n')
    environment = {"PERDURE_WORKER_MAX_TURNS": "9", "PERDURE_WORKER_GRACE": "1m"}
    assert read_config({}, environment, str(path))["rest_address"].port == 7420, "which are no business of the server"
    found = read_worker_config(environment, str(path))
    assert (found["worker.queues"], found["worker.max_cpu"]) == (("orders", "mail"), 0.5)
    assert (found["worker.max_turns"], found.origins["worker.max_turns"]) == (9, "PERDURE_WORKER_MAX_TURNS")
    assert found["worker.grace"] == 60 * SECOND_NS and found["worker.max_threads"] == 64
    assert {setting.variable for setting in WORKER_SETTINGS} == set(WORKER_VARIABLES)
    path.write_text("[worker]\nmax_turn = 7\n")
    with pytest.raises(InvalidArgumentError, match=r"Did you mean worker\.max_turns"):
        read_worker_config({}, str(path))
