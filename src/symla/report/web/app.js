// The page: what is shown, and what the visitor does.

const WORLDS = {
  bandit: { tab: "Bandit", title: "A bandit: which arm pays?", rule: "bandits", option: 5, make: (arms) => new Bandit(arms) },
  hearts: { tab: "Hearts", title: "Hearts: what is worth going to?", rule: "gridworld", option: 2, make: (size) => new Hearts(size) },
  cartpole: { tab: "CartPole", title: "CartPole: do not let it fall", rule: "control", option: 0, make: () => new CartPole() },
};
const LONGEST = 5000; // steps of a lifetime: it is paused there

const element = (id) => document.getElementById(id);
const app = {
  world: "bandit", rule: null, option: {}, race: null, before: null, seed: 1, playing: false, due: 0, time: 0,
  memory: "state", speed: 10,
};

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Another lifetime: another task, and a memory that is empty. */
function begin(seed = app.seed + 1) {
  app.seed = seed;
  const kind = WORLDS[app.world];
  const world = kind.make(app.option[app.world] ?? kind.option);
  app.race = new Race(world, RULE_OBJECTS[app.rule], seed);
  app.before = null;
  build();
  show();
}

function swapRewards() {
  const { race } = app;
  if (app.world === "hearts") {
    race.change({ sign: -race.task.sign }, race.task.sign > 0 ? "traps pay now" : "hearts pay again");
  } else if (app.world === "bandit") {
    const { payouts } = race.task;
    const [best, worst] = [payouts.indexOf(Math.max(...payouts)), payouts.indexOf(Math.min(...payouts))];
    const swapped = payouts.map((p, i) => (i === best ? payouts[worst] : i === worst ? payouts[best] : p));
    race.change({ payouts: swapped }, "best and worst swapped");
    [...element("arms").children].forEach((row, i) => {
      row.querySelector("input").value = swapped[i];
      row.querySelector("output").textContent = swapped[i].toFixed(2);
    });
  }
  show();
}

/** Live the same lifetime again with inputs and outputs in another order, or in their own. */
function permute() {
  const { race } = app;
  const { observations, actions } = race.world;
  const order = race.order ? null : {
    observations: shuffled(observations, race.seed + race.t, "observations"),
    actions: shuffled(actions, race.seed + race.t, "actions"),
  };
  app.before = race.lives.rule.curve;
  app.race = race.again(order);
  element("permute").setAttribute("aria-pressed", String(Boolean(order)));
  show();
}

/** What depends on the step. */
function show() {
  const { race } = app;
  const { world, lives, task, t } = race;
  const mine = lives.rule;
  const { last } = mine;
  element("told").textContent = last ? world.tell(last) : "Its memory is empty. Press play.";
  element("clock").textContent = `step ${t.toLocaleString("en")}`;
  element("play").textContent = app.playing ? "❚❚ Pause" : "▶ Play";
  const state = last && (last.terminated || last.truncated) ? last.state : mine.state;
  if (app.world === "hearts") drawHearts(element("scene"), world, state, last, task);
  if (app.world === "cartpole") drawCartPole(element("scene"), state, last);
  if (app.world === "bandit") showArms(mine, last);
  element("scene").setAttribute("aria-label", last ? world.tell(last) : "the world before the first step");

  const ink = colours();
  const others = Object.entries(lives).reverse().map(([who, life]) => ({
    who, name: LEARNERS[who].name, colour: ink[LEARNERS[who].colour ?? who], values: life.curve, width: who === "rule" ? 3 : 1.8,
  }));
  const ghost = app.before ? [{ values: app.before.slice(0, t + 1), colour: ink.ink, width: 1.2, dash: [5, 5] }] : [];
  drawCurves(element("curves"), [...others, ...ghost], race.changes, t, world.measure);
  const legend = [...others].reverse().map(({ name, colour, values, who }) => {
    const swatch = make("i");
    swatch.style.borderColor = colour;
    return make("li", {}, swatch, who === "rule" ? `the rule “${app.rule}”` : name, make("b", { textContent: short(values.at(-1)) }));
  });
  element("legend").replaceChildren(...legend);
  element("curves").setAttribute("aria-label", others.map(({ name, values }) => `${name}: ${short(values.at(-1))}`).join(", "));

  const policy = mine.learner.probabilities ?? new Array(world.actions).fill(1 / world.actions);
  [...element("policy").children].forEach((row, i) => {
    row.querySelector("i").style.transform = `scaleX(${policy[i]})`;
    row.querySelector("b").textContent = `${(100 * policy[i]).toFixed(0)}%`;
  });
  showMemory(mine, world);
  showPermuted(mine, t);
}

function showArms(mine, last) {
  const rows = [...element("arms").children];
  rows.forEach((row, i) => {
    const pulled = last && last.state.action === i;
    row.classList.toggle("pulled", Boolean(pulled));
    row.classList.toggle("won", Boolean(pulled && last.reward));
    row.querySelector(".pulls").textContent = `${mine.counts[i]} ${mine.counts[i] === 1 ? "pull" : "pulls"}`;
  });
}

