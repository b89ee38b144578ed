"""The verbs: what a request does to a run. Pure: no clock, no chance, no I/O; time and identity are arguments."""
