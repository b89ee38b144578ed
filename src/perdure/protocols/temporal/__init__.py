"""Temporal's own protocol, so that its SDKs, in any language, are workers and clients of a server.

It translates and decides nothing. Needs the extra ``perdure[temporal]``: the messages are those of ``temporalio``.
"""
