"""Stories that do not come to the same on our server yet, each with what differs; a test says when one does."""

UNTOLD = "the program never told it"

# By the language that tells it ("uncached" for Python without runs in memory), and the story.
DIFFERENCES: dict[tuple[str, str], str] = {
    (
        "go",
        name,
    ): "the recorded server (1.29) loses the message of a failure in the form in which newer SDKs send it; ours has it"
    for name in ("nexus-bad-request", "nexus-fails", "nexus-is-cancelled", "nexus-unknown-operation")
} | {
    (
        "typescript",
        "nexus-cancel-abandon",
    ): "a failure that the SDK makes names the operation by its token alone; ours by the older id, too"
}
