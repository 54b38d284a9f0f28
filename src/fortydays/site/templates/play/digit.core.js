// Day 1's network, and how strokes become the 28 x 28 pixels that it takes. Nothing here touches the page.
play.digit = (() => {
  const SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10;
  const BOX = 20, RADIUS = 1.15; // in pixels: MNIST's digits fill a box of 20, with strokes about as wide as this pen

  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);

  // Each layer: whole numbers from -127 to 127, what one of them is for each output, and biases.
  function network(layers) {
    const [first, second] = layers.map((layer) => ({
      ...layer, weights: new Int8Array(bytes(layer.weights).buffer), scales: floats(layer.scales), biases: floats(layer.biases),
    }));
    const units = first.outputs;
    const weight = (pixel, unit) => first.weights[pixel * units + unit] * first.scales[unit];
    const vote = (unit, digit) => second.weights[unit * CLASSES + digit] * second.scales[digit];

    // Pixels from 0 to 1; gives hidden values, probabilities, and the digit that is most probable.
    function answer(pixels) {
      const hidden = new Float64Array(units), probabilities = new Float64Array(CLASSES);
      for (let p = 0; p < PIXELS; p++) {
        const x = pixels[p];
        if (x) for (let j = 0, row = p * units; j < units; j++) hidden[j] += x * first.weights[row + j];
      }
      for (let c = 0; c < CLASSES; c++) probabilities[c] = second.biases[c];
      for (let j = 0; j < units; j++) {
        hidden[j] = Math.max(0, hidden[j] * first.scales[j] + first.biases[j]);
        if (hidden[j]) for (let c = 0; c < CLASSES; c++) probabilities[c] += hidden[j] * vote(j, c);
      }
      const top = Math.max(...probabilities);
      let sum = 0;
      for (let c = 0; c < CLASSES; c++) sum += probabilities[c] = Math.exp(probabilities[c] - top);
      for (let c = 0; c < CLASSES; c++) probabilities[c] /= sum;
      return { hidden, probabilities, digit: probabilities.indexOf(Math.max(...probabilities)) };
    }

    // How the cross-entropy against a digit changes with each pixel.
    function slopes(pixels, digit) {
      const { hidden, probabilities } = answer(pixels), back = new Float64Array(units), found = new Float64Array(PIXELS);
      for (let j = 0; j < units; j++)
        if (hidden[j]) {
          for (let c = 0; c < CLASSES; c++) back[j] += (probabilities[c] - (c === digit)) * vote(j, c);
          back[j] *= first.scales[j];
        }
      for (let p = 0; p < PIXELS; p++)
        for (let j = 0, row = p * units; j < units; j++) found[p] += back[j] * first.weights[row + j];
      return found;
    }
    return { units, weight, vote, answer, slopes };
  }

  const within = (x) => Math.min(1, Math.max(0, x));

  // Every pixel one step up or down, whichever makes the digit less probable (Goodfellow et al., 2015).
  function against(net, pixels, digit, size) {
    const slope = net.slopes(pixels, digit);
    return Float64Array.from(pixels, (x, p) => within(x + size * Math.sign(slope[p])));
  }

  // The strokes of a drawing, lists of points [x, y], as MNIST's digits were made: the longer side fills the box, and
  // the center of mass is the center of the picture. Gives values from 0 to 1, or null where nothing is drawn.
  function picture(strokes) {
    const points = strokes.flat();
    if (!points.length) return null;
    const span = (axis) => {
      const values = points.map((point) => point[axis]);
      return [Math.min(...values), Math.max(...values)];
    };
    const [[left, right], [top, bottom]] = [span(0), span(1)];
    const long = Math.max(right - left, bottom - top);
    const scale = (BOX - 2 * RADIUS) / Math.max(long, 0.12); // a dot stays a dot
    const center = [(left + right) / 2, (top + bottom) / 2];
    const placed = (shift) => strokes.map((stroke) =>
      stroke.map((point) => [0, 1].map((axis) => (point[axis] - center[axis]) * scale + SIDE / 2 - shift[axis])));
    const first = inked(placed([0, 0]));
    let sum = 0, x = 0, y = 0;
    first.forEach((ink, p) => { sum += ink; x += ink * (p % SIDE + 0.5); y += ink * (Math.floor(p / SIDE) + 0.5); });
    return inked(placed([x / sum - SIDE / 2, y / sum - SIDE / 2]));
  }
  function inked(strokes) {
    const ink = new Float64Array(PIXELS);
    for (const stroke of strokes)
      stroke.forEach((point, n) => line(ink, stroke[Math.max(0, n - 1)], point));
    return ink;
  }
  function line(ink, [ax, ay], [bx, by]) {
    const reach = RADIUS + 1, length = (bx - ax) ** 2 + (by - ay) ** 2;
    const from = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
    const to = (a, b) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + reach));
    for (let row = from(ay, by); row <= to(ay, by); row++)
      for (let column = from(ax, bx); column <= to(ax, bx); column++) {
        const x = column + 0.5, y = row + 0.5;
        const along = length ? within(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length) : 0;
        const away = Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
        const p = row * SIDE + column;
        ink[p] = Math.max(ink[p], Math.round(within(RADIUS + 0.5 - away) * 255) / 255);
      }
  }
  return { SIDE, PIXELS, bytes, network, against, picture };
})();
