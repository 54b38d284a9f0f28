// One photograph through a convolution: the window, the weights, the sum, and what comes out.
(() => {
  const { at, made } = play, C = play.convolution, SIZE = 32, MOST = 99, DOT = 10; // a pixel is drawn as 10 x 10
  const { known, filters } = playData, COLORS = ["red", "green", "blue"];
  const photographs = playData.photographs.map(({ name, pixels }) => {
    const bytes = Uint8Array.from(atob(pixels), (sign) => sign.charCodeAt(0));
    const color = C.planes(bytes);
    return { name, color: { height: SIZE, width: SIZE, planes: color }, gray: { height: SIZE, width: SIZE, planes: [C.gray(color)] } };
  });
  const state = { photograph: 0, weights: [[...known["vertical edges"]]], bias: 0, row: 12, column: 12, timer: 0 };
  let map = null;

  const short = (x) => String(Math.round(1000 * x) / 1000).replace("-", "−");
  const factor = (x) => (x < 0 ? `(${short(x)})` : short(x));
  const number = (x) => (Object.is(x, -0) ? 0 : x).toFixed(2).replace("-", "−");
  const picture = () => photographs[state.photograph][state.weights.length > 1 ? "color" : "gray"];
  const options = () => ({ stride: +at("stride").value, padding: +at("padding").value });

  // ------------------------------------------------------------------------------------------------------ pictures
  function paint(canvas, { height, width }, color, dot = DOT) {
    const small = made("canvas", { width, height }), image = small.getContext("2d").createImageData(width, height);
    for (let n = 0; n < width * height; n++) image.data.set([...color(n), 255], 4 * n);
    small.getContext("2d").putImageData(image, 0, 0);
    canvas.width = width * dot;
    canvas.height = height * dot;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    return context;
  }
  const colored = ({ planes }) => (n) => (planes.length > 1 ? planes : [planes[0], planes[0], planes[0]]).map((plane) => 255 * plane[n]);
  const paperColor = () => getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).slice(0, 3).map(Number);
  // Without negative values black is 0 and white the largest; else blue is above zero and orange below.
  function scaled(values) {
    const low = Math.min(...values), high = Math.max(...values), largest = Math.max(-low, high) || 1;
    if (low >= 0) return (n) => Array(3).fill(255 * values[n] / largest);
    const paper = paperColor();
    return (n) => {
      const share = Math.abs(values[n]) / largest, ink = values[n] > 0 ? [0, 114, 178] : [213, 94, 0];
      return paper.map((each, k) => each + (ink[k] - each) * share);
    };
  }
  // Around some pixels, so that none of them is covered.
  function frame(context, x, y, side) {
    for (const [wide, color] of [[6, "#fff"], [3, "#d55e00"]]) {
      context.lineWidth = wide;
      context.strokeStyle = color;
      context.strokeRect(x - 2, y - 2, side + 4, side + 4);
    }
  }
  const range = (values) => `${number(Math.min(...values))} to ${number(Math.max(...values))}`;

  // -------------------------------------------------------------------------------------------------------- stages
  function compute() {
    halt();
    const plain = C.convolve(picture(), state.weights, state.bias, options());
    map = at("relu").checked ? C.relu(plain) : plain;
    state.row = Math.min(state.row, map.height - 1);
    state.column = Math.min(state.column, map.width - 1);
    const { stride, padding } = options(), places = (SIZE + 2 * padding - C.SIDE) / stride + 1, exact = places === map.height;
    at("shape").textContent = `Places along a side: (${SIZE} + 2 · ${padding} − 3) / ${stride} + 1 = ${short(places)}${exact ? "" : `, rounded down to ${map.height}`}, so the map is ${map.height} × ${map.width}.${at("pool").checked ? ` Pooling keeps the largest of each 2 × 2: ${Math.floor(map.height / 2)} × ${Math.floor(map.width / 2)}.` : ""}`;
    show();
  }
  function show() {
    const { stride, padding } = options(), { row, column } = state, source = picture();
    const whole = { height: SIZE + 2 * padding, width: SIZE + 2 * padding }, inner = colored(source);
    const seen = paint(at("photograph"), whole, (n) => {
      const y = Math.floor(n / whole.width) - padding, x = (n % whole.width) - padding;
      return y < 0 || x < 0 || y >= SIZE || x >= SIZE ? [0, 0, 0] : inner(y * SIZE + x);
    });
    frame(seen, column * stride * DOT, row * stride * DOT, C.SIDE * DOT);
    at("says-photograph").textContent = `${photographs[state.photograph].name}, ${SIZE} × ${SIZE}${source.planes.length > 1 ? " × 3: red, green and blue" : ", gray"}${padding ? ", with a border of zeros" : ""}`;
    const below = map.values.some((each) => each < 0), shade = scaled(map.values), here = row * map.width + column;
    const paper = state.timer ? paperColor() : null; // while the window slides, what it has not reached is empty
    frame(paint(at("map"), map, (n) => (paper && n > here ? paper : shade(n))), column * DOT, row * DOT, DOT);
    at("says-map").textContent = `The map, ${map.height} × ${map.width}, from ${range(map.values)}: ${below ? "blue above zero, orange below" : "black is 0, white the largest"}`;
    const pooled = at("pool").checked ? C.pool(map) : null;
    at("pooled-too").hidden = !pooled;
    at("stages").classList.toggle("three", Boolean(pooled));
    if (pooled) {
      const context = paint(at("pooled"), pooled, scaled(pooled.values)), [y, x] = [row, column].map((each) => Math.floor(each / 2));
      if (y < pooled.height && x < pooled.width) frame(context, x * DOT, y * DOT, DOT);
      at("says-pooled").textContent = `After pooling, ${pooled.height} × ${pooled.width}, from ${range(pooled.values)}`;
    }
    tell();
  }
  function tell() {
    const values = C.covered(picture(), state.row, state.column, options()), total = C.sum(values, state.weights, state.bias);
    values.forEach((plane, k) => plane.forEach((value, n) => { at(`times-${k}-${n}`).textContent = `× ${number(value)}`; }));
    const parts = values.map((plane, k) => C.sum([plane], [state.weights[k]], 0));
    const said = parts.length > 1 ? parts.map((part, k) => `${COLORS[k]} ${part < 0 ? `(${number(part)})` : number(part)}`).join(" + ")
      : state.weights[0].map((weight, n) => (weight ? `${number(values[0][n])} · ${factor(weight)}` : "")).filter(Boolean).join(" + ") || "0";
    const after = at("relu").checked ? `, and after ReLU ${number(Math.max(0, total))}` : "";
    at("total").replaceChildren(`Row ${state.row + 1}, column ${state.column + 1}: ${said} + bias ${factor(state.bias)} = `, made("strong", {}, number(total)), after);
  }

  // The window goes over all places, row by row, within some seconds.
  function halt() {
    clearInterval(state.timer);
    state.timer = 0;
    at("go").textContent = "Slide";
    at("total").setAttribute("aria-live", "polite");
  }
  function slide() {
    if (state.timer) { halt(); show(); return; }
    const last = map.width * map.height - 1, stride = Math.max(1, Math.round(last / 240));
    let place = 0;
    at("go").textContent = "Stop";
    at("total").setAttribute("aria-live", "off"); // too many sums to be read out
    state.timer = setInterval(() => {
      [state.row, state.column] = [Math.floor(place / map.width), place % map.width];
      if (place === last) halt();
      show();
      place = Math.min(last, place + stride);
    }, 25);
  }

  // -------------------------------------------------------------------------------------------------------- weights
  function field(value, says, change) {
    let counted = Math.round(1000 * value) / 1000;
    const input = made("input", { type: "number", step: "any", min: -MOST, max: MOST, "aria-label": says, value: String(counted) });
    input.addEventListener("change", () => { input.value = String(counted); }); // what is written is what counts
    input.addEventListener("input", () => {
      const asked = input.valueAsNumber;
      if (!Number.isFinite(asked)) return;
      counted = Math.max(-MOST, Math.min(MOST, asked));
      at("limit").textContent = counted === asked ? "" : `${says} goes from −${MOST} to ${MOST}: ${short(asked)} counts as ${short(counted)}.`;
      change(counted);
      at("filter").querySelector("[value=own]").hidden = false;
      at("filter").value = "own";
      compute();
    });
    return input;
  }
  function showWeights() {
    at("limit").textContent = "";
    const sign = (label, weight) => { label.className = weight > 0 ? "plus" : weight < 0 ? "minus" : ""; };
    at("kernels").classList.toggle("colors", state.weights.length > 1);
    at("kernels").replaceChildren(...state.weights.map((plane, k) => made("fieldset", { class: "kernel" },
      made("legend", {}, state.weights.length > 1 ? COLORS[k] : "gray"),
      made("div", {}, ...plane.map((weight, n) => {
        const label = made("label"), says = `Weight ${state.weights.length > 1 ? `of ${COLORS[k]}, ` : ""}row ${Math.floor(n / 3) + 1}, column ${(n % 3) + 1}`;
        label.append(field(weight, says, (value) => { plane[n] = value; sign(label, value); }), made("span", { id: `times-${k}-${n}` }));
        sign(label, weight);
        return label;
      })))), made("label", { class: "bias" }, "bias", field(state.bias, "Bias", (value) => { state.bias = value; })));
  }
  function choose() {
    const value = at("filter").value;
    if (value === "own") return;
    const learned = value in known ? null : filters[value];
    state.weights = learned ? COLORS.map((_, k) => learned.weights.flat().map((each) => each[k])) : [[...known[value]]];
    state.bias = learned ? learned.bias : 0;
    showWeights();
    compute();
  }

  // --------------------------------------------------------------------------------------------------- the reader
  for (const [id, stride, reach] of [["photograph", () => options().stride, 1], ["map", () => 1, 0]]) {
    const canvas = at(id);
    const follow = (event) => {
      halt();
      const box = canvas.getBoundingClientRect();
      const place = (from, length, pixels, most) => {
        const pixel = Math.floor((from / length) * (pixels / DOT)) - reach; // over the photograph, the window's middle
        return Math.max(0, Math.min(most - 1, Math.round(pixel / stride())));
      };
      state.column = place(event.clientX - box.left, box.width, canvas.width, map.width);
      state.row = place(event.clientY - box.top, box.height, canvas.height, map.height);
      show();
    };
    for (const kind of ["pointermove", "pointerdown"]) canvas.addEventListener(kind, follow);
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!move) return;
      event.preventDefault();
      halt();
      state.row = Math.max(0, Math.min(map.height - 1, state.row + move[0]));
      state.column = Math.max(0, Math.min(map.width - 1, state.column + move[1]));
      show();
    });
  }
  photographs.forEach((each, n) => {
    const button = made("button", { type: "button", class: "plain", "aria-label": each.name, title: each.name, "aria-pressed": n === 0 }, made("canvas"));
    paint(button.firstChild, each.color, colored(each.color), 1);
    button.addEventListener("click", () => {
      state.photograph = n;
      [...at("photographs").children].forEach((other) => other.setAttribute("aria-pressed", other === button));
      compute();
    });
    at("photographs").append(button);
  });
  at("filter").addEventListener("change", choose);
  at("go").addEventListener("click", slide);
  for (const id of ["stride", "padding", "relu", "pool"]) at(id).addEventListener("change", compute);
  new MutationObserver(show).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  at("filter").value = "vertical edges";
  choose();
  play.begin();
})();
