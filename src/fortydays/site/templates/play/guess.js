// "Guess before it opens": one claim at a time, and which kinds of claims a reader believes too easily.
(() => {
  const { at, made, kept } = play;
  const { claims, kinds, words } = window.playData;
  const VERDICTS = ["supported", "undecided", "refuted"];
  let guesses = kept.get("guesses");
  if (typeof guesses !== "object" || guesses === null || Array.isArray(guesses)) guesses = {};
  for (const id of Object.keys(guesses)) if (!VERDICTS.includes(guesses[id])) delete guesses[id];
  let now = 0;

  const select = at("which");
  const asked = () => claims.filter((each) => !select.value || each.day === +select.value);
  const open = () => asked().filter((each) => !guesses[each.id]);
  const wordsOf = (claim) => words[claim.demonstration ? "demonstration" : "claim"];
  const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

  function show(focus = false) {
    const claim = claims[now], guess = guesses[claim.id], say = wordsOf(claim), all = asked();
    at("day").textContent = `Day ${claim.day}. ${claim.title}${claim.data ? ` \u00b7 ${claim.data}` : ""}`;
    at("promise").hidden = !claim.promise;
    at("promise").replaceChildren(made("span", { class: "label" }, "The journal promises"), ` ${claim.promise}`);
    at("guessed").textContent = claim.claim;
    at("condition").textContent = `Tested: ${claim.condition}; ${counted(claim.seeds, "seed")}.`;
    at("answers").replaceChildren(...VERDICTS.map((verdict, n) => {
      const classes = guess ? `${verdict} ${verdict === guess ? "mine" : ""} ${verdict === claim.verdict ? "true" : ""}` : verdict;
      const button = made("button", { type: "button", class: classes, "aria-keyshortcuts": String(n + 1), ...(guess ? { disabled: "" } : {}) },
        made("span", { "aria-hidden": "true" }, say[verdict][0]), say[verdict][1], made("small", { "aria-hidden": "true" }, guess ? (verdict === guess ? "you" : "") : String(n + 1)));
      button.addEventListener("click", () => answer(verdict));
      return button;
    }));
    at("opened").hidden = !guess;
    if (guess) opened(claim, guess, say);
    at("so-far").textContent = `${all.length - open().length} of ${all.length} guessed`;
    at("progress").max = all.length;
    at("progress").value = all.length - open().length;
    score();
    if (focus) (guess ? at("next") : at("answers").firstChild).focus({ preventScroll: true });
  }

  function opened(claim, guess, say) {
    const right = guess === claim.verdict;
    at("outcome").replaceChildren(made("strong", {}, right ? "You were right: " : guess === "supported" ? "You believed too much: " : "No: "),
      made("span", { class: `verdict ${claim.verdict}` }, say[claim.verdict].join(" ")));
    at("basis").textContent = claim.basis;
    at("figure").replaceChildren();
    if (claim.value !== null && claim.low !== null) {
      const ends = [claim.value, claim.low, claim.high], width = Math.max(240, at("figure").clientWidth);
      const { svg, px, reach } = numberline.plane(claim, { ends, width: Math.min(width, 640), top: 42, bottom: 82 });
      const study = { ...claim, kind: claim.verdict };
      svg.append(...reach(study, 53), play.drawn("circle", { class: `mean ${claim.verdict}`, cx: px(claim.value), cy: 53, r: 6 }));
      svg.setAttribute("aria-label", `Mean and interval beside the bound: ${claim.basis}`);
      at("figure").append(svg);
    }
    const left = open().length;
    at("next").textContent = left ? "Next claim" : "See your score";
    at("to-day").textContent = `Why: day ${claim.day}`;
    at("to-day").href = `../${claim.page}`;
  }

  function answer(verdict) {
    const { id } = claims[now];
    if (guesses[id]) return;
    guesses[id] = verdict;
    kept.set("guesses", guesses);
    show(true);
  }

  function next() {
    const left = open();
    if (!left.length) return at("score").scrollIntoView({ behavior: "auto", block: "start" });
    const after = left.find((each) => claims.indexOf(each) > now) ?? left[0];
    now = claims.indexOf(after);
    show(true);
  }

  // ----------------------------------------------------------------------------------------------------- the score

  const believed = (some) => some.filter((each) => guesses[each.id] === "supported" && each.verdict !== "supported");
  const doubted = (some) => some.filter((each) => guesses[each.id] !== "supported" && each.verdict === "supported");

  function score() {
    const done = claims.filter((each) => guesses[each.id]);
    at("over").hidden = !done.length;
    if (!done.length) {
      at("scored").textContent = "No guess yet.";
      at("by-kind").replaceChildren();
      return;
    }
    const right = done.filter((each) => guesses[each.id] === each.verdict).length;
    const always = done.filter((each) => each.verdict === "supported").length;
    const rows = Object.entries(kinds).map(([kind, title]) => ({ title, some: done.filter((each) => each.kind === kind) })).filter(({ some }) => some.length);
    const worst = rows.map((row) => ({ ...row, much: believed(row.some).length })).sort((a, b) => b.much - a.much || b.much / b.some.length - a.much / a.some.length)[0];
    const much = believed(done).length, little = doubted(done).length;
    at("scored").replaceChildren(made("strong", {}, `${right} of ${done.length} right.`),
      ` Whoever believes every claim has ${always}. You believed ${much ? counted(much, "claim") : "none"} too much and ${little ? little : "none"} too little. `,
      worst.much ? `Most often too much: \u201c${worst.title}\u201d, ${worst.much} of ${worst.some.length}.` : "");
    const head = ["kind of claim", "guessed", "right", "too much", "too little"];
    const cell = (value, n) => made("td", { class: n === 2 && value ? "number much" : "number" }, String(value));
    const table = made("table", {}, made("thead", {}, made("tr", {}, ...head.map((name, n) => made("th", { scope: "col", ...(n ? { class: "number" } : {}) }, name)))),
      made("tbody", {}, ...rows.map(({ title, some }) => made("tr", {}, made("th", { scope: "row", class: "words" }, title),
        ...[some.length, some.filter((each) => guesses[each.id] === each.verdict).length, believed(some).length, doubted(some).length].map(cell)))));
    at("by-kind").replaceChildren(made("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Your score by kind of claim" }, table));
  }

  select.append(made("option", { value: "" }, "All days"));
  for (const [day, title] of new Map(claims.map((each) => [each.day, each.title]))) select.append(made("option", { value: day }, `${day}. ${title}`));
  select.addEventListener("change", () => { now = claims.indexOf(open()[0] ?? asked()[0]); show(); });
  at("next").addEventListener("click", next);
  at("over").addEventListener("click", () => { guesses = {}; kept.set("guesses", guesses); now = claims.indexOf(asked()[0]); show(true); });
  // Only where an answer has the focus: a key that is pressed elsewhere must not guess, because a guess stays.
  at("answers").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (["1", "2", "3"].includes(event.key) && !guesses[claims[now].id]) answer(VERDICTS[event.key - 1]);
  });
  let resized;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(show, 100); });

  const day = location.hash.match(/^#day-(\d+)$/)?.[1];
  if (day && claims.some((each) => each.day === +day)) select.value = day;
  play.begin();
  now = claims.indexOf(open()[0] ?? asked()[0]);
  show();
})();
