// What the page is built of in a world: arms, controls, the rule's card.

/** What depends on the world, and not on the step. */
function build() {
  const { race } = app;
  const { world } = race;
  element("world-title").textContent = WORLDS[app.world].title;
  element("curve-title").textContent = world.measure.title;
  element("curve-note").textContent = `${world.measure.unit}, ${world.measure.better}; all live in the same world, with the same randomness. One lifetime is full of chance` +
    (RULES[app.rule].card.good ? ": the card below has means over 1,000." : ".");
  const [A, B, N] = [world.observations, world.actions, race.rule.hiddenSize];
  element("memory-note").textContent =
    `A × B = ${A} × ${B} LSTMs, one for each observation and action: ` +
    `${A * B * N} numbers are all that it knows of this lifetime. They share one rule.`;
  element("size").textContent = race.rule.size.toLocaleString("en");
  element("scene").hidden = app.world === "bandit";
  element("arms").replaceChildren(...(app.world === "bandit" ? buildArms(race) : []));
  element("controls").replaceChildren(...buildControls(race));
  element("policy").replaceChildren(...world.actionNames.map((name) =>
    make("div", { className: "bar" }, make("span", { textContent: name }), make("div", {}, make("i")), make("b"))));
  element("permute").setAttribute("aria-pressed", String(Boolean(race.order)));
  for (const tab of element("worlds").children) {
    const chosen = tab.dataset.world === app.world;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  buildCard();
}

function buildArms(race) {
  return race.task.payouts.map((payout, i) => {
    const value = make("output", { textContent: payout.toFixed(2) });
    const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: payout });
    slider.setAttribute("aria-label", `chance that arm ${i + 1} pays`);
    slider.addEventListener("input", () => {
      value.textContent = Number(slider.value).toFixed(2);
      const payouts = app.race.task.payouts.map((p, j) => (j === i ? Number(slider.value) : p));
      app.race.change({ payouts }, "arms changed");
      show();
    });
    return make("div", { className: "arm" }, make("span", { textContent: `arm ${i + 1}` }), slider, value, make("span", { className: "pulls" }));
  });
}

function buildControls(race) {
  if (app.world === "cartpole") return [];
  const bandit = app.world === "bandit";
  const choices = bandit ? [2, 3, 5, 8, 10] : [2, 3];
  const select = make("select", {}, ...choices.map((n) =>
    make("option", { value: n, textContent: bandit ? `${n} arms` : `${n} × ${n}${n === 3 ? ", never seen" : ""}`, selected: n === (race.world.arms ?? race.world.size) })));
  select.setAttribute("aria-label", bandit ? "number of arms" : "size of the grid");
  select.addEventListener("change", () => {
    app.option[app.world] = Number(select.value);
    begin(app.seed);
  });
  const swap = make("button", { id: "swap", textContent: bandit ? "Swap best and worst" : "Swap rewards", title: "In mid-life (R)" });
  swap.addEventListener("click", swapRewards);
  return [select, swap];
}

function buildCard() {
  const { card } = RULES[app.rule];
  element("summary").textContent = card.summary ?? "";
  const list = (title, lines) => (lines && lines.length
    ? [make("div", {}, make("h3", { textContent: title }), make("ul", {}, ...lines.map((text) => make("li", { textContent: text }))))]
    : []);
  element("card").replaceChildren(
    ...list("Good at", card.good), ...list("Not good at", card.not_good), ...list("What it learned to use", card.explained),
    ...list("Where it comes from", [card.command, card.hardware, card.revision && `revision ${card.revision.slice(0, 12)}`].filter(Boolean)));
}
