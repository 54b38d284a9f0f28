// Draw a digit: the pad, the answer, the hidden units, and the steps that fool the network.
(() => {
  const { at, made } = play, { SIDE, PIXELS, bytes, picture, against } = play.digit;
  const net = play.digit.network(playData.layers), STEP = playData.step / 255, MOST_STEPS = 60, NOISES = 200;
  const percent = (p) => (p > 0.9995 ? ">99.9%" : p < 0.0005 ? "<0.1%" : `${(100 * p).toFixed(1)}%`);
  const signed = (x) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(2)}`;
  const grays = bytes(playData.samples.pixels);
  const samples = playData.samples.labels.map((label, n) => ({
    label, pixels: Float64Array.from(grays.subarray(n * PIXELS, (n + 1) * PIXELS), (gray) => gray / 255),
  }));

  let strokes = [], sample = null, pixels = null, changed = null, steps = 0, unit = 0;
  let pen = { x: 0.5, y: 0.5, down: false, shown: false };

  // ------------------------------------------------------------------------------------------------------ pictures
  const white = (x) => [255 * x, 255 * x, 255 * x];
  // Blue for what is above zero, orange below, over the color of the page.
  function twoSided(largest) {
    const paper = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).slice(0, 3).map(Number);
    return (x) => {
      const share = largest ? Math.min(1, Math.abs(x) / largest) : 0, ink = x > 0 ? [0, 114, 178] : [213, 94, 0];
      return paper.map((each, n) => each + (ink[n] - each) * share);
    };
  }
  function paint(canvas, values, color) {
    const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
    for (let p = 0; p < PIXELS; p++) image.data.set([...color(values ? values[p] : 0), 255], 4 * p);
    context.putImageData(image, 0, 0);
    return canvas;
  }

  // ------------------------------------------------------------------------------------------------------- the pad
  const pad = at("pad"), ink = pad.getContext("2d");
  function drawPad() {
    const side = pad.width;
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, side, side);
    ink.imageSmoothingEnabled = false;
    if (sample) ink.drawImage(shrunk(sample.pixels), 0, 0, side, side);
    ink.strokeStyle = ink.fillStyle = "#fff";
    ink.lineWidth = side * 0.08;
    ink.lineCap = ink.lineJoin = "round";
    for (const stroke of strokes) {
      ink.beginPath();
      stroke.forEach(([x, y], n) => ink[n ? "lineTo" : "moveTo"](x * side, y * side));
      if (stroke.length === 1) ink.lineTo(stroke[0][0] * side + 0.01, stroke[0][1] * side);
      ink.stroke();
    }
    if (!strokes.length && !sample && !pen.shown) {
      ink.fillStyle = "#9a9a9a";
      ink.font = `${side * 0.06}px system-ui, sans-serif`;
      ink.textAlign = "center";
      ink.fillText("Draw a digit here", side / 2, side / 2);
    }
    if (pen.shown) {
      ink.strokeStyle = pen.down ? "#56b4e9" : "#e69f00";
      ink.lineWidth = side * 0.012;
      ink.beginPath();
      ink.arc(pen.x * side, pen.y * side, side * 0.05, 0, 7);
      ink.stroke();
    }
  }
  function shrunk(values) {
    const canvas = made("canvas", { width: SIDE, height: SIDE });
    return paint(canvas, values, white);
  }
  const place = (event) => {
    const box = pad.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  let drawing = false;
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    pad.setPointerCapture(event.pointerId);
    drawing = true;
    pen.shown = pen.down = false;
    begin(place(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) strokes.at(-1).push(place(each));
    soon();
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { drawing = false; });
  function begin(point) {
    if (sample) { sample = null; strokes = []; }
    strokes.push([point]);
    soon();
  }
  pad.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move) {
      pen.x = Math.min(0.96, Math.max(0.04, pen.x + move[0] * 0.04));
      pen.y = Math.min(0.96, Math.max(0.04, pen.y + move[1] * 0.04));
      if (pen.down) strokes.at(-1).push([pen.x, pen.y]);
    } else if (event.key === " ") {
      pen.down = !pen.down;
      if (pen.down) begin([pen.x, pen.y]);
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    pen.shown = true;
    event.preventDefault();
    soon();
  });
  pad.addEventListener("focus", () => { if (pad.matches(":focus-visible")) { pen.shown = true; drawPad(); } });
  pad.addEventListener("blur", () => { pen.shown = pen.down = false; drawPad(); });
  function clear() { strokes = []; sample = null; pen.down = false; soon(); }
  at("clear").addEventListener("click", clear);

  samples.forEach((each, n) => {
    const wrong = n > 9, says = wrong ? `A ${each.label} that it gets wrong` : `A ${each.label}`;
    const button = made("button", { type: "button", class: "plain", "aria-label": says, title: says }, shrunk(each.pixels));
    button.addEventListener("click", () => { strokes = []; sample = each; pen.down = false; soon(); });
    at("samples").append(button);
  });

  // ---------------------------------------------------------------------------------------------------- the answer
  let waiting = false;
  function soon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; answer(); });
  }
  function answer() {
    pixels = sample ? sample.pixels : picture(strokes);
    drawPad();
    paint(at("seen"), pixels, white);
    const found = pixels && net.answer(pixels);
    [...at("bars").children].forEach((row, digit) => {
      row.classList.toggle("first", Boolean(found) && digit === found.digit);
      row.querySelector("i").style.width = `${100 * (found ? found.probabilities[digit] : 0)}%`;
      row.querySelector("output").textContent = found ? percent(found.probabilities[digit]) : "–";
    });
    at("said").textContent = found
      ? `It says ${found.digit}, ${percent(found.probabilities[found.digit])} sure.${sample ? ` It is a ${sample.label}.` : ""}`
      : "Nothing is drawn yet.";
    light(found);
    tellUnit(found);
    takeBack();
  }

  // ----------------------------------------------------------------------------------------------------- the units
  const lights = Array.from({ length: net.units }, (_, n) => {
    const button = made("button", { type: "button", class: "plain", tabindex: n ? "-1" : "0" });
    button.addEventListener("click", () => choose(n));
    at("units").append(button);
    return button;
  });
  at("units").addEventListener("keydown", (event) => {
    const across = getComputedStyle(at("units")).gridTemplateColumns.split(" ").length;
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (!move) return;
    event.preventDefault();
    const to = unit + move;
    if (to >= 0 && to < net.units) { choose(to); lights[to].focus(); }
  });
  function light(found) {
    const largest = found ? Math.max(...found.hidden) : 0;
    lights.forEach((button, n) => {
      const value = found ? found.hidden[n] : 0;
      button.style.setProperty("--on", `${largest ? Math.round(100 * value / largest) : 0}%`);
      button.setAttribute("aria-label", `Unit ${n + 1}: ${value.toFixed(1)}`);
      button.setAttribute("aria-pressed", n === unit);
    });
  }
  function choose(n) {
    lights[unit].setAttribute("tabindex", "-1");
    lights[unit].setAttribute("aria-pressed", false);
    unit = n;
    lights[unit].setAttribute("tabindex", "0");
    lights[unit].setAttribute("aria-pressed", true);
    tellUnit(pixels && net.answer(pixels));
  }
  function tellUnit(found) {
    const weights = Float64Array.from({ length: PIXELS }, (_, p) => net.weight(p, unit));
    paint(at("weights"), weights, twoSided(Math.max(...weights.map(Math.abs))));
    const votes = Array.from({ length: 10 }, (_, digit) => net.vote(unit, digit));
    const best = votes.indexOf(Math.max(...votes)), worst = votes.indexOf(Math.min(...votes));
    const largest = Math.max(...votes.map(Math.abs));
    [...at("votes").children].forEach((row, digit) => {
      const bar = row.querySelector("i");
      bar.className = votes[digit] > 0 ? "up" : "down";
      bar.style.height = `${50 * Math.abs(votes[digit]) / largest}%`;
      row.lastElementChild.textContent = ` ${signed(votes[digit])}`;
    });
    const on = found ? (found.hidden[unit] ? `is on, with ${found.hidden[unit].toFixed(1)}` : "is off") : "waits for a drawing";
    at("unit").textContent = `Unit ${unit + 1} ${on}. It speaks most for ${best} (${signed(votes[best])}) and most against ${worst} (${signed(votes[worst])}).`;
  }

  // ------------------------------------------------------------------------------------------------------- fool it
  function step() { changed = against(net, changed ?? pixels, net.answer(pixels).digit, STEP); steps++; }
  function takeBack() { changed = null; steps = 0; tellFooled(); }
  function tellFooled() {
    for (const id of ["until", "once"]) at(id).disabled = !pixels;
    at("back").disabled = !changed;
    const before = pixels && net.answer(pixels), after = changed && net.answer(changed);
    const difference = changed && changed.map((x, p) => x - pixels[p]);
    const most = changed ? Math.max(...difference.map(Math.abs)) : 0, levels = Math.round(255 * most);
    paint(at("before"), pixels, white);
    paint(at("change"), difference, twoSided(most));
    paint(at("after"), changed ?? pixels, white);
    const said = (found) => (found ? `${found.digit}, ${percent(found.probabilities[found.digit])} sure` : "nothing yet");
    at("says-before").textContent = `The digit: ${said(before)}`;
    at("says-change").textContent = changed ? `Added, made ${Math.round(1 / most)} times as strong: up to ${levels} of 255` : "Added: nothing yet";
    at("says-after").textContent = `The sum: ${said(after ?? before)}`;
    const flipped = after && after.digit !== before.digit;
    at("fooled").textContent = !pixels ? "Draw a digit first, or take a real one." : !changed ? ""
      : `${steps} ${steps === 1 ? "step" : "steps"}: no pixel differs by more than ${levels} of 255. ${flipped
        ? `That makes the ${before.digit} a ${after.digit} to the network.`
        : `It still says ${before.digit}, ${percent(after.probabilities[before.digit])} sure.`}`;
    at("noise").textContent = flipped ? noise(before.digit, most, levels) : "";
  }
  // The same size in random directions, for comparison.
  function noise(digit, size, levels) {
    const random = play.random(1);
    let turned = 0;
    for (let n = 0; n < NOISES; n++) {
      const other = pixels.map((x) => Math.min(1, Math.max(0, x + (random() < 0.5 ? size : -size))));
      turned += net.answer(other).digit !== digit;
    }
    return `For comparison: of ${NOISES} random changes of the same size, each pixel ${levels} up or down, ${turned || "none"} changed the answer. What counts is the direction.`;
  }
  at("once").addEventListener("click", () => { step(); tellFooled(); });
  at("back").addEventListener("click", takeBack);
  at("until").addEventListener("click", () => {
    const digit = net.answer(pixels).digit;
    do step(); while (net.answer(changed).digit === digit && steps < MOST_STEPS);
    tellFooled();
  });

  const repaint = () => { tellUnit(pixels && net.answer(pixels)); tellFooled(); };
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  sample = samples[playData.first];
  const { hidden } = net.answer(sample.pixels);
  choose(hidden.indexOf(Math.max(...hidden)));
  play.begin();
  answer();
})();
