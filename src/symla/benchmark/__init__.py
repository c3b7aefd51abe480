"""How fast it is: environment steps per second beside the literal formulation of the paper.

Room: after `train`. No jax is imported until something is measured.
"""
