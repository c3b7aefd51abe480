"""The machine that a command runs on: devices, processes, signals, and where results come from."""
