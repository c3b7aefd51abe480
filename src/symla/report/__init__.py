"""Plots and tables from stored results. Reads what `store` wrote, and never imports jax.

Nothing is imported here: `symla --help` needs `report.terminal`, and matplotlib would delay it.
"""
