// The worlds: the same as symla's environments of these names, drawn from `chance`.
// reset(seed, episode, task) and step(seed, t, task, state, action) are pure; `task` is what the
// visitor may change in mid-life.

class Bandit {
  constructor(arms = 5) {
    Object.assign(this, { arms, actions: arms, observations: 1, episodeLength: null });
    this.actionNames = Array.from({ length: arms }, (_, i) => `arm ${i + 1}`);
    this.observationNames = ["constant 1"];
    this.beside = ["thompson", "random"];
    this.measure = { title: "Regret so far", unit: "expected wins missed", better: "lower is better", few: 1 };
  }

  sampleTask(seed) {
    return { payouts: Array.from({ length: this.arms }, (_, i) => Math.round(100 * chance(seed, "payout", i)) / 100) };
  }

  reset() {
    return { state: {}, observation: [1] };
  }

  step(seed, t, task, state, action) {
    const reward = chance(seed, "pull", t) < task.payouts[action] ? 1 : 0;
    return { state: { action, reward }, observation: [1], reward, terminated: false, truncated: false };
  }

  score(task, action) {
    return Math.max(...task.payouts) - task.payouts[action];
  }

  tell({ action, reward }) {
    return `It pulled arm ${action + 1} and ${reward ? "won" : "got nothing"}.`;
  }
}

class Hearts {
  constructor(size = 2) {
    const cells = size * size;
    Object.assign(this, { size, cells, actions: 4, observations: 3 * cells, episodeLength: size === 2 ? 10 : 20 });
    this.actionNames = ["up", "down", "left", "right"];
    const places = Array.from({ length: cells }, (_, i) => `${Math.floor(i / size) + 1},${(i % size) + 1}`);
    this.observationNames = ["agent", "heart", "trap"].flatMap((what) => places.map((place) => `${what} ${place}`));
    this.beside = ["qLearning", "random"];
    this.measure = { title: "Reward so far", unit: "hearts minus traps", better: "higher is better", few: 10 };
  }

  sampleTask() {
    return { sign: 1 };
  }

  reset(seed, episode) {
    const [agent, heart, trap] = shuffled(this.cells, seed, `cells ${episode}`);
    const state = { agent, heart, trap, time: 0 };
    return { state, observation: this.observe(state) };
  }

  step(seed, t, task, state, action) {
    const [row, column] = [Math.floor(state.agent / this.size), state.agent % this.size];
    const inside = (x) => Math.min(Math.max(x, 0), this.size - 1);
    const agent = inside(row + (action === 1) - (action === 0)) * this.size + inside(column + (action === 3) - (action === 2));
    const next = { ...state, agent, time: state.time + 1 };
    const reward = task.sign * ((agent === state.heart) - (agent === state.trap));
    const terminated = reward !== 0;
    return { state: next, observation: this.observe(next), reward, terminated, truncated: !terminated && next.time >= this.episodeLength };
  }

  observe(state) {
    const seen = new Array(this.observations).fill(0);
    [state.agent, state.heart, state.trap].forEach((cell, i) => (seen[i * this.cells + cell] = 1));
    return seen;
  }

  score(task, action, reward) {
    return reward;
  }

  tell({ action, reward, terminated, truncated, state }) {
    const what = state.agent === state.heart ? "the heart" : "the trap";
    if (terminated) return `It went ${this.actionNames[action]} onto ${what}: ${reward > 0 ? "+1" : "−1"}.`;
    return `It went ${this.actionNames[action]}${truncated ? ": time is up" : ""}.`;
  }
}

class CartPole {
  constructor() {
    Object.assign(this, { actions: 2, observations: 4, episodeLength: 500 });
    this.actionNames = ["push left", "push right"];
    this.observationNames = ["position", "velocity", "angle", "angular velocity"];
    this.edges = [[], [], [-1 / 3, 0, 1 / 3], [-1 / 6, 0, 1 / 6]]; // of bins, for who needs a table
    this.beside = ["binned", "random"];
    this.measure = { title: "Falls so far", unit: "poles that fell", better: "lower is better; the bins are of angle and angular velocity", few: 5 };
  }

  sampleTask() {
    return {};
  }

  reset(seed, episode) {
    const numbers = [0, 1, 2, 3].map((i) => 0.1 * chance(seed, "start", episode, i) - 0.05);
    return { state: { numbers, time: 0 }, observation: this.observe(numbers) };
  }

  /** Barto, Sutton and Anderson 1983, with Gym's constants, one Euler step of 0.02 s. */
  step(seed, t, task, { numbers: [x, v, angle, spin], time }, action) {
    const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
    const push = ((action ? 10 : -10) + 0.05 * spin ** 2 * sin) / 1.1;
    const spinning = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - (0.1 * cos ** 2) / 1.1));
    const moving = push - (0.05 * spinning * cos) / 1.1;
    const numbers = [x + 0.02 * v, v + 0.02 * moving, angle + 0.02 * spin, spin + 0.02 * spinning];
    const terminated = Math.abs(numbers[0]) > 2.4 || Math.abs(numbers[2]) > (12 * 2 * Math.PI) / 360;
    const state = { numbers, time: time + 1 };
    const truncated = !terminated && state.time >= this.episodeLength;
    return { state, observation: this.observe(numbers), reward: terminated ? -1 : 0, terminated, truncated };
  }

  observe(numbers) {
    return numbers.map((x, i) => x / [2.4, 3, 0.21, 3][i]);
  }

  score(task, action, reward) {
    return -reward;
  }

  tell({ action, terminated, truncated }) {
    if (terminated) return "The pole fell: −1, and a new one is put up.";
    return truncated ? "500 steps without a fall: a new pole." : `It pushed ${action ? "right" : "left"}.`;
  }
}