function showMemory(mine, world) {
  const [layer] = mine.learner.memory.layers;
  const { order } = mine.learner;
  const named = (names, places) => (places ? places.map((i) => names[i]) : names);
  drawMemory(element("memory"), layer, named(world.observationNames, order?.observations), named(world.actionNames, order?.actions), app.memory);
  element("memory").setAttribute("aria-label", `the states of ${layer.A} times ${layer.B} LSTMs`);
}

function showPermuted(mine, t) {
  if (!app.before) {
    element("permuted").textContent = "";
    return;
  }
  const shared = Math.min(app.before.length, t + 1);
  let most = 0;
  for (let i = 0; i < shared; i++) most = Math.max(most, Math.abs(app.before[i] - mine.curve[i]));
  element("permuted").textContent = app.race.order
    ? `The same lifetime with its ${mine.world.observations} observations and ${mine.world.actions} actions in another order: its curve differs by ${short(most)} (dashed: before).`
    : `Back in their own order: its curve differs by ${short(most)} (dashed: before).`;
}

function setPlaying(playing) {
  app.playing = playing;
  app.due = 0;
  show();
}

function stepOnce() {
  if (app.race.t < LONGEST) app.race.step();
  if (app.race.t >= LONGEST) app.playing = false;
}

function frame(now) {
  const passed = Math.min(0.1, (now - app.time) / 1000);
  app.time = now;
  if (app.playing) {
    app.due += passed * app.speed;
    const until = performance.now() + 30; // milliseconds of computing in a frame
    let stepped = false;
    while (app.due >= 1 && app.playing && performance.now() < until) {
      stepOnce();
      app.due -= 1;
      stepped = true;
    }
    app.due = Math.min(app.due, 1);
    if (stepped) show();
  }
  requestAnimationFrame(frame);
}

function chooseWorld(name, rule = null) {
  app.world = name;
  app.rule = rule ?? app.chosen ?? (WORLDS[name].rule in RULES ? WORLDS[name].rule : Object.keys(RULES)[0]);
  element("rules").value = app.rule;
  begin(app.seed);
}

function setSpeed() {
  app.speed = 10 ** (Number(element("speed").value) / 33.4);
  element("pace").textContent = `${app.speed < 10 ? app.speed.toFixed(1) : Math.round(app.speed)} steps/s`;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  if (app.race) show();
}

function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  element("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

  element("worlds").append(...Object.entries(WORLDS).map(([name, { tab }]) => {
    const button = make("button", { textContent: tab });
    button.setAttribute("role", "tab");
    button.dataset.world = name;
    button.addEventListener("click", () => chooseWorld(name));
    return button;
  }));
  element("worlds").addEventListener("keydown", (event) => {
    const names = Object.keys(WORLDS);
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    event.stopPropagation();
    chooseWorld(names[(names.indexOf(app.world) + way + names.length) % names.length]);
    element("worlds").querySelector('[aria-selected="true"]').focus();
  });
  element("rules").append(...Object.keys(RULES).map((name) => make("option", { value: name, textContent: name })));
  element("rules").addEventListener("change", () => {
    app.chosen = element("rules").value;
    chooseWorld(app.world, app.chosen);
  });
  element("play").addEventListener("click", () => setPlaying(!app.playing));
  element("step").addEventListener("click", () => { app.playing = false; stepOnce(); show(); });
  element("new").addEventListener("click", () => begin());
  element("permute").addEventListener("click", permute);
  element("speed").addEventListener("input", setSpeed);
  for (const button of document.querySelectorAll("[data-memory]")) {
    button.addEventListener("click", () => {
      app.memory = button.dataset.memory;
      for (const other of document.querySelectorAll("[data-memory]")) other.setAttribute("aria-pressed", String(other === button));
      show();
    });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== " ")) return;
    if (event.key === " " && event.target.matches("button, select")) return;
    const worlds = Object.keys(WORLDS);
    const actions = {
      " ": () => setPlaying(!app.playing), s: () => element("step").click(), ArrowRight: () => element("step").click(),
      n: () => begin(), p: permute, r: swapRewards, 1: () => chooseWorld(worlds[0]), 2: () => chooseWorld(worlds[1]), 3: () => chooseWorld(worlds[2]),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });
  window.addEventListener("resize", show);
  setSpeed();
  chooseWorld(START.world, START.rule);
  app.chosen = START.chosen;
  requestAnimationFrame((now) => { app.time = now; requestAnimationFrame(frame); });
}

const RULE_OBJECTS = Object.fromEntries(Object.entries(RULES).map(([name, { numbers }]) => [name, new Rule(numbers)]));
window.symla = { Rule, Race, WORLDS, app, RULE_OBJECTS, softmax };
start();
