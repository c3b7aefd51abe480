// Who lives in a world: act(percept, t) returns an action, `probabilities` is the policy.

/** A learned rule. `order` says in which order it sees observations and actions. */
class LearnedRule {
  constructor(rule, world, seed, order = null) {
    this.memory = rule.memory(world.observations, world.actions);
    this.seed = seed;
    this.order = order;
  }

  act(percept, t) {
    const { order } = this;
    const seen = order
      ? { ...percept, observation: order.observations.map((i) => percept.observation[i]), action: order.actions.map((i) => percept.action[i]) }
      : percept;
    const policy = softmax(this.memory.step(seen));
    this.probabilities = policy;
    if (order) {
      this.probabilities = new Array(policy.length);
      order.actions.forEach((action, place) => (this.probabilities[action] = policy[place]));
    }
    return pick(this.probabilities, chance(this.seed, "action", t));
  }
}

class RandomPlay {
  constructor(world, seed) {
    Object.assign(this, { seed, actions: world.actions });
  }

  act(percept, t) {
    return Math.floor(chance(this.seed, "action", t) * this.actions);
  }
}

/** Thompson sampling: the best of payouts drawn from Beta(1 + wins, 1 + losses). */
class ThompsonSampling {
  constructor(world, seed) {
    this.seed = seed;
    this.wins = new Array(world.actions).fill(0);
    this.losses = new Array(world.actions).fill(0);
  }

  act({ action, reward }, t) {
    action.forEach((chosen, i) => {
      this.wins[i] += chosen * reward;
      this.losses[i] += chosen * (1 - reward);
    });
    let draw = 0;
    const next = () => chance(this.seed, "thompson", t, draw++);
    const sampled = this.wins.map((wins, i) => betaSample(1 + wins, 1 + this.losses[i], next));
    return sampled.indexOf(Math.max(...sampled));
  }
}

/** Tabular Q-learning with the settings of symla's `q-learning`; a row for each whole observation. */
class QLearning {
  constructor(world, seed, { initial, rate, discount, epsilon } = { initial: 0.25, rate: 0.65, discount: 0.85, epsilon: 1 }) {
    Object.assign(this, { seed, actions: world.actions, table: new Map(), last: null, initial, rate, discount, epsilon });
  }

  row(observation) {
    return observation.join("");
  }

  values(observation) {
    const row = this.row(observation);
    if (!this.table.has(row)) this.table.set(row, new Array(this.actions).fill(this.initial));
    return this.table.get(row);
  }

  act(percept, t) {
    if (this.last) {
      const { values, action } = this.last;
      const ahead = percept.terminated ? 0 : Math.max(...this.values(percept.final));
      values[action] += this.rate * (percept.reward + this.discount * ahead - values[action]);
    }
    const values = this.values(percept.observation);
    const explores = chance(this.seed, "explore", t) < this.epsilon / (1 + 0.3 * t);
    const best = Math.max(...values);
    const draws = values.map((x, i) => (explores || x === best ? chance(this.seed, "tie", t, i) : -1));
    const action = draws.indexOf(Math.max(...draws));
    this.last = { values, action };
    return action;
  }
}

/** The same with a row for each bin of the observation, as the world's `edges` part it. Rewards are
 * at most 0, so values that begin at 0 explore. Settings and edges are among the best of 128 tried,
 * by falls in 500, 1,000 and 2,000 steps of 40 lifetimes; their seeds begin at 1,000, the page's at 1. */
class BinnedQLearning extends QLearning {
  constructor(world, seed) {
    super(world, seed, { initial: 0, rate: 0.2, discount: 0.98, epsilon: 0 });
    this.edges = world.edges;
  }

  row(observation) {
    return observation.map((x, i) => this.edges[i].filter((edge) => x >= edge).length).join();
  }
}

const LEARNERS = {
  rule: { name: "the learned rule", make: (world, seed, rule, order) => new LearnedRule(rule, world, seed, order) },
  thompson: { name: "Thompson sampling", make: (world, seed) => new ThompsonSampling(world, seed) },
  qLearning: { name: "tabular Q-learning", make: (world, seed) => new QLearning(world, seed) },
  binned: { name: "Q-learning in 16 bins", colour: "qLearning", make: (world, seed) => new BinnedQLearning(world, seed) },
  random: { name: "random play", make: (world, seed) => new RandomPlay(world, seed) },
};
