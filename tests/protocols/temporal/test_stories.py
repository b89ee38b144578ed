"""Temporal's own SDKs, unmodified, tell stories to our server; the results and the histories are those of Temporal's server.

What was recorded from Temporal's server is in `recorded/`; `record.py` records it anew. All stories of a language are told
once, by one program, and each is judged by a test of its own.
"""

import pytest
from tests.protocols.temporal.differences import DIFFERENCES, UNTOLD
from tests.protocols.temporal.outcomes import recorded
from tests.protocols.temporal.told import told, told_beside

LANGUAGES = ("python", "go", "typescript", "java")
RACING = {
    "child-cancel-requested",
    "child-cancel-try",
    "child-cancel-try-cancel",
    "child-cancel-wait-cancellation-requested",
    "child-fails",
    "child-signalled-by-parent",
    "nexus-cancel-wait-requested",
    "nexus-workflow",
    "nexus-workflow-continues",
    "nexus-workflow-fails",
}
"""Two runs act at the same time here, so either order of events is right; what they come to is always the same."""
ENDS_EITHER_WAY = {story for story in RACING if story.startswith("child-cancel")}
"""Of these, the child that nobody waits for may stop by itself or be ended first."""
UNCACHED = "python"
CACHES = (0, 1)
"""Told again with no run kept in memory, and with room for one."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def cases(language: str, kind: str) -> list:
    """A test for each story; one that is known to differ says how."""
    params = []
    for name in recorded(language):
        why = DIFFERENCES.get((kind, name))
        marks = [pytest.mark.xfail(reason=why, strict=True)] if why else []
        params.append(pytest.param(language, name, marks=marks, id=f"{language}-{name}"))
    return params


@pytest.mark.parametrize(("language", "story"), [case for language in LANGUAGES for case in cases(language, language)])
def test_a_story_comes_to_what_it_comes_to_on_temporal(language, story, shared_folder):
    compare(language, story, told(language, None, shared_folder))


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("language", "story"), cases(UNCACHED, "uncached"))
def test_a_story_comes_to_the_same_without_runs_in_memory(language, story, cache, shared_folder):
    # Of local activities, a worker that keeps nothing loses track until its task times out: on Temporal's server, too.
    outcomes = told_beside(language, CACHES, shared_folder)[cache]
    compare(language, story, outcomes, with_histories="local-activit" not in story)


def compare(language, story, outcomes, with_histories=True):
    found = outcomes.get(story, UNTOLD)
    assert not isinstance(found, str), found
    expected = recorded(language)[story]
    if story in ENDS_EITHER_WAY:
        assert found.result[0] == expected.result[0]
    else:
        assert found.result == expected.result
    if with_histories and story not in RACING:
        assert found.histories == expected.histories


def test_known_differences_are_of_stories_that_there_are():
    known = {(language, name) for language in LANGUAGES for name in recorded(language)}
    known |= {("uncached", name) for name in recorded(UNCACHED)}
    assert set(DIFFERENCES) <= known
