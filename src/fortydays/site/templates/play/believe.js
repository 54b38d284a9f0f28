// "Would you have believed it?": fewer seeds of the real trials, the verdict that they give, and all choices counted.
(() => {
  const { at, made, drawn } = play;
  const { limits, verdict, judged, side, choices } = intervals;
  const { claims, words } = window.playData;
  const MOST_BEFORE = 7, KINDS = ["supported", "undecided", "refuted"];
  const random = play.random(Date.now());
  const select = at("claim"), many = at("many");
  let claim, chosen = [], before = [], counts = [], job = 0;

  const wordsOf = () => words[claim.demonstration ? "demonstration" : "claim"];
  const counted = (count, name) => `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;

  const shown = (value, withUnit = true) => numberline.shown(claim, value, withUnit);

  // What some seeds say; one seed is on a side, and no more.
  function said(places) {
    const found = limits(claim, places);
    const one = places.length === 1;
    const kind = one ? (side(claim, found.mean) ? "supported" : "refuted") : verdict(claim, found);
    return { ...found, one, kind, places: [...places] };
  }

  const named = (study) => (study.one ? `one seed, ${study.kind === "supported" ? "on the claim’s side" : "on the other side"}` : `${wordsOf()[study.kind].join(" ")}`);

  function draw(size) {
    const left = claim.values.map((_, place) => place);
    const picked = [];
    while (picked.length < size) picked.push(left.splice(Math.floor(random() * left.length), 1)[0]);
    take(picked);
  }

  function take(places) {
    if (chosen.length) before.unshift(said(chosen));
    before = before.slice(0, MOST_BEFORE);
    chosen = [...places].sort((a, b) => a - b);
    if (before.length === MOST_BEFORE) show();
  }

  // ---------------------------------------------------------------------------------------------- the drawn studies

  function show() {
    many.value = chosen.length;
    at("many-told").textContent = `${chosen.length} of ${claim.values.length}`;
    [...at("seeds").children].forEach((button, place) => button.setAttribute("aria-pressed", chosen.includes(place)));
    const study = said(chosen), told = at("told");
    if (study.one) {
      told.replaceChildren(made("strong", { class: `verdict ${study.kind}` }, study.kind === "supported" ? "On the claim’s side" : "On the other side"),
        `, with ${shown(study.mean)}. That is all that one seed says: it has no interval, so there is no verdict.`);
    } else {
      told.replaceChildren(made("strong", { class: `verdict ${study.kind}` }, wordsOf()[study.kind].join(" ")),
        ` by ${counted(chosen.length, "seed")}: ${shown(study.mean)}, with an interval from ${shown(study.low, false)} to ${shown(study.high)}. `,
        study.kind === claim.verdict ? "All seeds say the same." : `All ${claim.values.length} seeds say: ${wordsOf()[claim.verdict][1]}.`);
    }
    picture(study);
    countsShown();
  }

  function picture(study) {
    const all = said(claim.values.map((_, place) => place));
    const row = 27, top = 42, bottom = top + row * (MOST_BEFORE + 2) + 20;
    const width = Math.max(260, at("drawn").clientWidth);
    const { svg, px, right, reach } = numberline.plane(claim, { ends: [...claim.values, all.low, all.high], width, top, bottom, left: 44 });
    svg.setAttribute("aria-labelledby", "drawn-says");

    const line = (each, y, strength) => {
      const group = drawn("g", { opacity: strength }, ...(each.one ? [] : reach(each, y)));
      group.append(drawn("circle", { class: `mean ${each.kind}`, cx: px(each.mean), cy: y, r: each.one ? 4 : 5.5 }));
      if (!each.one) group.append(drawn("text", { class: `sign ${each.kind}`, x: 2, y: y + 5 }, wordsOf()[each.kind][0]));
      group.append(drawn("text", { class: "soft", x: 36, y: y + 5, "text-anchor": "end" }, String(each.places.length)));
      group.append(drawn("title", {}, `${counted(each.places.length, "seed")}: ${named(each)}`));
      svg.append(group);
    };
    line(study, top, 1);
    claim.values.forEach((value, place) => svg.append(drawn("circle", { class: chosen.includes(place) ? "seed in" : "seed", cx: px(value), cy: top + 16, r: 3.2 })));
    before.forEach((each, n) => line(each, top + 16 + row * (n + 1), Math.max(0.25, 0.75 - n * 0.08)));
    const last = bottom - 14;
    svg.append(drawn("path", { class: "axis", d: `M0 ${last - row / 2 - 2}H${right}` }));
    line(all, last, 1);
    at("drawn").replaceChildren(svg);
    at("drawn-says").textContent = `Your study (top), those before it, and all ${claim.values.length} seeds (bottom)`;
  }

  // ------------------------------------------------------------------------------------------- all choices of seeds

  // Counts in slices of time, so that the page stays awake; the number that is looked at first.
  function count() {
    const mine = (job += 1), total = claim.values.length;
    counts = Array.from({ length: total + 1 }, () => null);
    const open = Array.from({ length: total }, (_, n) => n + 1);
    let size = 0, left = null, tally = null;
    const slice = () => {
      if (mine !== job) return;
      const until = performance.now() + 20;
      while (performance.now() < until) {
        if (left === null) {
          if (!open.length) { at("counted").dataset.done = "yes"; return countsShown(); }
          size = open.splice(Math.max(0, open.indexOf(chosen.length)), 1)[0];
          left = choices(total, size);
          tally = { supported: 0, undecided: 0, refuted: 0, all: 0 };
        }
        for (let n = 0; n < 50; n += 1) {
          const next = left.next();
          if (next.done) { counts[size] = tally; left = null; countsShown(); break; }
          const kind = size === 1 ? (side(claim, claim.values[next.value[0]]) ? "supported" : "refuted") : judged(claim, next.value);
          tally[kind] += 1;
          tally.all += 1;
        }
      }
      setTimeout(slice);
    };
    delete at("counted").dataset.done;
    slice();
  }

  const none = (number) => (number ? number.toLocaleString("en") : "none");

  function countsShown() {
    const total = claim.values.length, size = chosen.length, tally = counts[size], told = at("counted-told");
    const say = wordsOf();
    if (size === total) told.textContent = `All ${total} seeds are the published study: there is one choice, and its verdict is “${say[claim.verdict][1]}”.`;
    else if (!tally) told.textContent = "Counting …";
    else if (size === 1) {
      const { supported: yes, refuted: no } = tally;
      const end = claim.verdict === "undecided" ? `All ${total} together do not decide it. Each of these seeds alone looks like an answer.`
        : (claim.verdict === "supported" ? no : yes) ? `So ${counted(claim.verdict === "supported" ? no : yes, "seed")} of ${total} would have misled you: all together say “${say[claim.verdict][1]}”.`
          : `None would have misled you here. Nothing in one seed tells you so: only the others do.`;
      told.textContent = `Of the ${total} single seeds, ${none(yes)} ${yes === 1 ? "lies" : "lie"} on the claim’s side and ${none(no)} on the other. ${end}`;
    } else {
      const wrong = claim.verdict === "supported" ? tally.refuted : claim.verdict === "refuted" ? tally.supported : tally.supported + tally.refuted;
      const parts = KINDS.map((kind) => `${none(tally[kind])} “${say[kind][1]}”`);
      const end = claim.verdict === "undecided" ? (wrong ? `${wrong === 1 ? "One decides" : `${wrong.toLocaleString("en")} decide`} what all ${total} do not.` : `None decides what all ${total} do not.`)
        : wrong ? `${none(wrong)} would have misled you.` : "None says the opposite of what all seeds say.";
      told.textContent = `Of all ${counted(tally.all, "choice")} of ${counted(size, "seed")}, ${parts[0]}, ${parts[1]} and ${parts[2]}. ${end}`;
    }
    bars(total, size);
    at("table").replaceChildren(...counts.slice(1).flatMap((each, n) => (each ? [made("tr", {},
      ...[n + 1, each.all, each.supported, n ? each.undecided : "–", each.refuted].map((value) => made("td", { class: "number" }, value.toLocaleString("en"))))] : [])));
  }

  function bars(total, size) {
    const width = Math.max(240, at("counted").clientWidth), high = 230, left = 44, top = 6;
    const step = (width - left) / total, gap = Math.min(6, step * 0.18);
    const svg = drawn("svg", { width, height: high + 46, viewBox: `0 0 ${width} ${high + 46}`, role: "img", "aria-label": "For each number of seeds, the share of choices with each verdict; the table below has the counts" });
    svg.append(drawn("defs", {}, drawn("pattern", { id: "stripes", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      drawn("rect", { class: "under", width: 7, height: 7 }), drawn("path", { class: "stripe", d: "M0 0V7" }))));
    for (const share of [0, 0.5, 1]) {
      const y = top + (1 - share) * high;
      svg.append(drawn("path", { class: "axis", d: `M${left} ${y}H${width}` }), drawn("text", { class: "soft", x: left - 6, y: y + 4, "text-anchor": "end" }, share === 1 ? "100%" : `${100 * share}`));
    }
    for (let n = 1; n <= total; n += 1) {
      const x = left + (n - 1) * step + gap / 2, tally = counts[n], group = drawn("g", { class: n === 1 ? "column alone" : "column" });
      let y = top + high;
      for (const kind of tally ? KINDS : []) {
        const tall = (tally[kind] / tally.all) * high;
        y -= tall;
        if (tall) group.append(drawn("rect", { class: `bar ${kind}`, x, y, width: step - gap, height: tall, ...(kind === "refuted" ? { fill: "url(#stripes)" } : {}) }));
      }
      group.append(drawn("rect", { class: n === size ? "now" : "", fill: "transparent", x: x - gap / 2, y: top - 2, width: step, height: high + 4, rx: 3 }));
      if (total < 13 || n === 1 || n % 5 === 0 || n === size) group.append(drawn("text", { class: n === size ? "" : "soft", x: x + (step - gap) / 2, y: top + high + 19, "text-anchor": "middle" }, String(n)));
      if (tally) group.append(drawn("title", {}, `${counted(n, "seed")}: ${KINDS.map((kind) => `${tally[kind]} ${wordsOf()[kind][1]}`).join(", ")}`));
      group.addEventListener("click", () => draw(n));
      svg.append(group);
    }
    svg.append(drawn("text", { class: "soft", x: left, y: top + high + 38 }, "number of seeds"));
    at("counted").replaceChildren(svg);
  }

  // ---------------------------------------------------------------------------------------------------- the controls

  function choose(which) {
    claim = claims[which];
    select.value = String(which);
    play.kept.set("believe", which);
    before = [];
    chosen = [];
    many.max = claim.values.length;
    const say = wordsOf(), all = limits(claim, claim.values.map((_, place) => place));
    at("asked").textContent = claim.claim;
    at("published").replaceChildren(`Day ${claim.day}. All ${claim.values.length} seeds: `, made("strong", { class: `verdict ${claim.verdict}` }, say[claim.verdict].join(" ")),
      `, ${shown(all.mean)} (${shown(all.low, false)} to ${shown(all.high, false)})${claim.flags.length ? `; flagged: ${claim.flags.join(", ")}` : ""}`);
    for (const [name, kind] of [["yes", "supported"], ["open", "undecided"], ["no", "refuted"]])
      at(`word-${name}`).textContent = at(`head-${name}`).textContent = say[kind][1];
    at("seeds").replaceChildren(...claim.seeds.map((seed, place) => {
      const button = made("button", { type: "button", "aria-pressed": "false", "aria-label": `Seed ${seed}: ${shown(claim.values[place])}`, title: `Seed ${seed}: ${shown(claim.values[place])}` }, String(seed));
      button.addEventListener("click", () => {
        const next = chosen.includes(place) ? chosen.filter((each) => each !== place) : [...chosen, place];
        if (next.length) take(next);
      });
      return button;
    }));
    for (let n = 0; n <= MOST_BEFORE; n += 1) draw(Math.min(3, claim.values.length));
    count();
  }

  const groups = new Map();
  claims.forEach((each, n) => {
    const name = `Day ${each.day}. ${each.title}`;
    if (!groups.has(name)) groups.set(name, made("optgroup", { label: name }));
    groups.get(name).append(made("option", { value: n }, each.claim));
  });
  select.append(...groups.values());
  select.addEventListener("change", () => choose(+select.value));
  many.addEventListener("input", () => draw(+many.value));
  at("again").addEventListener("click", () => draw(chosen.length));
  let resized;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(show, 100); });

  const asked = claims.findIndex((each) => `#day-${each.day}` === location.hash);
  const { first } = window.playData;
  const last = play.kept.get("believe");
  play.begin();
  choose(asked >= 0 ? asked : Number.isInteger(last) && claims[last] ? last : first);
})();
