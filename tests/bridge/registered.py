"""Environments of Gymnasium, most with one fault each, which are registered on import.

They fail at step FAILING_STEP of the lifetime, counted over all episodes.
"""

import os
import re
import signal
import sys
import time

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Sequence, Space, Text, Tuple

FAILING_STEP = 7
EPISODE = 3  # steps: the failing one is in the third episode


class Counting(gymnasium.Env):
    """Observes (episode, step of it); the step is the reward; terminates after EPISODE steps."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Discrete(2)

    def __init__(self):
        self.episode, self.lived = -1, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seed = seed if seed is not None else self.seed
        self.episode, self.step_ = self.episode + 1, 0
        return self.observation(), {}

    def observation(self):
        return np.array([self.episode, self.step_], np.float32)

    def step(self, action):
        assert self.action_space.contains(action)
        self.step_ += 1
        self.lived += 1
        answer = [self.observation(), float(self.step_), self.step_ >= EPISODE, False, {}]
        return tuple(self.modified(answer) if self.lived == FAILING_STEP else answer)

    def modified(self, answer):
        return answer


class Raises(Counting):
    def modified(self, answer):
        raise RuntimeError("the motor\nis on fire")


class RaisesOnce(Counting):
    """In the lifetime with the seed $UNLUCKY_SEED alone."""

    def modified(self, answer):
        if str(self.seed) == os.environ["UNLUCKY_SEED"]:
            raise RuntimeError("of all lifetimes, this one")
        return answer


class Licensed(Counting):
    """Only while there is a file $LICENCE. Its episodes begin where their seed says."""

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode = int(self.np_random.integers(9))
        return self.observation(), {}

    def step(self, action):
        if not os.path.exists(os.environ["LICENCE"]):
            raise OSError("no licence was found")
        return super().step(action)


class ResetRaises(Counting):
    def reset(self, **keywords):
        raise RuntimeError("no map was found")


class ConstructorRaises(Counting):
    def __init__(self):
        raise OSError("the simulator has no licence")


class NeedsPackage(Counting):
    def __init__(self):
        import no_such_package  # noqa: F401


class Truncates(Counting):
    def step(self, action):
        observation, reward, ends, _, info = super().step(action)
        return observation, reward, False, ends, info


class NaNReward(Counting):
    def modified(self, answer):
        return [answer[0], float("nan"), *answer[2:]]


class InfiniteReward(Counting):
    def modified(self, answer):
        return [answer[0], -np.float64("inf"), *answer[2:]]


class NoReward(Counting):
    def modified(self, answer):
        return [answer[0], None, *answer[2:]]


class NaNObservation(Counting):
    def modified(self, answer):
        return [np.array([0, np.nan], np.float32), *answer[1:]]


class HugeObservation(Counting):
    def modified(self, answer):
        return [np.array([1e300, 0]), *answer[1:]]


class WrongShape(Counting):
    def modified(self, answer):
        return [np.zeros(3, np.float32), *answer[1:]]


class WrongType(Counting):
    def modified(self, answer):
        return [{"position": 0.0}, *answer[1:]]


class OutOfRange(Counting):
    observation_space = Discrete(9)

    def observation(self):
        return self.lived

    def modified(self, answer):
        return [9, *answer[1:]]


class NoFlag(Counting):
    """What old environments return in place of `truncated`."""

    def modified(self, answer):
        return [*answer[:3], {"lives": 3}, {}]


class OldStep(Counting):
    def modified(self, answer):
        return [answer[0], answer[1], answer[2], answer[4]]


class OldReset(Counting):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class OldSeed(Counting):
    def reset(self):
        return super().reset()[0]


class Hangs(Counting):
    def modified(self, answer):
        while True:
            time.sleep(1)


class HangsInC(Counting):
    """Does not return from C code: no Python signal handler and no thread can end it."""

    def modified(self, answer):
        return re.match("(a+)+$", "a" * 100 + "b")


class HangsInReset(Counting):
    def reset(self, **keywords):
        time.sleep(1000)


class Crashes(Counting):
    def modified(self, answer):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(10)


class Exits(Counting):
    def modified(self, answer):
        sys.exit("bye")


class Prints(Counting):
    def modified(self, answer):
        print("hello from the environment")
        return answer


class DictSpace(Counting):
    observation_space = Dict({"position": Box(0, 9, (2,))})

    def observation(self):
        return {"position": super().observation()}


class TupleSpace(Counting):
    observation_space = Tuple([Discrete(9), Discrete(4)])

    def observation(self):
        return self.episode, self.step_


class SequenceSpace(Counting):
    observation_space = Sequence(Discrete(2))


class TextSpace(Counting):
    observation_space = Text(5)


class Image(Counting):
    observation_space = Box(0, 255, (210, 160, 3), np.uint8)


class Torques(gymnasium.Env):
    """Observes the last action; earns its sum. Actions within other bounds than [-1, 1]."""

    observation_space = Box(-9, 9, (4,), np.float64)
    action_space = Box(np.float32([[0, -2], [-1, 5]]), np.float32([[1, 2], [3, 6]]))

    def reset(self, *, seed=None, options=None):
        return np.zeros(4), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return action.reshape(4).astype(float), float(action.sum()), False, False, {}


class Unbounded(Counting):
    action_space = Box(np.float32([-1, -np.inf]), np.float32([1, 1]))


class TooManyCombinations(Counting):
    action_space = MultiBinary(13)


class Mission(Space):
    """A space of one's own, as MiniGrid's mission, which Gymnasium cannot flatten."""

    def __init__(self):
        super().__init__((), str)


class WithMission(Counting):
    observation_space = Dict({"position": Box(-9, 9, (2,)), "mission": Mission()})

    def __init__(self, size: int = 2):
        super().__init__()
        self.size = size

    def observation(self):
        return {"position": super().observation() * self.size, "mission": "go"}


class Position(gymnasium.ObservationWrapper):
    """Leaves the position alone."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = env.observation_space["position"]

    def observation(self, observation):
        return observation["position"]


