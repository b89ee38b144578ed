"""The engines Perdure is measured against, each behind the same small interface; README.md says how they are set up.

A peer is one module: `title()`, `available()`, `CONCURRENCIES` and a context manager with
`throughput(runs, activities, concurrency)` and `alone(runs)`, which return a `Result` or raise a `PeerError`.
"""
