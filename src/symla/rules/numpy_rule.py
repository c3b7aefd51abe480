"""A rule of SymLA (Kirsch et al., AAAI 2022) in NumPy alone: it learns while it lives.

    agent = NumpyAgent(observations=4, actions=2)  # any sizes: the same numbers run on all of them
    action = agent.act(observation)               # observation: [observations], float
    agent.observe(reward, done)                   # of that action; done: it ended an episode

`symla export RULE FILE --format numpy` writes this file, and the rule's numbers beside it (.npz).
"""

from itertools import pairwise
from pathlib import Path

import numpy as np


class NumpyAgent:
    """The rule, living one lifetime. `continuous`: an action is a vector in [-1, 1]^actions."""

    def __init__(self, observations, actions, continuous=False, numbers=None, seed=0):
        path = numbers or Path(__file__).with_suffix(".npz")
        self.w = {name: x.astype(float) for name, x in np.load(path, allow_pickle=False).items()}
        self.continuous, self.random = continuous, np.random.default_rng(seed)
        sizes = [observations, *map(int, self.w["widths"]), actions]
        N, M = self.w["forward_weight"].shape  # units of an LSTM, numbers in a message
        self.layers = [
            {
                "hidden": np.zeros((A, B, N)),
                "cell": np.zeros((A, B, N)),
                "forward": np.zeros((B, M)),  # messages to the layer above
                "backward": np.zeros((A, M)),  # messages to the layer below
            }
            for A, B in pairwise(sizes)
        ]
        self.action = np.zeros(actions)  # the last one, one-hot if it is a number
        self.reward, self.done = 0.0, False

    def act(self, observation):
        """Learn from what was observed last, then choose an action at random from the policy."""
        outputs = self.outputs(observation)
        if self.continuous:
            mean, log_deviation = outputs[:, 0], np.clip(outputs[:, 1], -5, 2)
            noise = self.random.standard_normal(mean.size)
            self.action = np.tanh(mean + np.exp(log_deviation) * noise)
            return self.action
        probability = np.exp(outputs[:, 0] - outputs[:, 0].max())
        action = self.random.choice(probability.size, p=probability / probability.sum())
        self.action = np.eye(probability.size)[action]
        return int(action)

    def observe(self, reward, done=False):
        """What the last action earned, and whether it ended an episode."""
        self.reward, self.done = float(reward), bool(done)

    def outputs(self, observation):
        """One step of all LSTMs: [actions, M]; column 0 are logits (or means, and column 1 log
        deviations, of continuous actions)."""
        last = len(self.layers) - 1
        for k, layer in enumerate(self.layers):
            A, B, _ = layer["hidden"].shape
            below = layer["backward"] if k == 0 else self.layers[k - 1]["forward"]
            above = layer["forward"] if k == last else self.layers[k + 1]["backward"]
            seen = np.asarray(observation) if k == 0 else np.zeros(A)
            done = self.action if k == last else np.zeros(B)
            self.update(layer, np.c_[below, seen], np.c_[above, done])
        return self.layers[last]["forward"]

    def update(self, layer, below, above):
        """An LSTM for each pair (a, b), all with the same weights; then the messages, their means:
        h_ab <- LSTM(h_ab, below_a, above_b, reward, done), fwd_b <- mean_a, bwd_a <- mean_b."""
        w, hidden, cell = self.w, layer["hidden"], layer["cell"]
        shared = np.array([self.reward, self.done]) @ w["shared"] + w["bias"]
        inputs = (below @ w["below"])[:, None] + (above @ w["above"] + shared)[None]
        for _ in range(int(w["micro_ticks"])):
            i, f, c, o = np.split(inputs + hidden @ w["recurrent"], 4, axis=-1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
            hidden = sigmoid(o) * np.tanh(cell)
        layer["hidden"], layer["cell"] = hidden, cell
        combine = np.sum if w["sums"] else np.mean
        for name, axis in (("forward", 0), ("backward", 1)):
            messages = hidden @ w[f"{name}_weight"] + w[f"{name}_bias"]
            layer[name] = combine(messages, axis=axis)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)
