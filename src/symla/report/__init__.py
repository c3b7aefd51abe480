"""Plots and tables from stored results. Reads what `store` wrote, and never imports jax."""

from symla.report.run_figures import draw
from symla.report.tables import regret_table, training_table

__all__ = ["draw", "regret_table", "training_table"]
