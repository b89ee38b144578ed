"""The settings of ``perdure worker``: an option, a variable, or a line below ``[worker]`` of the TOML file."""

from collections.abc import Mapping

from perdure.app.config import Config, Setting, read_table
from perdure.app.setting_kinds import COUNT, DURATION, LIST, NUMBER, TEXT
from perdure.model.options import DEFAULT_MAX_ASYNC, DEFAULT_MAX_THREADS, DEFAULT_MAX_TURNS, SECOND_NS

TABLE = "worker."


class WorkerSetting(Setting, frozen=True):
    """One of them. Its name in the file is ``worker.max_turns``, its variable ``PERDURE_WORKER_MAX_TURNS``, its option
    ``--max-turns``."""

    @property
    def flag(self) -> str:
        """``--max-turns``; ``--queue`` for ``queues``, which may be repeated."""
        name = self.own_name.removesuffix("s") if self.kind is LIST else self.own_name
        return "--" + name.replace("_", "-")

    @property
    def own_name(self) -> str:
        """``max_turns``."""
        return self.name.removeprefix(TABLE)


WORKER_SETTINGS: tuple[WorkerSetting, ...] = (
    WorkerSetting("worker.queues", LIST, (), "The task queues to serve; without any, all that the apps name."),
    WorkerSetting("worker.identity", TEXT, "", "Who this is, in histories; process and host without it."),
    WorkerSetting("worker.labels", LIST, (), "What this worker is, such as gpu=a100, which tasks may ask for."),
    WorkerSetting("worker.max_async", COUNT, DEFAULT_MAX_ASYNC, "How many async activities may run at once."),
    WorkerSetting("worker.max_threads", COUNT, DEFAULT_MAX_THREADS, "How many activities may run in threads at once."),
    WorkerSetting("worker.max_processes", COUNT, None, "How many in child processes; as many as processors without it."),
    WorkerSetting("worker.max_turns", COUNT, DEFAULT_MAX_TURNS, "How many turns of workflows it may have in hand."),
    WorkerSetting("worker.max_cpu", NUMBER, None, "Offer fewer slots while more than this share of the processors is in use, such as 0.8."),
    WorkerSetting("worker.max_memory", NUMBER, None, "The same for the machine's memory."),
    WorkerSetting("worker.grace", DURATION, 10 * SECOND_NS, "How long running activities may take to end, once it is to stop."),
    WorkerSetting("worker.wait", DURATION, 0, "How long to wait for a server that is not there yet."),
)  # fmt: skip


def read_worker_config(environment: Mapping[str, str] | None = None, file: str | None = None) -> Config:
    """The settings in force for a worker whose command line says nothing. Raises as ``config.read_config``."""
    return read_table(WORKER_SETTINGS, environment, file)


__all__ = ["WORKER_SETTINGS", "WorkerSetting", "read_worker_config"]
