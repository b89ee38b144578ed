"""Search as its users meet it, on every store."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.conftest import settled

import perdure
from perdure import App, workflow
from perdure.model.options import RunStatus

app = App("search")


@app.workflow
async def loan(customer: str, amount: int) -> str:
    workflow.upsert_search_attributes(
        {"Customer": customer, "Amount": amount, "Asked": datetime(2026, 1, 31, tzinfo=UTC)}
    )
    decision = await workflow.receive("decide", str)
    workflow.upsert_search_attributes({"Decision": decision, "Customer": None})
    return decision


@app.workflow
async def wrong(value: object) -> None:
    workflow.upsert_search_attributes({"Fresh": 1, "Amount": value})


@app.workflow
async def parent(amount: int) -> str:
    return await child.options(id="child", search_attributes={"Amount": amount})()


@app.workflow
async def child() -> str:
    return "done"


async def ids(client: perdure.Client, filter: str = "", **options) -> list[str]:
    return [run.id async for run in client.list(filter, **options)]


async def eventually(condition) -> None:
    async with asyncio.timeout(100):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_runs_are_found_by_what_they_set(opened):
    async with opened(app) as client:
        for number in range(5):
            run = await client.start(loan, "ada" if number % 2 else "bob", number * 1000, id=f"loan-{number}")
            await run.query("__stack_trace")  # it has taken its first turn
        assert await ids(client, "Amount > 1500") == ["loan-4", "loan-3", "loan-2"]
        assert await ids(client, "Customer = 'ada' ORDER BY Amount") == ["loan-1", "loan-3"]
        assert await ids(client, "Amount > 1500", status="completed") == []
        assert await ids(client, "ORDER BY Amount DESC", workflow_type=loan) == [f"loan-{n}" for n in (4, 3, 2, 1, 0)]
        assert await ids(client, "Asked = '2026-01-31'") == [f"loan-{n}" for n in (4, 3, 2, 1, 0)]
        await client.get("loan-3").signal("decide", "yes")
        assert await client.get("loan-3").result() == "yes"
        assert await ids(client, "Decision = 'yes' AND Customer IS NULL") == ["loan-3"]
        (found,) = [run async for run in client.list("Decision = 'yes'")]
        assert found.search_attributes == {
            "Amount": 3000,
            "Asked": datetime(2026, 1, 31, tzinfo=UTC),
            "Decision": "yes",
        }
        assert found.build_id and await ids(client, f"BuildId != '{found.build_id}'") == []
        assert await client.search_attributes() == {
            "Customer": "keyword",
            "Amount": "int",
            "Asked": "datetime",
            "Decision": "keyword",
        }


async def test_counts(opened):
    async with opened(app) as client:
        for number in range(5):
            run = await client.start(loan, "ada" if number % 2 else "bob", number, id=f"loan-{number}")
            await run.query("__stack_trace")
        await client.get("loan-0").signal("decide", "no")
        await client.get("loan-0").result()
        assert await client.count() == 5
        assert await client.count("Amount >= 3") == 2
        assert await client.count(status="running") == 4
        assert await client.count_by("GROUP BY ExecutionStatus") == {RunStatus.RUNNING: 4, RunStatus.COMPLETED: 1}
        by_customer = await client.count_by("GROUP BY Customer", workflow_type="loan")
        assert next(iter(by_customer.values())) == 2 and by_customer == {"ada": 2, "bob": 2, None: 1}
        pairs = await client.count_by("Amount < 2 GROUP BY Customer, Asked")
        assert pairs == {("ada", datetime(2026, 1, 31, tzinfo=UTC)): 1, (None, datetime(2026, 1, 31, tzinfo=UTC)): 1}
        (duration,) = await client.count_by("CloseTime IS NOT NULL GROUP BY ExecutionDuration")
        assert isinstance(duration, timedelta)
        with pytest.raises(perdure.InvalidArgumentError, match=r"client\.count_by"):
            await client.count("GROUP BY Customer")
        with pytest.raises(perdure.InvalidArgumentError, match="GROUP BY"):
            await client.count_by("Amount = 1")


async def test_a_bad_filter_is_told_with_its_place(opened):
    async with opened(app) as client:
        with pytest.raises(perdure.InvalidArgumentError, match=r"line 1, column 26: there is ';'"):
            await ids(client, "ExecutionStatus='Running'; DROP TABLE runs")
        with pytest.raises(perdure.InvalidArgumentError, match="there is no attribute 'Amount'"):
            await client.count("Amount = 1")
        assert await ids(client) == []


@pytest.mark.parametrize("value", ["many", 2.5, True, [1], {"a": 1}, 1 << 70, "x" * 5000])
async def test_a_value_of_another_type_fails_the_turn_and_nothing_of_it_happens(opened, value):
    async with opened(app) as client:
        await client.add_search_attributes({"Amount": "int"})
        run = await client.start(wrong, value, id="wrong")
        details = await settled(run)
        assert details.turn is not None
        assert details.turn.last_cause == "BAD_SEARCH_ATTRIBUTES"
        assert "Search attribute 'Amount'" in details.turn.last_failure.message
        assert (details.status, details.search_attributes) == (RunStatus.RUNNING, {})
        assert "Fresh" not in await client.search_attributes()


async def test_mended_code_goes_on(store_url):
    async with perdure.open(app, store=store_url) as client:
        if store_url.startswith("memory"):
            pytest.skip("a store in memory ends with its engine")
        await client.execute(child, id="first", search_attributes={"Amount": 1})
        await client.start(wrong, "many", id="wrong")
        assert await ids(client, "Amount IS NULL") == ["wrong"]

    mended = App("search")

    @mended.workflow(name="wrong")
    async def right(value: str) -> int:
        workflow.upsert_search_attributes({"Amount": len(value)})
        return len(value)

    async with perdure.open(mended, store=store_url) as client:
        assert await client.get("wrong").result() == 4
        assert await ids(client, "Amount = 4") == ["wrong"]


async def test_a_start_with_a_value_of_another_type_is_refused(opened):
    async with opened(app) as client:
        await client.execute(child, id="first", search_attributes={"Amount": 1})
        for attributes, message in {
            "a": ({"Amount": "x"}, '"x" is no int. It is int in this namespace since'),
            "b": ({"Amount": 1, "RunId": "x"}, "set by the engine alone"),
            "c": ({"Odd": {"a": 1}}, "can't be searched by"),
            "d": ({f"A{n}": n for n in range(101)}, "limit search_attributes"),
        }.values():
            with pytest.raises(perdure.InvalidArgumentError) as raised:
                await client.start(child, id="second", search_attributes=attributes)
            assert message in str(raised.value)
        assert await client.count() == 1
        assert await client.search_attributes() == {"Amount": "int"}


async def test_a_child_with_a_value_of_another_type_fails_its_parents_turn(opened):
    async with opened(app) as client:
        await client.add_search_attributes({"Amount": "keyword"})
        run = await client.start(parent, 5, id="parent")
        assert (await settled(run)).turn.last_cause == "BAD_SEARCH_ATTRIBUTES"
        assert await ids(client) == ["parent"]


async def test_children_are_found_by_their_parent(opened):
    async with opened(app) as client:
        assert await client.execute(parent, 5, id="parent") == "done"
        assert await ids(client, "ParentWorkflowId = 'parent' AND Amount = 5") == ["child"]
        assert await ids(client, "ParentWorkflowId IS NULL") == ["parent"]


async def test_types_can_be_registered(opened):
    async with opened(app) as client:
        await client.add_search_attributes({"Note": "text", "Rate": "float"})
        await client.add_search_attributes({"Note": "text"})
        await client.execute(child, id="one", search_attributes={"Note": "Paid late, again", "Rate": 3})
        assert await ids(client, "Note = 'again LATE' AND Rate = 3.0") == ["one"]
        assert await ids(client, "Note = 'early'") == []
        with pytest.raises(perdure.AlreadyExistsError, match="'Note' is text in namespace 'default' already"):
            await client.add_search_attributes({"Other": "int", "Note": "keyword"})
        with pytest.raises(perdure.InvalidArgumentError, match="choose one of 'text', 'keyword'"):
            await client.add_search_attributes({"Note": "varchar"})
        with pytest.raises(perdure.InvalidArgumentError, match="set by the engine alone"):
            await client.add_search_attributes({"WorkflowId": "keyword"})
        assert await client.search_attributes() == {"Note": "text", "Rate": "float"}
        assert await client.with_namespace("other").search_attributes() == {}


async def test_what_is_removed_is_unknown_until_it_is_added_again(opened):
    async with opened(app) as client:
        running = await client.start(loan, "ada", 5, id="loan")
        await running.query("__stack_trace")
        await client.remove_search_attributes("Amount", "Nothing")
        await client.remove_search_attributes("Amount")
        assert set(await client.search_attributes()) == {"Customer", "Asked"}
        with pytest.raises(perdure.InvalidArgumentError, match="there is no attribute 'Amount'"):
            await ids(client, "Amount = 5")
        with pytest.raises(perdure.InvalidArgumentError, match="'Amount' was removed from this namespace"):
            await client.start(child, id="second", search_attributes={"Amount": 6})
        refused = await client.start(loan, "bob", 7, id="refused")
        assert (await settled(refused)).turn.last_cause == "BAD_SEARCH_ATTRIBUTES"
        # A run that has a value goes on, and does not bring the attribute back.
        await running.signal("decide", "yes")
        assert await running.result() == "yes"
        assert await ids(client, "Decision = 'yes'") == ["loan"] and "Amount" not in await client.search_attributes()
        assert (await running.describe()).search_attributes["Amount"] == 5
        history = await running.fetch_history()
        await running.delete()
        back = await client.import_history(history)
        assert (await back.describe()).search_attributes["Amount"] == 5
        with pytest.raises(perdure.InvalidArgumentError, match="engine's own"):
            await client.remove_search_attributes("Customer", "ScheduledById")
        # With another type: what was set before is there, and is no keyword.
        await client.add_search_attributes({"Amount": "keyword"})
        await client.execute(child, id="third", search_attributes={"Amount": "much"})
        assert await ids(client, "Amount IS NOT NULL") == ["third"]
        assert await ids(client, "ORDER BY Amount, WorkflowId") == ["third", "loan", "refused"]
        # And with the one that it had.
        await client.remove_search_attributes("Amount")
        await client.add_search_attributes({"Amount": "int"})
        assert await ids(client, "Amount = 5") == ["loan"]


async def test_a_list_goes_through_all_pages(opened, monkeypatch):
    monkeypatch.setattr("perdure.sdk.client.LIST_PAGE", 3)
    async with opened(app) as client:
        for number in range(10):
            await client.execute(child, id=f"c{number}", search_attributes={"Amount": number // 2})
        assert await ids(client, "ORDER BY Amount, WorkflowId DESC") == [f"c{n ^ 1}" for n in range(10)]
        assert await ids(client, "Amount >= 1") == [f"c{n}" for n in range(9, 1, -1)]


async def test_continued_runs_keep_what_they_are_found_by(opened):
    counting = App("counting")

    @counting.workflow
    async def count_down(left: int) -> int:
        workflow.upsert_search_attributes({"Left": left})
        if left:
            workflow.continue_as_new(left - 1)
        return left

    async with opened(counting) as client:
        await client.execute(count_down, 2, id="x", search_attributes={"Branch": "Berlin"})
        assert await client.count_by("Branch = 'Berlin' GROUP BY Left") == {0: 1, 1: 1, 2: 1}
