"""What runs in the measured processes: one engine each, opened as any application would, over a file of its own.

Started as `python -m bench.perdure_child WORK OPTIONS`. Whatever is imported here weighs on the memory that is
measured, so it is Perdure and little else. The load is made in the same process, by the client's own methods: that is
how an embedded engine is used, and DBOS, which is embedded too, is measured in the same way.
"""
