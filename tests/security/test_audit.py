"""The audit log: chained, verified, and not to be filled by whoever is refused."""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import InvalidArgumentError, StoreCorruptError, StoreError
from perdure.security import AuditLog, Head, verify
from perdure.security import audit as module
from perdure.security.audit import stored_entries
from perdure.security.chain import canonical, seal
from perdure.security.others import Others


def chain(count: int) -> list[bytes]:
    head, entries = Head(), []
    for number in range(count):
        entry = seal({"act": "delete", "who": f"user {number}", "n": number}, head)
        head = Head(entry["seq"], entry["hash"])
        entries.append(canonical(entry))
    return entries


def test_a_whole_log_is_good():
    verdict = verify(chain(20))
    assert verdict.problem == ""
    assert verdict.head.count == 20
    assert verify([]).head == Head()
    assert verify(chain(20), expected=verdict.head).problem == ""
    assert verify(chain(20), expected=verify(chain(7)).head).problem == ""


@given(where=st.integers(0, 19), how=st.sampled_from(["change", "remove", "insert", "swap", "rewrite", "garble"]))
def test_whatever_is_done_to_an_entry_is_found(where: int, how: str) -> None:
    entries = chain(20)
    good = verify(entries).head
    entry = msgspec.json.decode(entries[where])
    match how:
        case "change":
            entries[where] = canonical({**entry, "who": "nobody"})
        case "remove":
            del entries[where]
        case "insert":
            entries.insert(where, canonical(seal({"act": "x"}, Head(where, entry["prev"]))))
        case "swap":
            entries[where], entries[where - 1] = entries[where - 1], entries[where]
        case "rewrite":  # with a hash that fits
            changed = {name: value for name, value in entry.items() if name not in ("hash", "seq", "prev")}
            entries[where] = canonical(seal({**changed, "who": "nobody"}, Head(where, entry["prev"])))
        case _:
            entries[where] = entries[where][:-3]
    verdict = verify(entries, expected=good)
    assert verdict.problem, how
    if how != "insert":
        assert verdict.head.count <= 20


def test_the_end_that_was_cut_off_is_found_by_a_head_that_was_kept():
    entries = chain(20)
    head = verify(entries).head
    assert verify(entries[:15]).problem == ""
    assert "its end was cut off" in verify(entries[:15], expected=head).problem
    # And one that was written anew from the middle.
    anew = entries[:10]
    start = verify(anew).head
    for _ in range(10):
        entry = seal({"act": "other"}, start)
        start = Head(entry["seq"], entry["hash"])
        anew.append(canonical(entry))
    assert verify(anew).problem == ""
    assert "written anew" in verify(anew, expected=head).problem


def test_heads_as_text():
    head = verify(chain(3)).head
    assert Head.parse(str(head)) == head
    for text in ("", "3", "x:" + "0" * 64, "3:" + "0" * 63, "3:" + "g" * 64):
        with pytest.raises(InvalidArgumentError, match="no head of an audit log"):
            Head.parse(text)


