"""Stories that do not come to the same on our server yet, each with what differs; a test says when one does."""

UNTOLD = "the program never told it"

# By the language that tells it ("uncached" for Python without runs in memory), and the story.
DIFFERENCES: dict[tuple[str, str], str] = {}
