"""Environments of Gymnasium, run in processes of their own. Nothing here imports jax."""
