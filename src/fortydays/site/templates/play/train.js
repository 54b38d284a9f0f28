// Train it here: the settings, the runs, and their curves over the band.
(async () => {
  if (!("DecompressionStream" in window)) return; // the page stays as it is without scripts
  const { at, made, drawn } = play, T = play.training, SIDE = 28, PIXELS = SIDE * SIDE;
  const { reference, rates, usual, widths, activations, optimizers, epochs } = playData;
  const others = playData.labels.length - playData.train;
  const band = { validation: playData.band.right.map((curve) => curve.map((right) => right / others)), loss: playData.band.loss };
  play.begin();
  const digits = await unpacked(playData);
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const mean = (values) => values.reduce((sum, each) => sum + each, 0) / values.length;

  // Two digits' pixels in a byte, compressed: the training digits, then the others.
  async function unpacked({ digits, labels, train, grays }) {
    const packed = Uint8Array.from(atob(digits), (sign) => sign.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const pairs = new Uint8Array(await new Response(stream).arrayBuffer());
    const all = Uint8Array.from({ length: 2 * pairs.length }, (_, n) => (n % 2 ? pairs[n >> 1] & 15 : pairs[n >> 1] >> 4));
    const right = Uint8Array.from(labels, Number);
    const of = (from, to) => ({ ...T.sparse(all.subarray(from * PIXELS, to * PIXELS), right.subarray(from, to), grays), grays: all.subarray(from * PIXELS, to * PIXELS) });
    return { train: of(0, train), validation: of(train, right.length) };
  }

  // -------------------------------------------------------------------------------------------------- the settings
  function chosen() {
    return {
      activation: at("activation").value, optimizer: at("optimizer").value, rate: rates[at("rate").value],
      dropout: at("dropout").value / 10, width: widths[at("width").value],
      seed: Math.min(9999, Math.max(1, Math.round(at("seed").value) || 1)),
    };
  }
  function tellSettings() {
    const { rate, dropout, width } = chosen();
    const said = { rate, dropout: dropout ? percent(dropout).replace(".0", "") : "none", width };
    for (const [name, value] of Object.entries(said)) {
      at(`${name}-is`).textContent = value;
      at(name).setAttribute("aria-valuetext", value);
    }
  }
  function set(setting) {
    at("activation").value = setting.activation;
    at("optimizer").value = setting.optimizer;
    at("rate").value = rates.indexOf(setting.rate);
    at("dropout").value = Math.round(10 * setting.dropout);
    at("width").value = widths.indexOf(setting.width);
    tellSettings();
  }
  at("form").addEventListener("input", (event) => {
    if (event.target.id === "optimizer") at("rate").value = rates.indexOf(usual[event.target.value]);
    tellSettings();
  });
  at("ours").addEventListener("click", () => set(reference));

  // ------------------------------------------------------------------------------------------------------- the runs
  const runs = [];
  let working = 0; // the number of the work that goes on; 0 for none
  let begun = 0;
  const pause = () => new Promise((go) => setTimeout(go));

  async function train(setting, seeds) {
    const number = working = ++begun, run = { setting, seeds: [], wanted: seeds };
    runs.push(run);
    at("start").textContent = "Stop";
    for (let n = 0; n < seeds && working === number; n++) await trainOne(run, setting.seed + n, number);
    if (!run.seeds.some((each) => each.validation.length > 1)) runs.splice(runs.indexOf(run), 1);
    if (working === number) working = 0;
    if (!working) { at("start").textContent = "Train"; tell(); }
  }
  async function trainOne(run, seed, number) {
    const net = T.create(digits, { ...run.setting, seed });
    const curve = { seed, validation: [], train: [], loss: [], trainLoss: [] };
    run.seeds.push(curve);
    for (let epoch = 0; epoch <= epochs; epoch++) {
      let ended = !epoch;
      while (!ended) {
        const until = performance.now() + 12; // the page answers in between
        while (!ended && performance.now() < until) ended = net.step();
        await pause();
        if (working !== number) return;
      }
      const found = net.measure(digits.validation);
      if (!Number.isFinite(found.loss)) { run.failed = epoch; return; }
      curve.validation.push(found.accuracy);
      curve.loss.push(found.loss);
      const learned = net.measure(digits.train);
      curve.train.push(learned.accuracy);
      curve.trainLoss.push(learned.loss);
      showNetwork(net, run.setting.width, found.answers);
      tell();
    }
    curve.ended = true;
  }
  function begin(seeds) {
    const setting = chosen();
    at("seed").value = setting.seed; // also where nothing was written, or no seed
    train(setting, seeds);
  }
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (working) { working = 0; return; }
    begin(1);
  });
  at("five").addEventListener("click", () => { working = 0; begin(5); });

  // --------------------------------------------------------------------------------------------------- what is told
  const last = (run, key) => mean(run.seeds.filter((each) => each[key].length).map((each) => each[key].at(-1)));
  function beside(run) {
    if (run.failed !== undefined) return `the loss stopped being a number in epoch ${run.failed}: a lower rate helps`;
    if (!run.seeds.every((each) => each.ended)) return run === runs.at(-1) && working ? "in training" : "stopped";
    const value = last(run, "validation"), finals = band.validation.map((each) => each.at(-1));
    if (run.seeds.length === 1) {
      const below = finals.filter((each) => each < value - 1e-9).length, same = finals.filter((each) => Math.abs(each - value) < 1e-9).length;
      if (!same && (!below || below === finals.length)) return `${below ? "above" : "below"} all ${finals.length}`;
      return `better than ${below}, as good as ${same}`;
    }
    const difference = 100 * (value - mean(finals));
    return `${Math.abs(difference).toFixed(1)} points ${difference < 0 ? "below" : "above"} our mean`;
  }
  function inWords({ activation, optimizer, rate, dropout, width }) {
    return `${activations[activation]}, ${optimizers[optimizer]} at ${rate}, ${dropout ? `dropout ${dropout}` : "no dropout"}, ${width} units`;
  }
  function tell() {
    const rows = runs.map((run, n) => {
      const some = run.seeds.some((each) => each.validation.length), finals = run.seeds.filter((each) => each.validation.length).map((each) => each.validation.at(-1));
      const spread = finals.length > 1 ? ` (${percent(Math.min(...finals)).slice(0, -1)} to ${percent(Math.max(...finals)).slice(0, -1)})` : "";
      const seeds = run.seeds.length > 1 ? `${run.seeds[0].seed} to ${run.seeds.at(-1).seed}` : run.seeds[0]?.seed ?? "";
      return made("tr", n === runs.length - 1 ? { class: "now" } : {}, made("th", { scope: "row" }, String(n + 1)), made("td", { class: "words" }, inWords(run.setting)),
        made("td", { class: "number" }, String(seeds)), made("td", { class: "number" }, some ? percent(last(run, "train")) : "–"),
        made("td", { class: "number" }, some ? percent(last(run, "validation")) + spread : "–"), made("td", { class: "beside-ours" }, beside(run)));
    });
    if (rows.length) at("rows").replaceChildren(...rows.reverse());
    const run = runs.at(-1), curve = run?.seeds.at(-1), epoch = (curve?.validation.length || 1) - 1;
    const many = run && run.wanted > 1 ? `, seed ${run.seeds.length} of ${run.wanted}` : "";
    at("said").textContent = !run ? "" : working ? `Epoch ${epoch} of ${epochs}${many}` : `After ${epoch} epochs: ${percent(last(run, "validation"))} of the others are right. ${beside(run)[0].toUpperCase()}${beside(run).slice(1)}.`;
    draw();
  }

  // ------------------------------------------------------------------------------------------------------ the chart
  const WIDE = 560, HIGH = 330, LEFT = 66, RIGHT = 8, TOP = 10, DEEP = 46;
  let measured = "validation", epochRead = null;
  const edges = () => (measured === "loss" ? { low: 0, high: 1.5, ticks: [0, 0.5, 1, 1.5], say: (v) => String(v) } : { low: lowest(), high: 1, ticks: lowest() ? [0.6, 0.7, 0.8, 0.9, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1], say: (v) => `${Math.round(100 * v)}%` });
  // The picture begins at 60%, unless the newest run stays below that.
  const lowest = () => ((runs.at(-1)?.seeds ?? []).some((each) => each.validation.length > 5 && each.validation.at(-1) < 0.65) ? 0 : 0.6);
  const x = (epoch) => LEFT + (epoch / epochs) * (WIDE - LEFT - RIGHT);
  const y = (value) => { const { low, high } = edges(); return TOP + ((high - Math.min(9, value)) / (high - low)) * (HIGH - TOP - DEEP); };
  const path = (values) => values.map((value, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const ours = (epoch) => band[measured].map((each) => each[epoch]);
  function draw() {
    const { ticks, say } = edges(), all = Array.from({ length: epochs + 1 }, (_, n) => ours(n));
    const least = all.map((each) => Math.min(...each)), highest = all.map((each) => Math.max(...each));
    const around = path(highest) + least.map((value, n) => [n, value]).reverse().map(([n, value]) => `L${x(n).toFixed(1)} ${y(value).toFixed(1)}`).join("") + "Z";
    const lines = [];
    runs.forEach((run, n) => run.seeds.forEach((each) => {
      const now = n === runs.length - 1;
      if (now) lines.push(drawn("path", { class: "learned", d: path(measured === "loss" ? each.trainLoss : each.train) }));
      lines.push(drawn("path", { class: now ? "mine" : "past", d: path(each[measured]) }));
    }));
    const plot = { x: LEFT, y: TOP, width: WIDE - LEFT - RIGHT, height: HIGH - TOP - DEEP };
    at("chart").replaceChildren(drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" },
      drawn("clipPath", { id: "inside-plot" }, drawn("rect", plot)),
      ...ticks.flatMap((value) => [drawn("path", { class: "grid", d: `M${LEFT} ${y(value)}H${WIDE - RIGHT}` }), drawn("text", { x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }, say(value))]),
      ...[0, 5, 10, 15, 20].filter((n) => n <= epochs).map((n) => drawn("text", { x: x(n), y: HIGH - DEEP + 18, "text-anchor": n < epochs ? "middle" : "end" }, String(n))),
      drawn("text", { x: WIDE - RIGHT, y: HIGH - 4, "text-anchor": "end" }, "epoch"),
      drawn("g", { "clip-path": "url(#inside-plot)" }, drawn("path", { class: "area", d: around }), drawn("path", { class: "ours", d: path(all.map(mean)) }), ...lines,
        ...(epochRead === null ? [] : [drawn("path", { class: "at", d: `M${x(epochRead)} ${TOP}V${HIGH - DEEP}` })]))));
    read();
  }
  const hint = matchMedia("(hover: none)").matches ? "Touch the picture to read values." : "Point at the picture, or use the arrow keys on it, to read values.";
  function read() {
    if (epochRead === null) { at("readout").textContent = hint; return; }
    const say = (value) => (measured === "loss" ? value.toFixed(3) : percent(value)), found = ours(epochRead);
    const mine = (runs.at(-1)?.seeds ?? []).map((each) => each[measured][epochRead]).filter((value) => value !== undefined);
    at("readout").textContent = `Epoch ${epochRead}: ${mine.length ? `yours ${say(mean(mine))}, ` : ""}ours ${say(mean(found))} (${say(Math.min(...found))} to ${say(Math.max(...found))})`;
  }
  for (const kind of ["pointermove", "pointerdown"]) at("chart").addEventListener(kind, (event) => {
    const box = at("chart").getBoundingClientRect(), share = ((event.clientX - box.left) / box.width * WIDE - LEFT) / (WIDE - LEFT - RIGHT);
    epochRead = Math.min(epochs, Math.max(0, Math.round(share * epochs)));
    draw();
  });
  // A finger that is lifted leaves, too; what it has read stays.
  for (const gone of ["pointerleave", "blur"]) at("chart").addEventListener(gone, (event) => { if (event.pointerType !== "touch") { epochRead = null; draw(); } });
  at("chart").addEventListener("keydown", (event) => {
    const now = epochRead ?? -1, to = { ArrowRight: now + 1, ArrowLeft: epochRead === null ? epochs : now - 1, Home: 0, End: epochs }[event.key];
    if (event.key === "Escape") epochRead = null;
    else if (to === undefined) return;
    else epochRead = Math.min(epochs, Math.max(0, to));
    event.preventDefault();
    draw();
  });
  for (const [id, key] of [["accuracy", "validation"], ["loss", "loss"]])
    at(id).addEventListener("click", () => {
      measured = key;
      for (const each of ["accuracy", "loss"]) at(each).setAttribute("aria-pressed", each === id);
      draw();
    });

  // ---------------------------------------------------------------------------------------------------- the network
  function picture(canvas, side, across, color) {
    canvas.width = side;
    canvas.height = side / across;
    const image = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
    for (let n = 0; n < canvas.width * canvas.height; n++) image.data.set(color(n % side, Math.floor(n / side)), 4 * n);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
  function showNetwork(net, width, answers) {
    const p = net.parameters, gap = 2, cell = SIDE + gap, shown = Math.min(16, width), largest = [];
    for (let unit = 0; unit < shown; unit++) {
      largest[unit] = 0;
      for (let n = 0; n < PIXELS; n++) largest[unit] = Math.max(largest[unit], Math.abs(p[n * width + unit]));
    }
    picture(at("units"), 4 * cell - gap, shown > 8 ? 1 : (4 * cell - gap) / (2 * cell - gap), (left, top) => {
      const [column, row, inX, inY] = [Math.floor(left / cell), Math.floor(top / cell), left % cell, top % cell], unit = 4 * row + column;
      if (inX >= SIDE || inY >= SIDE || unit >= shown) return [0, 0, 0, 0];
      const weight = p[(inY * SIDE + inX) * width + unit] / largest[unit];
      return [...(weight > 0 ? [0, 114, 178] : [213, 94, 0]), 255 * Math.abs(weight)];
    });
    const { labels, grays } = digits.validation, wrong = [...answers.keys()].filter((n) => answers[n] !== labels[n]);
    at("mistakes-say").textContent = `Of the ${labels.length} others, it gets ${wrong.length} wrong${wrong.length > 18 ? "; the first 18" : ""}. Under each: what it is → what the network says.`;
    at("mistakes").replaceChildren(...wrong.slice(0, 18).map((n) => {
      const canvas = made("canvas", { "aria-hidden": "true" });
      picture(canvas, SIDE, 1, (left, top) => { const gray = 17 * grays[n * PIXELS + top * SIDE + left]; return [gray, gray, gray, 255]; });
      return made("li", {}, canvas, `${labels[n]} → ${answers[n]}`);
    }));
  }

  set(reference);
  for (const id of ["start", "five"]) at(id).disabled = false;
  const untrained = T.create(digits, { ...reference, seed: 1 });
  showNetwork(untrained, reference.width, untrained.measure(digits.validation).answers);
  at("mistakes-say").prepend("Before training. ");
  draw();
  play.ready = { digits, runs };
})();
