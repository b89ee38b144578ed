"""The command line: one file per command, what they share beside them.

``main`` puts the commands together. ``stores`` opens files and finds runs in them, ``values`` and ``times`` say what a
value or a moment looks like to people and to programs, ``output`` prints: tables and colour on a terminal, plain lines
into a pipe, JSON. What a command shows is in a ``..._view``.

Modules are imported when their command runs, not when the program starts, so that help and shell completion answer at
once.
"""
