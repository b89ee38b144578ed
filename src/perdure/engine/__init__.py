"""The imperative shell: it reads clocks, keeps runs in memory, commits what the kernel decides, and only then acts on
it."""
