"""A store in this process's memory, for tests and for work that need not outlive the process."""

from perdure.stores.memory.disk import Disk
from perdure.stores.memory.store import MemoryStore

__all__ = ["Disk", "MemoryStore"]
