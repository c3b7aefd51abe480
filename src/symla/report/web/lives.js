// Lifetimes: each learner lives in its own copy of the world, with the same task and randomness.

class Life {
  constructor(world, learner, seed, task) {
    Object.assign(this, { world, learner, seed, t: 0, episode: 0, curve: [0], counts: new Array(world.actions).fill(0) });
    const { state, observation } = world.reset(seed, 0, task);
    this.state = state;
    const nothing = new Array(world.actions).fill(0);
    this.percept = { observation, action: nothing, reward: 0, done: 0, terminated: false, final: observation };
    this.last = null;
  }

  step(task) {
    const { world, seed } = this;
    const action = this.learner.act(this.percept, this.t);
    const result = world.step(seed, this.t, task, this.state, action);
    const ended = result.terminated || result.truncated;
    this.last = { ...result, action };
    this.counts[action] += 1;
    let { state, observation } = result;
    if (ended) ({ state, observation } = world.reset(seed, ++this.episode, task));
    this.state = state;
    this.percept = {
      observation,
      action: Array.from({ length: world.actions }, (_, i) => (i === action ? 1 : 0)),
      reward: result.reward,
      done: ended ? 1 : 0,
      terminated: result.terminated,
      final: result.observation,
    };
    this.curve.push(this.curve[this.t] + world.score(task, action, result.reward));
    this.t += 1;
  }
}

/** Several learners in the same lifetime. `changes` of the task are kept, so it can be lived again. */
class Race {
  constructor(world, rule, seed, order = null) {
    Object.assign(this, { world, rule, seed, order, t: 0, changes: [] });
    this.task = world.sampleTask(seed);
    this.lives = {};
    for (const who of ["rule", ...world.beside]) {
      this.lives[who] = new Life(world, LEARNERS[who].make(world, seed, rule, order), seed, this.task);
    }
  }

  step() {
    for (const life of Object.values(this.lives)) life.step(this.task);
    this.t += 1;
  }

  /** What the visitor changes now. */
  change(task, label) {
    this.task = task;
    const last = this.changes.at(-1);
    if (last && last.t === this.t) this.changes.pop();
    this.changes.push({ t: this.t, task, label });
  }

  /** The same lifetime up to this step, with observations and actions in another order. */
  again(order) {
    const race = new Race(this.world, this.rule, this.seed, order);
    let next = 0;
    for (;;) {
      while (next < this.changes.length && this.changes[next].t === race.t) {
        race.change(this.changes[next].task, this.changes[next].label);
        next += 1;
      }
      if (race.t === this.t) return race;
      race.step();
    }
  }
}
