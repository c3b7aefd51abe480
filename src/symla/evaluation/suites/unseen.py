"""`unseen`: is a rule any good where it has never been?

FROZEN. No rule of this package is trained or chosen in these environments, with these sizes; what
is added later gets another name, so that results stay comparable. Found since: in SimpleBandit 11
nothing can be learned, by anybody. An episode there is one pull, and gymnax draws the payouts of
its arms anew in each episode.
"""

from symla.evaluation.suites.suite import Suite

ONE_HOT = "observations=('one-hot',),irrelevant=0.0,aliased=0.0,noisy=0.0,ends=0.0,altered=0.0"

UNSEEN = Suite(
    environments={
        # Toy text and classic control, as Gymnasium makes them.
        "FrozenLake": "gymnasium:FrozenLake-v1,is_slippery=false",
        "FrozenLake, slippery": "gymnasium:FrozenLake-v1",
        "CliffWalking": "gymnasium:CliffWalking-v1",
        "CartPole": "gymnasium:CartPole-v1",
        "Acrobot": "gymnasium:Acrobot-v1",
        "MountainCar": "gymnasium:MountainCar-v0",
        # bsuite (Osband et al. 2020) and other families of gymnax.
        "Catch": "gymnax:Catch-bsuite",
        "DeepSea 8": "gymnax:DeepSea-bsuite",
        "DiscountingChain": "gymnax:DiscountingChain-bsuite",
        "MemoryChain 5": "gymnax:MemoryChain-bsuite",
        "UmbrellaChain 10": "gymnax:UmbrellaChain-bsuite",
        "SimpleBandit 11": "gymnax:SimpleBandit-bsuite",
        "FourRooms": "gymnax:FourRooms-misc",
        "MetaMaze": "gymnax:MetaMaze-misc",
        "BernoulliBandit": "gymnax:BernoulliBandit-misc",
        "GaussianBandit": "gymnax:GaussianBandit-misc",
        # Of this package.
        "hearts 2x2": "hearts-2x2",
        "hearts 3x3": "hearts",
        "target": "target",
        "balance": "balance",
        "20 arms": "bandit-arms-20",
        "associations": "associations",
        # Tables beyond the sizes of training.
        "MDP, 25 states, 6 actions": (
            f"random-tasks,families=('mdp',),states=25,actions=6,{ONE_HOT}"
        ),
        "maze, 36 cells": f"random-tasks,families=('grid',),states=36,episode=(32, 64),{ONE_HOT}",
        "25 contexts, 6 actions": (
            f"random-tasks,families=('bandit',),states=25,actions=6,{ONE_HOT}"
        ),
    },
    references=("random", "q-learning", "linear-q-learning", "ppo,preset=cartpole"),
    lifetimes=32,
    length=2000,
)
