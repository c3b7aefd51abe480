"""What every folder shares: types, errors, networks, distributions of actions, random numbers.

It imports nothing of symla but itself. `errors`, `caches` and `cpu` import no jax, so that the
command line can use them before jax is loaded.
"""
