"""What runs in the measured processes: one engine each, opened as any application would, over a file in the working folder.

Started as `python -m bench.perdure_child WORK OPTIONS`. Whatever is imported here weighs on the memory that is measured, so
it is Perdure and little else. The load is made in the same process, by the client's own methods: that is how an embedded
engine is used, and it is what is compared with DBOS, which is embedded too.
"""
