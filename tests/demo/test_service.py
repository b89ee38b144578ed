"""The payment service keeps its own books, whatever goes wrong between it and its callers."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.demo.ledger import Books, Ledger, read_books
from perdure.demo.service import FAULT_SHARES, Fault, Service, Weather


class Forecast(Weather):
    """Weather as the test wants it."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.faults: list[Fault] = []

    def draw(self, action: str) -> tuple[float, Fault | None]:
        return 0.0, self.faults.pop(0) if self.faults else None


class Town:
    """A service that runs, and its books."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weather = Forecast()
        self.ledger = Ledger(path)
        self.ledger.put_in_stock({"book": 3})
        self.server = Service(self.ledger, self.weather)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def ask(self, action: str, key: str = "", **arguments: object) -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        headers = {"X-Engine": "1", **({"Idempotency-Key": key} if key else {})}
        try:
            connection.request("POST", f"/{action}", json.dumps({"order": "0001", **arguments}), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def books(self) -> Books:
        return read_books(self.path)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path / "ledger.db")
    yield town
    town.server.shutdown()
    town.server.server_close()
    town.ledger.close()


def test_a_repeat_under_the_same_key_gets_the_first_answer_and_no_second_charge(town):
    first = town.ask("charge", "key-1", card="card-1", cents=500)
    second = town.ask("charge", "key-1", card="card-1", cents=500)
    third = town.ask("charge", "key-2", card="card-1", cents=500)

    assert first == second == (201, {"payment": 1})
    assert third == (201, {"payment": 2})
    assert [request.is_repeat for request in town.books().requests] == [False, True, False]


@pytest.mark.parametrize("action", ["charge", "reserve"])
def test_the_same_key_means_another_thing_for_another_action(town, action):
    town.ask("charge", "key-1", card="card-1", cents=500)
    status, _ = town.ask("reserve", "key-1", sku="book", quantity=1)

    assert status == 201
    assert len(town.books().orders["0001"].reservations) == 1


def test_the_printer_prints_whenever_it_is_asked(town):
    town.ask("invoice")
    town.ask("invoice")

    assert len(town.books().orders["0001"].invoices) == 2


def test_a_fault_after_the_effect_leaves_the_effect(town):
    town.weather.faults = [Fault.FAILED_AFTER, Fault.DROPPED_AFTER]

    assert town.ask("charge", "key-1", card="card-1", cents=500)[0] == 500
    with pytest.raises(http.client.RemoteDisconnected):
        town.ask("charge", "key-2", card="card-1", cents=500)

    assert len(town.books().orders["0001"].charges) == 2
    assert town.ask("charge", "key-1", card="card-1", cents=500) == (201, {"payment": 1})
    assert town.ask("charge", "key-2", card="card-1", cents=500) == (201, {"payment": 2})


def test_a_fault_before_the_effect_leaves_none(town):
    town.weather.faults = [Fault.FAILED_BEFORE, Fault.DROPPED_BEFORE]

    assert town.ask("charge", "key-1", card="card-1", cents=500)[0] == 503
    with pytest.raises(http.client.RemoteDisconnected):
        town.ask("charge", "key-1", card="card-1", cents=500)

    assert town.books().orders["0001"].charges == []
    assert [request.fault for request in town.books().requests] == [Fault.FAILED_BEFORE, Fault.DROPPED_BEFORE]


def test_goods_that_are_gone_are_refused_until_somebody_releases_some(town):
    _, held = town.ask("reserve", sku="book", quantity=2)
    assert town.ask("reserve", sku="book", quantity=2)[0] == 409
    assert town.ask("release", reservation=held["reservation"])[0] == 201
    assert town.ask("release", reservation=held["reservation"])[0] == 409
    _, again = town.ask("reserve", sku="book", quantity=3)
    assert town.ask("ship", reservation=again["reservation"]) == (201, {"tracking": "track-3"})
    assert town.ask("release", reservation=again["reservation"])[0] == 409
    [stock] = town.books().stock
    assert stock.free == 0


def test_weather_is_drawn_from_the_seed_and_has_every_fault():
    first, second = Weather(7), Weather(7)
    drawn = [first.draw("charge") for _ in range(2000)]

    assert drawn == [second.draw("charge") for _ in range(2000)]
    assert {fault for _, fault in drawn} == {None, *FAULT_SHARES}
