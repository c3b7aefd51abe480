// SymLA in plain JavaScript: a network whose weights are small LSTMs that share one rule.

/** The numbers of a rule, as `symla.rules.exporting.web_numbers` writes them. */
class Rule {
  constructor(numbers) {
    Object.assign(this, numbers);
    this.weights = {};
    this.size = 0;
    for (const [name, text] of Object.entries(numbers.weights)) {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      this.weights[name] = new Float32Array(bytes.buffer);
      this.size += this.weights[name].length;
    }
  }

  /** It, at the start of a lifetime, for so many observations and actions. */
  memory(observations, actions) {
    return new Memory(this, observations, actions);
  }
}

/** What a rule knows in one lifetime: the states of A x B LSTMs a layer, and their messages. */
class Memory {
  constructor(rule, observations, actions) {
    this.rule = rule;
    const sizes = [observations, ...rule.widths, actions];
    const [N, M] = [rule.hiddenSize, rule.messageSize];
    this.layers = sizes.slice(1).map((B, k) => ({
      A: sizes[k],
      B,
      hidden: new Float64Array(sizes[k] * B * N),
      cell: new Float64Array(sizes[k] * B * N),
      change: new Float64Array(sizes[k] * B), // of each LSTM in the last step
      forward: new Float64Array(B * M),
      backward: new Float64Array(sizes[k] * M),
    }));
  }

  /** Learn from a percept (arrays of numbers; `action` one-hot); returns the logits. */
  step({ observation, action, reward, done }) {
    const last = this.layers.length - 1;
    this.layers.forEach((layer, k) => {
      const below = k === 0 ? layer.backward : this.layers[k - 1].forward;
      const above = k === last ? layer.forward : this.layers[k + 1].backward;
      this.update(layer, below, k ? null : observation, above, k === last ? action : null, reward, done);
    });
    const M = this.rule.messageSize;
    return Array.from({ length: this.layers[last].B }, (_, b) => this.layers[last].forward[b * M]);
  }

  /** Eqs. 6 to 9 of Kirsch et al. 2022, as `symla.algorithms.symla.plain` has them. */
  update(layer, below, observation, above, action, reward, done) {
    const { hiddenSize: N, messageSize: M, microTicks, weights: w } = this.rule;
    const { A, B, hidden, cell, change } = layer;
    const G = 4 * N;
    const common = Float64Array.from(w.bias, (x, g) => x + reward * w.shared[g] + done * w.shared[G + g]);
    const fromBelow = project(below, observation, w.below, A, M, G);
    const fromAbove = project(above, action, w.above, B, M, G);
    const gates = new Float64Array(G);
    change.fill(0);
    for (let a = 0; a < A; a++) {
      for (let b = 0; b < B; b++) {
        const at = (a * B + b) * N;
        for (let tick = 0; tick < microTicks; tick++) {
          for (let g = 0; g < G; g++) gates[g] = fromBelow[a * G + g] + fromAbove[b * G + g] + common[g];
          for (let n = 0; n < N; n++) {
            const h = hidden[at + n];
            if (h !== 0) for (let g = 0; g < G; g++) gates[g] += h * w.recurrent[n * G + g];
          }
          for (let n = 0; n < N; n++) {
            const c = sigmoid(gates[N + n]) * cell[at + n] + sigmoid(gates[n]) * Math.tanh(gates[2 * N + n]);
            const h = sigmoid(gates[3 * N + n]) * Math.tanh(c);
            change[a * B + b] += (h - hidden[at + n]) ** 2;
            cell[at + n] = c;
            hidden[at + n] = h;
          }
        }
      }
    }
    aggregate(layer.forward, hidden, w.forward_weight, w.forward_bias, B, A, N, M, (b, a) => (a * B + b) * N, this.rule.sums);
    aggregate(layer.backward, hidden, w.backward_weight, w.backward_bias, A, B, N, M, (a, b) => (a * B + b) * N, this.rule.sums);
  }
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** [messages, one external input] times a matrix of M + 1 rows, for each of `count` neurons. */
function project(messages, external, weight, count, M, G) {
  const out = new Float64Array(count * G);
  for (let i = 0; i < count; i++) {
    for (let m = 0; m <= M; m++) {
      const x = m < M ? messages[i * M + m] : external ? external[i] : 0;
      if (x !== 0) for (let g = 0; g < G; g++) out[i * G + g] += x * weight[m * G + g];
    }
  }
  return out;
}

/** The mean (or sum) over `others` of a linear map of the LSTMs' hidden states. */
function aggregate(out, hidden, weight, bias, count, others, N, M, at, sums) {
  for (let i = 0; i < count; i++) {
    for (let m = 0; m < M; m++) {
      let total = 0;
      for (let j = 0; j < others; j++) {
        for (let n = 0; n < N; n++) total += hidden[at(i, j) + n] * weight[n * M + m];
      }
      out[i * M + m] = sums ? total + others * bias[m] : total / others + bias[m];
    }
  }
}

function softmax(logits) {
  const top = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - top));
  const total = powers.reduce((sum, x) => sum + x, 0);
  return powers.map((x) => x / total);
}
