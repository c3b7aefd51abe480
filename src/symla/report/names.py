"""How learning algorithms and environments are called and coloured, the same in every picture."""

NAMES = {
    "symla": "SymLA (learned)",
    "meta-rnn": "MetaRNN (learned)",
    "symla-ppo": "SymLA, by PPO",
    "meta-rnn-ppo": "MetaRNN, by PPO",
    "rule": "the learned rule",
    "random": "random",
    "q-learning": "tabular Q-learning",
    "ucb1": "UCB1",
    "thompson": "Thompson sampling",
    "reinforce": "REINFORCE",
    "bayes-optimal": "Bayes-optimal",
}

COLOURS = {
    "symla": "#d1495b",
    "meta-rnn": "#8d5a97",
    "symla-ppo": "#2e86ab",
    "meta-rnn-ppo": "#3a7d44",
    "rule": "#d1495b",
    "random": "#b4b8bd",
    "q-learning": "#c77d2e",
    "ucb1": "#edae49",
    "thompson": "#2e86ab",
    "bayes-optimal": "#3a7d44",
    "learned": "#d1495b",
    "random objective": "#b4b8bd",
    "advantage-weighted": "#edae49",
    "REINFORCE": "#2e86ab",
    "REINFORCE on policy": "#8d5a97",
    "PPO": "#c77d2e",
    "TD3's gradient": "#3a7d44",
    "SymLA": "#d1495b",
    "MetaRNN": "#8d5a97",
    "MAML": "#edae49",
    "LPG": "#3a7d44",
    "EPG": "#00798c",
    "RL2": "#17324d",
    "MetaGenRL": "#e4572e",
    "TD3": "#17324d",
    "DDPG": "#9a8c98",
    "Q-learning": "#5c6770",
}


def environment_name(name: str) -> str:
    """As figures show it: "bandit-arms-5" is "5 arms"."""
    arms = name.removeprefix("bandit-arms-")
    return f"{arms} arms" if arms != name else name.replace("-", " ")