def doubled(env):
    """A wrapper may be a function."""
    space = env.observation_space
    return gymnasium.wrappers.TransformObservation(env, lambda seen: 2 * seen, space)


def make_corridor():
    """A function that makes an environment."""
    return Corridor()


class Shifted(Counting):
    """Discrete spaces that do not start at 0."""

    observation_space = Discrete(4, start=-1)
    action_space = Discrete(3, start=5)

    def observation(self):
        return self.step_ - 1


class Seeds(gymnasium.Env):
    """Observes the seed of its episode, in two halves of 16 bits. Action 1 ends the episode, and
    each step earns one half, beginning with the upper one."""

    observation_space = Box(0, 2**16, (2,), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.halves, self.steps = divmod(seed, 2**16), 0
        return np.array(self.halves, np.float32), {}

    def step(self, action):
        self.steps += 1
        reward = float(self.halves[(self.steps - 1) % 2])
        return np.array(self.halves, np.float32), reward, action == 1, False, {}


class EndsTwice(gymnasium.Env):
    """Two episodes of two steps, then one that never ends. Each step earns 1."""

    observation_space = Discrete(1)
    action_space = Discrete(2)

    def __init__(self):
        self.lived = 0

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        self.lived += 1
        return 0, 1.0, self.lived in (2, 4), False, {}


class Corridor(gymnasium.Env):
    """`tests.probes.environments.Corridor` of three cells."""

    observation_space = Discrete(3)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.cell = 0
        return self.cell, {}

    def step(self, action):
        self.cell = max(self.cell + 2 * int(action) - 1, 0)
        return self.cell, float(self.cell >= 2), self.cell >= 2, False, {}


for kind in list(globals().values()):
    if isinstance(kind, type) and issubclass(kind, gymnasium.Env):
        gymnasium.register(f"{kind.__name__}-v0", kind)
gymnasium.register("OldStepLimited-v0", OldStep, max_episode_steps=100)
gymnasium.register("NoEntryPoint-v0", "no_such_package.envs:Missing")
