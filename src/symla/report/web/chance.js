// Random numbers that follow from counters alone: every learner meets the same ones.

/** A number in [0, 1) that follows from a seed, a purpose and counters. */
function chance(seed, ...counters) {
  let h = seed | 0;
  for (const counter of counters) {
    h = Math.imul(h ^ (typeof counter === "string" ? hashText(counter) : counter), 0x9e3779b1);
    h = mix(h ^ (h >>> 15));
  }
  return mix(h) / 4294967296;
}

function mix(h) {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashText(text) {
  return [...text].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 0x01000193), 0x811c9dc5);
}

/** The index that `u` in [0, 1) picks from probabilities, by their cumulative sum. */
function pick(probabilities, u) {
  let sum = 0;
  const found = probabilities.findIndex((p) => u < (sum += p));
  return found < 0 ? probabilities.length - 1 : found;
}

/** An order of 0 ... size - 1, by the Fisher-Yates shuffle. */
function shuffled(size, seed, purpose) {
  const order = Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(chance(seed, purpose, i) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Beta(alpha, beta) from two gamma variables (Marsaglia and Tsang 2000; both at least 1). */
function betaSample(alpha, beta, next) {
  const [x, y] = [gammaSample(alpha, next), gammaSample(beta, next)];
  return x / (x + y);
}

function gammaSample(shape, next) {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const v = (1 + c * normal) ** 3;
    if (v > 0 && Math.log(1 - next()) < 0.5 * normal ** 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
