"""Stories that do not come to the same on our server yet, each with what differs; a test says when one does."""

UNTOLD = "the program never told it"

CRON = "cron schedules of workflows are not served; schedules are"
TERMINATED = "a run that another start has ended does not say which run that was in its event's details"
DELETED = "of a schedule that was deleted the same is said as of one that never was; Temporal's server tells them apart"

# By the language that tells it ("uncached" for Python without runs in memory), and the story.
DIFFERENCES = {
    ("python", "cron"): CRON,
    ("uncached", "cron"): CRON,
    ("go", "cron"): CRON,
    ("python", "scheduled"): DELETED,
    ("uncached", "scheduled"): DELETED,
    ("python", "taken-ids"): TERMINATED,
    ("uncached", "taken-ids"): TERMINATED,
    ("go", "taken-ids"): TERMINATED,
    ("typescript", "taken-ids"): TERMINATED,
}
