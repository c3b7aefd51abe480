// Drawings on canvases: curves, the LSTMs' states, the worlds. Colours are the page's own.

function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

/** The context of a canvas, cleared, in CSS pixels; `height` sets its height. */
function prepared(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.style.height = `${height}px`;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/** Round numbers from at most `low` to at least `high`, about four steps of them. */
function ticks(low, high) {
  const rough = Math.max(high - low, 1e-9) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((x) => x * power >= rough * (1 - 1e-9));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Curves over the steps of a lifetime: [{name, colour, values, width, dash}]; changes as lines. */
function drawCurves(canvas, curves, changes, t, measure) {
  const ink = colours();
  const { context: c, width, height } = prepared(canvas, Math.max(220, Math.min(320, canvas.clientWidth * 0.5)));
  const box = { left: 44, right: width - 14, top: 14, bottom: height - 30 };
  const across = ticks(0, Math.max(t, 50));
  const end = across.at(-1);
  let [least, most] = [0, measure.few];
  for (const { values } of curves) for (const y of values) [least, most] = [Math.min(least, y), Math.max(most, y)];
  const low = Math.min(0, 1.1 * least);
  const up = ticks(Math.min(0, least), most).filter((value) => value >= low);
  const high = up.at(-1);
  const x = (step) => box.left + ((box.right - box.left) * step) / end;
  const y = (value) => box.bottom - ((box.bottom - box.top) * (value - low)) / (high - low);

  c.font = FONT;
  c.lineWidth = 1;
  c.strokeStyle = ink.grid;
  c.fillStyle = ink.quiet;
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const value of up) {
    line(c, box.left, y(value), box.right, y(value));
    c.fillText(short(value), box.left - 7, y(value));
  }
  c.textBaseline = "top";
  for (const value of across) {
    c.textAlign = value === end ? "right" : "center";
    c.fillText(value === end && width > 500 ? `step ${short(value)}` : short(value), x(value), box.bottom + 7);
  }
  if (low < 0) {
    c.strokeStyle = ink.quiet;
    line(c, box.left, y(0), box.right, y(0));
  }
  c.textAlign = "left";
  changes.forEach((change) => {
    c.strokeStyle = ink.accent;
    c.setLineDash([2, 3]);
    line(c, x(change.t), box.top, x(change.t), box.bottom);
    c.setLineDash([]);
    c.fillStyle = ink.accent;
    const right = x(change.t) > width - 130;
    c.textAlign = right ? "right" : "left";
    c.fillText(change.label, x(change.t) + (right ? -5 : 5), box.top - 4);
  });
  for (const { values, colour, width: thick, dash } of curves) {
    c.strokeStyle = colour;
    c.lineWidth = thick;
    c.lineJoin = "round";
    c.setLineDash(dash ?? []);
    c.beginPath();
    const every = Math.max(1, Math.floor(values.length / 1500));
    for (let step = 0; step < values.length; step += every) c.lineTo(x(step), y(values[step]));
    c.lineTo(x(values.length - 1), y(values.at(-1)));
    c.stroke();
    c.setLineDash([]);
    c.fillStyle = colour;
    disc(c, x(values.length - 1), y(values.at(-1)), thick > 2 ? 4 : 2.5);
  }
}

function short(x) {
  return String(Math.round(x * 100) / 100).replace("-", "−");
}

function line(c, x0, y0, x1, y1) {
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

function disc(c, x, y, radius) {
  c.beginPath();
  c.arc(x, y, radius, 0, 2 * Math.PI);
  c.fill();
}

/** The states of A x B LSTMs: a tile of N numbers for each, or how much each changed. Observations
 * are rows, or where there are many and room for them columns. */
function drawMemory(canvas, layer, observations, actions, what) {
  const ink = colours();
  const { A, B } = layer;
  const wide = canvas.clientWidth;
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.font = FONT;
  const across = A > B && (wide - 106) / A >= 16; // observations are columns
  const [rows, columns] = across ? [actions, observations] : [observations, actions];
  const left = Math.min(across ? 76 : 112, wide * 0.3);
  const widest = Math.max(...columns.map((name) => context.measureText(name).width));
  const top = across ? 16 + 0.83 * widest : 22; // slanted by 56 degrees
  const gap = columns.length > 12 ? 2 : 4;
  const tile = Math.max(8, Math.min(across ? 44 : A > 6 ? 30 : 64, (wide - left - (across ? 30 : 0)) / columns.length - gap));
  const { context: c } = prepared(canvas, top + rows.length * (tile + gap));
  c.font = FONT;
  c.fillStyle = ink.quiet;
  columns.forEach((name, i) => {
    const x = left + i * (tile + gap) + tile / 2;
    if (across) {
      slanted(c, name, x, top - 5);
    } else {
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillText(c.measureText(name).width > tile + gap ? name.replace(/^(arm|push) /, "") : name, x, 9, tile + gap);
    }
  });
  c.textAlign = "right";
  c.textBaseline = "middle";
  rows.forEach((name, i) => c.fillText(name, left - 8, top + i * (tile + gap) + tile / 2, left - 8));
  const most = Math.max(1e-9, ...layer.change);
  for (let a = 0; a < A; a++) {
    for (let b = 0; b < B; b++) {
      const [row, column] = across ? [b, a] : [a, b];
      const [x, y] = [left + column * (tile + gap), top + row * (tile + gap)];
      c.fillStyle = ink.empty;
      c.fillRect(x, y, tile, tile);
      if (what === "change") {
        c.globalAlpha = Math.sqrt(layer.change[a * B + b] / most);
        c.fillStyle = ink.accent;
        c.fillRect(x, y, tile, tile);
      } else {
        drawTile(c, layer, a * B + b, x, y, tile, ink.positive, ink.negative);
      }
      c.globalAlpha = 1;
    }
  }
}

/** The hidden state of one LSTM, a square of N numbers. */
function drawTile(c, layer, index, x, y, tile, positive, negative) {
  const N = layer.hidden.length / (layer.A * layer.B);
  const side = Math.ceil(Math.sqrt(N));
  const pixel = tile / side;
  for (let n = 0; n < N; n++) {
    const value = layer.hidden[index * N + n];
    c.globalAlpha = Math.min(1, Math.abs(value) ** 0.7);
    c.fillStyle = value > 0 ? positive : negative;
    c.fillRect(x + (n % side) * pixel, y + Math.floor(n / side) * pixel, pixel, pixel);
  }
}

function slanted(c, text, x, y) {
  c.save();
  c.translate(x, y);
  c.rotate(-Math.PI / 3.2);
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillText(text, 0, 0);
  c.restore();
}

/** The grid: the agent, the heart and the trap, as the last action left them. */
function drawHearts(canvas, world, state, last, task) {
  const ink = colours();
  const wide = Math.min(300, canvas.clientWidth);
  const { context: c, width } = prepared(canvas, wide);
  const cell = (wide - 8) / world.size;
  const left = (width - wide) / 2 + 4;
  const middle = (at) => [left + ((at % world.size) + 0.5) * cell, 4 + (Math.floor(at / world.size) + 0.5) * cell];
  for (let at = 0; at < world.cells; at++) {
    const [x, y] = middle(at);
    c.fillStyle = ink.empty;
    c.beginPath();
    c.roundRect(x - cell / 2 + 3, y - cell / 2 + 3, cell - 6, cell - 6, 10);
    c.fill();
  }
  drawHeart(c, ...middle(state.heart), cell * 0.27, ink.rule);
  drawTrap(c, ...middle(state.trap), cell * 0.25, ink.trap);
  sign(c, ...middle(state.heart), cell, task.sign);
  sign(c, ...middle(state.trap), cell, -task.sign);
  const [x, y] = middle(state.agent);
  if (last && last.terminated) {
    c.strokeStyle = last.reward > 0 ? ink.good : ink.rule;
    c.lineWidth = 4;
    c.beginPath();
    c.roundRect(x - cell / 2 + 3, y - cell / 2 + 3, cell - 6, cell - 6, 10);
    c.stroke();
  }
  c.fillStyle = ink.agent;
  disc(c, x, y, cell * 0.17);
  c.fillStyle = ink.panel;
  disc(c, x - cell * 0.06, y - cell * 0.03, cell * 0.03);
  disc(c, x + cell * 0.06, y - cell * 0.03, cell * 0.03);
}

function sign(c, x, y, cell, value) {
  c.fillStyle = colours().quiet;
  c.font = `600 ${Math.round(cell * 0.13)}px system-ui, "DejaVu Sans", sans-serif`;
  c.textAlign = "right";
  c.textBaseline = "top";
  c.fillText(value > 0 ? "+1" : "−1", x + cell * 0.42, y - cell * 0.42);
}

function drawHeart(c, x, y, r, colour) {
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(x, y + r);
  c.bezierCurveTo(x - 2 * r, y - 0.3 * r, x - 0.9 * r, y - 1.5 * r, x, y - 0.5 * r);
  c.bezierCurveTo(x + 0.9 * r, y - 1.5 * r, x + 2 * r, y - 0.3 * r, x, y + r);
  c.fill();
}

function drawTrap(c, x, y, r, colour) {
  c.fillStyle = colour;
  c.beginPath();
  for (let i = 0; i < 16; i++) {
    const [angle, radius] = [(i * Math.PI) / 8, i % 2 ? r : r * 0.55];
    c.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  c.fill();
}

function drawCartPole(canvas, state, last) {
  const ink = colours();
  const { context: c, width, height } = prepared(canvas, 210);
  const scale = Math.min(width, 520) / 5.4;
  const ground = height - 40;
  const [x, , angle] = state.numbers;
  const at = width / 2 + x * scale;
  c.strokeStyle = ink.grid;
  c.lineWidth = 2;
  line(c, width / 2 - 2.4 * scale, ground, width / 2 + 2.4 * scale, ground);
  for (const edge of [-2.4, 2.4]) line(c, width / 2 + edge * scale, ground - 7, width / 2 + edge * scale, ground + 7);
  c.fillStyle = ink.agent;
  c.beginPath();
  c.roundRect(at - 30, ground - 26, 60, 22, 5);
  c.fill();
  c.strokeStyle = last && last.terminated ? ink.trap : ink.rule;
  c.lineWidth = 9;
  c.lineCap = "round";
  line(c, at, ground - 26, at + 120 * Math.sin(angle), ground - 26 - 120 * Math.cos(angle));
  c.lineCap = "butt";
  c.fillStyle = ink.quiet;
  disc(c, at, ground - 26, 4);
  if (last) {
    c.font = FONT;
    c.textAlign = "center";
    c.fillStyle = ink.quiet;
    c.fillText(last.action ? "→" : "←", at + (last.action ? 44 : -44), ground - 12);
  }
}
