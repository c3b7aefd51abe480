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
  constructor(world, seed) {
    Object.assign(this, { seed, actions: world.actions, table: new Map(), last: null });
  }

  values(observation) {
    const name = observation.join("");
    if (!this.table.has(name)) this.table.set(name, new Array(this.actions).fill(0.25));
    return this.table.get(name);
  }

  act(percept, t) {
    if (this.last) {
      const { values, action } = this.last;
      const ahead = percept.terminated ? 0 : Math.max(...this.values(percept.final));
      values[action] += 0.65 * (percept.reward + 0.85 * ahead - values[action]);
    }
    const values = this.values(percept.observation);
    const explores = chance(this.seed, "explore", t) < 1 / (1 + 0.3 * t);
    const best = Math.max(...values);
    const draws = values.map((x, i) => (explores || x === best ? chance(this.seed, "tie", t, i) : -1));
    const action = draws.indexOf(Math.max(...draws));
    this.last = { values, action };
    return action;
  }
}

const LEARNERS = {
  rule: { name: "the learned rule", make: (world, seed, rule, order) => new LearnedRule(rule, world, seed, order) },
  thompson: { name: "Thompson sampling", make: (world, seed) => new ThompsonSampling(world, seed) },
  qLearning: { name: "tabular Q-learning", make: (world, seed) => new QLearning(world, seed) },
  random: { name: "random play", make: (world, seed) => new RandomPlay(world, seed) },
};
