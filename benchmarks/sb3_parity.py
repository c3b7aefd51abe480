"""Writes what Stable-Baselines3 makes of one update: the files of tests/algorithms/golden_sb3.

    python benchmarks/sb3_parity.py FOLDER      # needs pip install 'symla[benchmarks]'

Small networks, a made-up environment, and what SB3 itself does with them: its weights before and
after, its batch, the noise and the orders that it drew, its losses. Nothing of ours runs here:
tests/algorithms/test_sb3_parity.py compares.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from safetensors.numpy import save_file
from stable_baselines3 import DDPG, PPO, TD3
from stable_baselines3.common.logger import configure
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

UNITS = [8, 8]
WORKERS, STEPS, BATCH, EPOCHS = 2, 32, 16, 3
LEFT = 0.75  # of the linear schedules, in the whole training of a rollout
LOSSES = {"policy": "policy_gradient_loss", "value": "value_loss", "entropy": "entropy_loss"}


class Walk(gymnasium.Env):
    """A noisy walk that terminates at times, and is truncated after 5 steps; it notes them all."""

    observation_space = spaces.Box(-10.0, 10.0, (3,), np.float32)

    def __init__(self, action_space: spaces.Space):
        self.action_space = action_space
        self.seen: list[tuple[Any, ...]] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.steps = 0
        self.position = self.np_random.normal(size=3).astype(np.float32)
        return self.position, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        before, move = self.position, np.float32(np.mean(action))
        noise = self.np_random.normal(size=3).astype(np.float32)
        self.position, self.steps = (0.9 * before + 0.3 * move + 0.3 * noise), self.steps + 1
        reward = float(np.float32(1.0 - np.abs(self.position).sum()))
        terminated = bool(self.np_random.random() < 0.1)
        truncated = self.steps >= 5 and not terminated
        self.seen.append((before, reward, terminated, truncated, self.position))
        return self.position, reward, terminated, truncated, {}


def steps_of(worlds: list[Walk]) -> dict[str, np.ndarray]:
    """What all of them noted: [steps, W, ...]."""
    names = "observation", "reward", "terminated", "truncated", "next_observation"
    found = {
        name: np.stack([np.stack([step[i] for step in world.seen]) for world in worlds], axis=1)
        for i, name in enumerate(names)
    }
    return found | {"reward": found["reward"].astype(np.float32)}


def silent(model: Any) -> Any:
    model.set_logger(configure(None, []))
    return model


def logged(model: Any, name: str) -> np.ndarray:
    return np.float32(model.logger.name_to_value[f"train/{name}"])


def weights(prefix: str, module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {
        f"{prefix}.{name}": x.detach().numpy().copy() for name, x in module.state_dict().items()
    }


def ppo(action_space: spaces.Space) -> dict[str, np.ndarray]:
    """One update on all steps of a rollout; and all of `train` on the same, from the same weights,
    in batches, with schedules and a bonus for entropy."""
    worlds = [Walk(action_space) for _ in range(WORKERS)]
    common: dict[str, Any] = {
        "policy": "MlpPolicy",
        "env": DummyVecEnv([lambda world=world: world for world in worlds]),
        "n_steps": STEPS,
        "policy_kwargs": {"net_arch": UNITS},
        "device": "cpu",
        "seed": 1,
    }
    model = PPO(batch_size=STEPS * WORKERS, n_epochs=1, **common)
    # SB3's first policy is nearly the same in all states: another makes the test harder to pass.
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for x in model.policy.parameters():
            x += 0.3 * torch.randn(x.shape, generator=generator)
    _, callback = model._setup_learn(STEPS * WORKERS)
    silent(model)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, STEPS)
    buffer = model.rollout_buffer
    found = steps_of(worlds)
    found["action"] = buffer.actions.copy()
    found["advantage"], found["target"] = buffer.advantages.copy(), buffer.returns.copy()
    found["log_probability"] = buffer.log_probs.copy()
    found |= weights("before", model.policy)
    start = {name: x.clone() for name, x in model.policy.state_dict().items()}
    orders = recorded(model)
    assert len(orders) == 1
    found |= weights("one", model.policy)
    found |= {f"one_{name}": logged(model, sb3) for name, sb3 in LOSSES.items()}
    found["one_total"] = logged(model, "loss")

    whole = PPO(
        batch_size=BATCH,
        n_epochs=EPOCHS,
        learning_rate=lambda left: 1e-2 * left,
        clip_range=lambda left: 0.2 * left,
        ent_coef=0.01,
        **common,
    )
    whole.policy.load_state_dict(start)
    silent(whole)
    whole.rollout_buffer = buffer
    whole._current_progress_remaining = LEFT
    orders = recorded(whole)
    # Of steps on one axis, those of one environment side by side; in ours, those of one time.
    found["orders"] = np.stack([n % STEPS * WORKERS + n // STEPS for n in orders]).astype(np.int32)
    found |= weights("whole", whole.policy)
    found |= {f"whole_{name}": logged(whole, sb3) for name, sb3 in LOSSES.items()}
    found["whole_divergence"] = logged(whole, "approx_kl")  # of the last epoch
    return found


def recorded(model: PPO) -> list[np.ndarray]:
    """Trains on the rollout. Returns the orders of its steps that were drawn, one an epoch."""
    permutation: Callable[[int], np.ndarray] = np.random.permutation
    orders: list[np.ndarray] = []

    def recording(n: int) -> np.ndarray:
        orders.append(permutation(n))
        return orders[-1]

    np.random.permutation = recording
    try:
        model.train()
    finally:
        np.random.permutation = permutation
    return orders


def off_policy(kind: type[TD3], **settings: Any) -> dict[str, np.ndarray]:
    """Updates 1 and 2 of one batch: of TD3 the first is of the critics alone."""
    world = Walk(spaces.Box(-1.0, 1.0, (2,), np.float32))
    policy = {"net_arch": UNITS}
    model = kind("MlpPolicy", world, policy_kwargs=policy, device="cpu", seed=1, **settings)
    silent(model)
    generator = np.random.default_rng(3)
    normal = lambda *shape: generator.normal(size=shape).astype(np.float32)  # noqa: E731
    found = {
        "observation": normal(BATCH, 3),
        "action": np.clip(normal(BATCH, 2), -1.0, 1.0),
        "reward": normal(BATCH),
        "terminated": generator.random(BATCH) < 0.3,
        "next_observation": normal(BATCH, 3),
    }
    column = lambda x: torch.from_numpy(x.astype(np.float32))[:, None]  # noqa: E731
    batch = ReplayBufferSamples(
        torch.from_numpy(found["observation"]),
        torch.from_numpy(found["action"]),
        torch.from_numpy(found["next_observation"]),
        column(found["terminated"]),
        column(found["reward"]),
    )
    model.replay_buffer.sample = lambda *_, **__: batch
    found |= off_policy_weights("0", model)
    for number in (1, 2):
        torch.manual_seed(number)
        found[f"noise_{number}"] = torch.empty_like(batch.actions).normal_(0, 1).numpy().copy()
        torch.manual_seed(number)
        model.train(1, BATCH)
        found |= off_policy_weights(str(number), model)
        found[f"critic_loss_{number}"] = logged(model, "critic_loss")
        if number % model.policy_delay == 0:
            found[f"actor_loss_{number}"] = logged(model, "actor_loss")
        model.logger.dump()
    return found


def off_policy_weights(prefix: str, model: TD3) -> dict[str, np.ndarray]:
    found = {}
    for name in ("actor", "critic", "actor_target", "critic_target"):
        found |= weights(f"{prefix}.{name}", getattr(model, name))
    return found


def normalisation() -> dict[str, np.ndarray]:
    """VecNormalize's statistics of a rollout, and its last rewards."""
    action_space = spaces.Discrete(2)
    worlds = [Walk(action_space) for _ in range(WORKERS)]
    normalise = VecNormalize(DummyVecEnv([lambda world=world: world for world in worlds]))
    normalise.seed(4)
    normalise.reset()
    for step in range(STEPS):
        # Before the last step: then it has seen the observations in which there was an action.
        observations = normalise.obs_rms.copy()
        _, rewards, _, _ = normalise.step(np.full(WORKERS, step % 2))
    return steps_of(worlds) | {
        "mean": np.float32(observations.mean),
        "variance": np.float32(observations.var),
        "return_variance": np.float32(normalise.ret_rms.var),
        "running": np.float32(normalise.returns),
        "last_rewards": rewards.astype(np.float32),
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, found in {
        "ppo_discrete": ppo(spaces.Discrete(3)),
        "ppo_continuous": ppo(spaces.Box(-1.0, 1.0, (2,), np.float32)),
        "td3": off_policy(TD3, target_policy_noise=0.5),  # some of it is clipped
        "ddpg": off_policy(DDPG),
        "normalisation": normalisation(),
    }.items():
        arrays = {key: np.ascontiguousarray(x) for key, x in found.items()}
        save_file(arrays, folder / f"{name}.safetensors")
    versions = {x.__name__: x.__version__ for x in (stable_baselines3, torch, gymnasium, np)}
    about = {"written_by": "benchmarks/sb3_parity.py", "versions": versions, "left": LEFT}
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
