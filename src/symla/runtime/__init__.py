"""The machine that a command runs on: devices, processes, signals, provenance of results."""
