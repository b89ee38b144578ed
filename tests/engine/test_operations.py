"""Those who poll for operations."""

from tests.engine.elsewhere import NAMESPACE
from tests.engine.test_polls import told

from perdure.engine.operations import MOST_POLLERS


def test_whoever_asked_last_is_remembered_and_no_more():
    async def story(world, _):
        operations = world.service.engine.operations
        for number in [*range(MOST_POLLERS), 0, MOST_POLLERS]:
            assert await operations.poll(NAMESPACE, "q", identity=f"w{number}", timeout_seconds=0) is None
        known = [poller.identity for poller in operations.pollers(NAMESPACE, "q")]
        assert len(known) == MOST_POLLERS and known[-2:] == ["w0", f"w{MOST_POLLERS}"] and "w1" not in known

    told(story)
