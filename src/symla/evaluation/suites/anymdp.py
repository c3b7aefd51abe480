"""`anymdp`: random tables of a peer (Wang et al. 2025), drawn by their own sampler.

FROZEN, as `unseen` is. Needs xenoverse: pip install 'symla[peers]'.
"""

from symla.evaluation.suites.suite import Suite

TABLES = "symla.environments.any_mdp:AnyMDP"

ANY_MDP = Suite(
    environments={
        "AnyMDP, 16 states": f"{TABLES},states=16",
        "AnyMDP, 32 states": f"{TABLES},states=32",
    },
    references=("random", "q-learning", "linear-q-learning", "ppo,preset=cartpole"),
    lifetimes=32,
    length=2000,
)
