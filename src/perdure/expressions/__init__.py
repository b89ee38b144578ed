"""Expression languages, each a pure package that knows nothing of workflows and nothing of the others."""
