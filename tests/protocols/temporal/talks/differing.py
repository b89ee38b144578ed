"""Lines that do not come to the same on our server, by their story and label, each with the reason; a test says when one does."""

OWN_SEARCH = "in our own words"
IDS = "a run that goes on in another's place has no request of its own"
IDENTITY = "newer servers say who it was; so does this one"
SOONER = "a turn that waits there goes back to the task queue at once"

DIFFERING: dict[str, dict[str, str]] = {
    "starts-conflict-options": {"events 3 WORKFLOW_EXECUTION_OPTIONS_UPDATED": IDENTITY},
    "starts-refused": {
        "system search attribute": OWN_SEARCH,
    },
    "starts-eager": {"eager": "the turn that is started does not name the request of the start"},
    "starts-retried": {"between": IDS, "end": IDS},
    "turns-sticky-unstuck": {
        "after the reset 7 WORKFLOW_TASK_TIMED_OUT": SOONER,
        "after the reset 8 WORKFLOW_TASK_SCHEDULED": SOONER,
    },
    "turns-failed": {"twice 6 WORKFLOW_TASK_SCHEDULED": "written when the turn starts"},
    "overrides-later": {"upgraded, described": "it belongs to no deployment any more"},
    "overrides-passed-on": {"next, described": IDS},
}