async def test_the_log_goes_on_where_it_ended(store, clock, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_SIZE", 7)
    await store.open()
    log = AuditLog(store, clock)
    for times in range(4):
        log = AuditLog(store, clock)
        await log.open()
        assert log.head.count == times * 5
        await asyncio.gather(*(log.record("act", f"who {number}", "::1", number=number) for number in range(5)))
        await log.close()
    entries = await stored_entries(store)
    assert verify(entries, expected=log.head).problem == ""
    assert log.head.count == 20
    assert len(await store.documents(module.SEGMENTS)) == 3
    await store.close()


# --- pruning


async def test_old_entries_go_and_the_rest_is_proved(store, clock, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_SIZE", 7)
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    heads = [log.head]
    for number in range(20):
        await log.record("act", "who", "::1", number=number)
        heads.append(log.head)
        clock.move(60)
    assert await log.prune(clock() - 100 * 60 * 10**9, "me", "file") == 0
    assert log.head == heads[20]
    assert await log.prune(clock() - 5 * 60 * 10**9, "me", "file") == 15
    entries = await stored_entries(store)
    decoded = [msgspec.json.decode(entry) for entry in entries]
    assert [entry["seq"] for entry in decoded] == [16, 17, 18, 19, 20, 21]
    assert (decoded[-1]["act"], decoded[-1]["who"], decoded[-1]["pruned_to"]) == ("prune_audit", "me", str(heads[15]))
    assert len(await store.documents(module.SEGMENTS)) == 1
    verdict = verify(entries)
    assert (verdict.problem, verdict.pruned, verdict.head) == ("", 15, log.head)
    # By the heads that were kept: those of entries that are gone prove nothing, all others do.
    for number, head in enumerate(heads[1:], 1):
        problem = verify(entries, expected=head).problem
        assert bool(problem) is (number < 15), (number, problem)
    assert "written anew" in verify(entries, expected=Head(15, "0" * 64)).problem
    assert "has been pruned with all up to 15" in verify(entries, expected=heads[3]).problem

    # It goes on, and is pruned again, with the entry that stood for the others.
    again = AuditLog(store, clock)
    await again.open()
    assert again.head == log.head
    clock.move(600)
    await again.record("act", "who", "::1")
    assert await again.prune(clock(), "me", "file") == 6
    entries = await stored_entries(store)
    assert [msgspec.json.decode(entry)["seq"] for entry in entries] == [22, 23]
    assert verify(entries, expected=again.head).problem == ""
    await store.close()


@pytest.mark.parametrize("done", range(12))
async def test_pruning_that_is_interrupted_leaves_a_log_that_is_good(store, clock, monkeypatch, done):
    monkeypatch.setattr(module, "SEGMENT_SIZE", 3)
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(8):
        await log.record("act", "who", "")
        clock.move(60)
    set_document, writes = store.set_document, 0

    async def failing(kind, key, data):
        nonlocal writes
        if writes == done:
            raise StoreError("The disk is full.")
        writes += 1
        await set_document(kind, key, data)

    with monkeypatch.context() as patched:
        patched.setattr(store, "set_document", failing)
        with pytest.raises(StoreError):
            await log.prune(clock(), "me", "")
            raise StoreError("it was finished")
    entries = await stored_entries(store)
    assert verify(entries).problem == "", done
    log = AuditLog(store, clock)
    await log.open()
    clock.move(60)
    await log.prune(clock(), "me", "")
    verdict = verify(await stored_entries(store))
    assert verdict.problem == "" and verdict.pruned == verdict.head.count - 1
    await store.close()


@given(cut=st.integers(1, 12), claimed=st.integers(0, 12) | st.none(), anew=st.booleans())
def test_a_beginning_is_missed_unless_an_entry_accounts_for_it(cut: int, claimed: int | None, anew: bool) -> None:
    entries = chain(12)
    whole = verify(entries).head
    if claimed is not None:
        removed = verify(entries[:claimed]).head
        if anew:
            removed = Head(removed.count, "f" * 64)
        entry = seal({"act": "prune_audit", "outcome": "allowed", "pruned_to": str(removed)}, whole)
    else:
        entry = seal({"act": "other", "pruned_to": str(whole)}, whole)
    left = [*entries, canonical(entry)][cut:]
    is_good = claimed is not None and (claimed > cut or (claimed == cut and not anew))
    verdict = verify(left)
    assert (verdict.problem == "") is is_good
    if not is_good:
        assert "no entry says that they were pruned" in verdict.problem


async def test_what_was_changed_is_not_pruned_away(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for number in range(5):
        await log.record("act", f"who {number}", "")
    ((segment, _),) = await store.documents(module.SEGMENTS)
    key, data = (await store.documents(segment))[2]
    for changed in (data.replace(b"who 2", b"eve"), b"\xff"):
        await store.set_document(segment, key, changed)
        clock.move(60)
        with pytest.raises(StoreCorruptError, match="not as it was written: entry 3"):
            await log.prune(clock(), "me", "")
        assert len(await stored_entries(store)) == 5
    await store.close()


async def test_a_last_entry_that_cannot_be_read_is_an_error_not_a_crash(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    await log.record("act", "who", "")
    ((segment, _),) = await store.documents(module.SEGMENTS)
    for changed in (b"\xff", b"[]", b"{}", b'{"seq": 1, "hash": 7}'):
        await store.set_document(segment, f"{1:015d}", changed)
        with pytest.raises(StoreCorruptError, match="last entry of the audit log, 1, can't be read"):
            await AuditLog(store, clock).open()
    await store.close()


async def test_a_server_prunes_by_itself(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    await log.record("old", "who", "")
    clock.move(100)
    await log.record("new", "who", "")
    log = AuditLog(store, clock)
    await log.open(retention_ns=50 * 10**9)
    while len(entries := await stored_entries(store)) != 2 or b"prune_audit" not in entries[-1]:
        await asyncio.sleep(0)
    await log.close()
    assert [msgspec.json.decode(entry)["act"] for entry in entries] == ["new", "prune_audit"]
    assert verify(entries, expected=log.head).problem == ""
    await store.close()


async def test_an_entry_whose_asker_goes_away_is_finished(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(20):
        task = asyncio.create_task(log.record("act", "who", ""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    await log.record("last", "who", "")
    await log.close()
    entries = await stored_entries(store)
    assert verify(entries, expected=log.head).problem == ""
    assert msgspec.json.decode(entries[-1])["act"] == "last"
    await store.close()


async def test_what_cannot_be_written_is_refused(store, clock):
    log = AuditLog(store, clock)
    with pytest.raises(StoreError):
        await log.record("delete", "who", "")  # the store is not open
    assert log.head == Head()


# --- floods


async def entries_after(store, log):
    await log.close()
    return [msgspec.json.decode(entry) for entry in await stored_entries(store)]


async def test_equal_refusals_become_one_entry_with_a_count(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(1000):
        log.refused("start", "ann", "10.0.0.7", "no")
    log.refused("start", "bob", "10.0.0.7", "no")
    first, *rest = await entries_after(store, log)
    assert first["outcome"] == "refused" and "count" not in first
    assert [(entry["who"], entry.get("count")) for entry in rest] == [("bob", None), ("ann", 999)]
    await store.close()


async def test_after_a_minute_a_refusal_is_written_again(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for _ in range(3):
        log.refused("start", "ann", "", "no")
        log.refused("start", "ann", "", "no")
        clock.move(61)
    entries = await entries_after(store, log)
    assert sorted(entry.get("count", 0) for entry in entries) == [0, 0, 0, 1, 1, 1]
    await store.close()


async def test_nobody_fills_the_disk_with_refusals(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for number in range(4_000):  # each of its own kind, over a quarter of an hour
        log.refused("authenticate", "", f"2001:db8::{number:x}", "x" * 5000)
        clock.move(0.25)
    entries = await entries_after(store, log)
    seconds = 4_000 * 0.25
    assert len(entries) <= module.BURST + seconds * module.PER_SECOND + seconds / 60 + 2
    assert sum(entry.get("count", 1) for entry in entries) == 4_000
    assert max(len(canonical(entry)) for entry in entries if entry["act"] != "others") < 1000
    assert max(len(canonical(entry)) for entry in entries) < 20_000
    assert verify([canonical(entry) for entry in entries]).problem == ""
    await store.close()


async def test_nobody_hides_in_a_flood_of_others(store, clock):
    await store.open()
    log = AuditLog(store, clock)
    await log.open()
    for number in range(3_000):
        log.refused("authenticate", "", f"2001:db8::{number:x}", "no")
    for _ in range(7):
        log.refused("delete", "mallory", "10.0.0.7", "may not")
        log.refused("start", "mallory", "10.0.0.7", "may not")
    *_, last = await entries_after(store, log)
    assert (last["act"], last["count"]) == ("others", 3_014 - module.BURST)
    assert last["callers"].startswith("mallory from 10.0.0.7: delete 7, start 7; nobody from 2001:db8::")
    assert last["callers"].endswith("; and 2701 of others")
    await store.close()


def test_others_are_told_apart_within_bounds():
    others = Others()
    for number in range(500):
        others.add("list", "", f"10.0.{number}.1")
    for act in ("delete", "start", "start"):
        others.add(act, "mallory", "10.0.0.7")
    for number in range(50):
        others.add(f"act-{number}", "x" * 5_000, "y" * 5_000)
    first, second, third, *_ = others.callers.split("; ")
    assert first.endswith("others 42, act-0 1, act-1 1, act-2 1, act-3 1, act-4 1, act-5 1, act-6 1, act-7 1")
    assert second == "mallory from 10.0.0.7: start 2, delete 1"
    assert third == "nobody from 10.0.0.1: list 1"
    for number in range(5_000):
        others.add("list", "", f"10.1.{number}.1")
    assert others.count == 5_553
    assert others.callers.endswith("; and 5402 of others") and len(others.callers) < 20_000


@settings(max_examples=30)
@given(text=st.text(max_size=300) | st.just("\ud800"))
def test_any_text_can_be_written_down(text: str) -> None:
    entry = seal({"who": module._short(text)}, Head())
    assert verify([canonical(entry)]).problem == ""
