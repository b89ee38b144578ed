"""The worker protocol: workers and clients in other processes, over gRPC or frames.

``worker.proto`` is the protocol, for any language. The engine's side is ``server``; ``connection`` and ``runner`` are a
client's and a worker's side in Python. What they say to each other is ``model.workers`` and ``model.service``; here it
is only put into messages (``to_wire``, ``from_wire``, ``calls``) and carried (``streams``: ``over_grpc`` or ``framed``).
"""
