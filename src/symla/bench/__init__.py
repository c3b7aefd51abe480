"""How fast it is: environment steps per second beside the literal formulation of the paper.

No jax is imported until something is measured.
"""
