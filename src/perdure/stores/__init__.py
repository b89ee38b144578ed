"""The rooms where runs are kept. Each passes ``tests/conformance``; none knows another; only ``app`` picks one."""
