"""What holds of the kernel whatever is asked of it, in whatever order."""

import copy
from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernel.ledger import Ledger, decode_message, decode_records, encode
from tests.kernel.strategies import RECORDS, records, requests_for, structs
from tests.soaking import often

from perdure.kernel import derive
from perdure.kernel.commit import Commit, Message, Rejection
from perdure.kernel.explain import explain
from perdure.kernel.timer import deadline
from perdure.kernel.transition import start, start_fork, transition
from perdure.model import events as e
from perdure.model import requests as r
from perdure.model.explanation import WaitKind
from perdure.model.ids import ParentLink
from perdure.model.limits import Limits
from perdure.model.options import SECOND_NS, RetryPolicy

BEGINNING = 1_700_000_000 * SECOND_NS
LIMITS = Limits(
    pending_activities=6, pending_timers=6, pending_children=4, buffered_events=4, suggest_history_events=20
)

LENGTHS = st.integers(3, 40)

stories = settings(max_examples=often(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Story:
    """A run, what is stored of it, and the time."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.now = BEGINNING
        request = data.draw(structs(r.StartWorkflow))
        request = msgspec.structs.replace(
            request,
            workflow_id="order",
            start_delay_ns=data.draw(st.sampled_from((0, 0, 0, SECOND_NS))),
            execution_expiration_time=0,
            parent=data.draw(st.sampled_from((None, ParentLink("default", "shop", "p1", 5)))),
        )
        commit = start("default", "r1", request, self.now, LIMITS)
        self.run = commit.run
        self.ledger = Ledger("default", "r1")
        self.keep(commit)

    def keep(self, commit: Commit) -> None:
        """Write a commit, and check everything."""
        commit.seal()
        self.ledger.write(commit)
        self.ledger.check(self.run)

    def draw_request(self) -> Any:
        """The next thing that is asked, after a while."""
        self.now += self.data.draw(st.sampled_from((0, 0, 1, SECOND_NS, 2 * SECOND_NS)))
        request = self.data.draw(requests_for(self.run))
        if isinstance(request, r.FireTimer) and self.data.draw(st.integers(0, 4)):
            self.now = max(self.now, min(deadline(self.run, request.key), self.now + 3600 * SECOND_NS))
        return request

    def ask(self, request: Any, commit: Commit | None = None) -> Commit | Rejection:
        """Have it decided."""
        return transition(self.run, request, self.now, LIMITS, commit)


@given(st.data())
@stories
def test_nothing_raises_and_a_rejection_changes_nothing(data: st.DataObject) -> None:
    story = Story(data)
    for _ in range(data.draw(LENGTHS)):
        before = copy.deepcopy(story.run)
        outcome = story.ask(story.draw_request())
        if isinstance(outcome, Rejection):
            assert story.run == before
            assert outcome.message
            story.ledger.check(story.run)
        else:
            story.keep(outcome)
    story.ledger.check_whole()


@given(st.data())
@stories
def test_requests_that_share_a_commit_come_to_the_same(data: st.DataObject) -> None:
    """Decisions joined in one commit leave the same history and the same rows as one commit each; a rejection spoils nothing."""
    story = Story(data)
    other = story.ledger.copy()
    apart = other.fold()
    for _ in range(data.draw(st.integers(1, 6))):
        commit = Commit(story.run, story.now, LIMITS)
        for _ in range(data.draw(st.integers(1, 4))):
            request = data.draw(requests_for(story.run))
            outcome = story.ask(request, commit)
            alone = transition(apart, request, story.now, LIMITS)
            assert isinstance(outcome, Rejection) == isinstance(alone, Rejection)
            if isinstance(alone, Commit):
                assert outcome is commit
                alone.seal()
                other.write(alone)
        story.keep(commit)
        story.now += data.draw(st.sampled_from((0, SECOND_NS, 10 * SECOND_NS)))
    assert story.ledger.records() == other.records()
    assert story.ledger.timers == other.timers
    assert story.ledger.messages == other.messages
    assert story.ledger.tasks.keys() == other.tasks.keys()


@given(st.data())
@stories
def test_the_same_state_decides_the_same(data: st.DataObject) -> None:
    """A decision depends on the state, the request and the time; and what is read back from the store is the same state."""
    story = Story(data)
    for _ in range(data.draw(LENGTHS)):
        request = story.draw_request()
        twin = story.ledger.fold()
        theirs = transition(twin, request, story.now, LIMITS)
        ours = story.ask(request)
        assert _content(ours) == _content(theirs)
        assert story.run == twin
        if isinstance(ours, Commit):
            story.keep(ours)


def _content(outcome: Commit | Rejection) -> Any:
    if isinstance(outcome, Rejection):
        return outcome
    names = ("records", "messages", "ready", "cancelled", "answers", "successor", "is_visible")
    return [getattr(outcome, name) for name in names]


@given(st.data())
@stories
def test_a_repeat_changes_nothing(data: st.DataObject) -> None:
    """Everything but a heartbeat and a nameless signal may be sent twice."""
    story = Story(data)
    for _ in range(data.draw(LENGTHS)):
        request = story.draw_request()
        outcome = story.ask(request)
        if isinstance(outcome, Rejection):
            continue
        story.keep(outcome)
        if isinstance(request, r.HeartbeatActivity) or (
            isinstance(request, r.SignalWorkflow) and not request.request_id
        ):
            continue
        story.now += data.draw(st.sampled_from((0, 0, SECOND_NS // 2)))
        before = copy.deepcopy(story.run)
        if isinstance(request, r.FireTimer) and story.run.close is None:
            continue  # a deadline may be followed by another one under the same name
        again = story.ask(request)
        assert story.run == before, f"{request} changed something when it came again"
        assert isinstance(again, Rejection) or not again.records


@given(st.data())
@stories
def test_an_open_run_always_says_what_it_waits_for(data: st.DataObject) -> None:
    """Each wait has a beginning and an end, and everything pending is among them."""
    story = Story(data)
    for _ in range(data.draw(LENGTHS)):
        outcome = story.ask(story.draw_request())
        if isinstance(outcome, Commit):
            story.keep(outcome)
        run = story.run
        found = explain(run, story.now)
        if run.close is not None:
            assert not found.waits
            continue
        assert found.waits
        for wait in found.waits:
            assert wait.what and wait.state and wait.ends_by
            assert 0 < wait.since <= story.now
            assert not wait.until or wait.until >= wait.since
        kinds = Counter(wait.kind for wait in found.waits)
        assert kinds[WaitKind.ACTIVITY] == len(run.activities)
        assert kinds[WaitKind.TIMER] == len(run.timers)
        assert kinds[WaitKind.CHILD] == len(run.children)
        assert kinds[WaitKind.TURN] == (run.workflow_task is not None)
        assert kinds[WaitKind.PAUSED] == run.is_paused
        others = sum(kinds.values()) - kinds[WaitKind.PAUSED] - kinds[WaitKind.MESSAGE]
        assert kinds[WaitKind.MESSAGE] == (others == 0)
        assert {due for due, _ in derive.timers(run)} <= {
            moment for wait in found.waits for moment in (wait.until, wait.expires)
        } | {run.started.workflow_run_expiration_time, run.started.workflow_execution_expiration_time} | {
            run.workflow_task.next_attempt_time if run.workflow_task is not None else 0
        }


@given(st.data())
@stories
def test_any_turn_can_be_begun_again(data: st.DataObject) -> None:
    """From any event a fork either begins a run that is sound, or is refused; the run it copies does not notice."""
    story = Story(data)
    for _ in range(data.draw(LENGTHS)):
        outcome = story.ask(story.draw_request())
        if isinstance(outcome, Commit):
            story.keep(outcome)
    before = copy.deepcopy(story.run)
    event_id = data.draw(st.integers(-1, story.run.history_length + 1))
    is_reset = data.draw(st.booleans())
    request = r.ForkWorkflow(
        "order" if is_reset else "copy", "r1", event_id, tuple(story.ledger.records()), is_reset=is_reset
    )
    commit = start_fork("default", "r2", request, story.now + SECOND_NS, LIMITS)
    assert story.run == before
    if isinstance(commit, Commit):
        commit.seal()
        ledger = Ledger("default", "r2")
        ledger.write(commit)
        ledger.check(commit.run)
        ledger.check_whole()
        assert commit.run.close is None
        assert commit.run.workflow_task is not None


@given(st.lists(records, max_size=5))
def test_records_are_read_as_they_were_written(written: list[e.AnyRecord]) -> None:
    assert decode_records(encode(written)) == written


@given(structs(Message))
def test_messages_are_read_as_they_were_written(message: Message) -> None:
    assert decode_message(encode(message)) == message


@given(st.sampled_from(RECORDS).flatmap(structs))
def test_records_without_their_last_fields_are_read_with_defaults(record: e.AnyRecord) -> None:
    """So histories that were written before a field was added stay readable."""
    fields = msgspec.structs.fields(record)
    required = sum(
        field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT for field in fields
    )
    array = msgspec.msgpack.decode(encode(record))
    (read,) = decode_records(msgspec.msgpack.encode([array[: 1 + required]]))
    expected = {field.name: getattr(record, field.name) for field in fields[:required]}
    assert read == type(record)(**expected)


@given(structs(RetryPolicy), st.integers(1, 10**6))
def test_retry_delays_are_bounded(policy: RetryPolicy, attempt: int) -> None:
    assert policy.delay_ns(attempt) <= policy.maximum_ns
