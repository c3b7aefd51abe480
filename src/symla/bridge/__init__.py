"""Gymnasium's environments, held by processes of their own. Nothing here imports jax."""
