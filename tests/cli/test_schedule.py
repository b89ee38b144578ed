"""``perdure schedule list`` on a store that an engine has open, and on one without schedules."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import perdure as engine
from perdure import App, Calendar

app = App("jobs")


@app.workflow
async def tidy(what: str) -> str:
    return what


async def test_schedules_of_a_store_in_use(perdure, tmp_path):
    path = tmp_path / "work.db"
    async with engine.open(app, store=f"sqlite:///{path}") as client:
        await client.schedules.create(
            "nightly", tidy, "a", cron="0 2 * * *", timezone="Europe/Berlin", overlap="buffer_one"
        )
        await client.schedules.create("hourly", tidy, "a", every=timedelta(hours=1), paused=True, note="later")
        await client.schedules.create("once", tidy, "a", calendar=Calendar(year=2099, month=5, day_of_month=1, hour=12))
        await client.with_namespace("other").schedules.create("theirs", tidy, "a", every=60)
        shown = await asyncio.to_thread(perdure, "schedule", "list", path, "--utc")
        assert shown.exit_code == 0
        header, once, hourly, nightly = shown.lines
        assert header.split() == ["SCHEDULE", "WORKFLOW", "WHEN", "NEXT", "OVERLAP", "NOTE"]
        assert "2099-05-01 12:00:00+00:00" in once
        assert hourly.split() == ["hourly", "tidy", "every", "1:00:00", "paused", "skip", "later"]
        assert "0 2 * * * Europe/Berlin" in nightly and "buffer_one" in nightly
        listed = await asyncio.to_thread(perdure, "schedule", "list", path, "--json")
        found = {line["id"]: line for line in map(json.loads, listed.lines)}
        assert found.keys() == {"nightly", "hourly", "once"}
        assert found["hourly"]["next_times"] == []
        [first, *_] = found["nightly"]["next_times"]
        assert datetime.fromisoformat(first[:19]).replace(tzinfo=UTC) > datetime.now(UTC)
        theirs = await asyncio.to_thread(perdure, "schedule", "list", path, "-n", "other")
        assert theirs.lines[1].startswith("theirs")
        await client.schedules.get("nightly").pause("until May")
    assert len((await asyncio.to_thread(perdure, "schedule", "list", path)).lines) == 4
    own = ("history", path, "schedule:default:nightly", "-n", "perdure.system", "--full")
    told = [line for line in (await asyncio.to_thread(perdure, *own)).lines if line.strip().startswith("state: ")]
    assert '"upcoming":[0,0,[{"nominal":' in told[0] and '"note":"until May"' in told[1], "what each turn has changed"


def test_a_store_without_schedules(perdure, store):
    shown = perdure("schedule", "list", store)
    assert (shown.exit_code, shown.out) == (0, "")
    assert "no schedules in namespace 'default'" in shown.err
