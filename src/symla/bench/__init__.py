"""Speed: environment steps per second, compared with the literal formulation of the paper.

jax is imported only when something is measured.
"""
