"""What every record has."""

import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all records share. ``id`` is the event's number; 0 on facts and on events that are buffered."""

    id: int
    time: int
