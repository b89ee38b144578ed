"""Settings shared by all tests."""

from hypothesis import settings
from tests.soaking import often

# Tests run on two busy cores beside SQLite's syncs, so the time of one example says nothing about the code. The profile
# builds on Hypothesis's own choice, which in CI is a reproducible one.
settings.register_profile("perdure", parent=settings(), deadline=None, max_examples=often(100))
settings.load_profile("perdure")
