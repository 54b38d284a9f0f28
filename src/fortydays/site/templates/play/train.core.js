// A network with one hidden layer, trained on digits in the page: 784 pixels, some units, 10 digits.
// The same setting and seed give the same numbers everywhere. Nothing here touches the page.
play.training = (() => {
  const PIXELS = 784, CLASSES = 10, BATCH = 20;
  const BETA1 = 0.9, BETA2 = 0.999, RHO = 0.9, MOMENTUM = 0.9, EPSILON = 1e-7;
  const ORDER = 1, WEIGHTS = 2, DROPOUT = 3; // streams of random numbers, so that dropout changes no order

  // Nearby seeds start far from each other, and each stream at a place of its own.
  const generator = (seed, stream) => play.random(Math.imul(seed, 1000003) + stream);
  function shuffled(count, random) {
    const order = Uint16Array.from({ length: count }, (_, n) => n);
    for (let n = count - 1; n > 0; n--) {
      const other = Math.floor(random() * (n + 1)), kept = order[n];
      order[n] = order[other];
      order[other] = kept;
    }
    return order;
  }

  // Most pixels are black: of each digit, only the others are kept, with their places.
  function sparse(grays, labels, largest) {
    const start = new Uint32Array(labels.length + 1), at = [], value = [];
    for (let n = 0; n < labels.length; n++) {
      for (let p = 0; p < PIXELS; p++) {
        const gray = grays[n * PIXELS + p];
        if (gray) { at.push(p); value.push(gray / largest); }
      }
      start[n + 1] = at.length;
    }
    return { count: labels.length, labels, start, at: Uint16Array.from(at), value: Float64Array.from(value) };
  }

  const ACTIVATIONS = {
    relu: { of: (z) => (z > 0 ? z : 0), slope: (a) => (a > 0 ? 1 : 0) },
    tanh: { of: Math.tanh, slope: (a) => 1 - a * a },
    sigmoid: { of: (z) => 1 / (1 + Math.exp(-z)), slope: (a) => a * (1 - a) },
    none: { of: (z) => z, slope: () => 1 },
  };
  // As Keras computes them. Each changes the parameters p by their gradients g at step t; m and v are what it keeps.
  const OPTIMIZERS = {
    sgd(p, g, rate) { for (let n = 0; n < p.length; n++) p[n] -= rate * g[n]; },
    momentum(p, g, rate, m) {
      for (let n = 0; n < p.length; n++) p[n] += m[n] = MOMENTUM * m[n] - rate * g[n];
    },
    rmsprop(p, g, rate, m, v) {
      for (let n = 0; n < p.length; n++) {
        v[n] = RHO * v[n] + (1 - RHO) * g[n] * g[n];
        p[n] -= rate * g[n] / Math.sqrt(v[n] + EPSILON);
      }
    },
    adam(p, g, rate, m, v, t) {
      const step = rate * Math.sqrt(1 - BETA2 ** t) / (1 - BETA1 ** t);
      for (let n = 0; n < p.length; n++) {
        m[n] += (g[n] - m[n]) * (1 - BETA1);
        v[n] += (g[n] * g[n] - v[n]) * (1 - BETA2);
        p[n] -= step * m[n] / (Math.sqrt(v[n]) + EPSILON);
      }
    },
  };

  // One network in training. setting: { activation, optimizer, rate, dropout, width, seed }.
  function create(digits, setting) {
    const { width, dropout } = setting, activation = ACTIVATIONS[setting.activation];
    const [b1, w2, b2] = [PIXELS * width, (PIXELS + 1) * width, (PIXELS + 1 + CLASSES) * width];
    const p = new Float64Array(b2 + CLASSES), g = new Float64Array(p.length);
    const m = new Float64Array(p.length), v = new Float64Array(p.length);
    const random = generator(setting.seed, WEIGHTS);
    const fill = (from, to, limit) => { for (let n = from; n < to; n++) p[n] = (2 * random() - 1) * limit; };
    fill(0, b1, Math.sqrt(6 / (PIXELS + width))); // Glorot and Bengio (2010), as Keras does
    fill(w2, b2, Math.sqrt(6 / (width + CLASSES)));
    const orders = generator(setting.seed, ORDER), drops = generator(setting.seed, DROPOUT);
    const hidden = new Float64Array(width), kept = new Float64Array(width).fill(1), back = new Float64Array(width);
    const answer = new Float64Array(CLASSES);
    let order = null, place = 0, steps = 0;

    // The loss of a digit; leaves its hidden values and its probabilities.
    function forward(from, n) {
      for (let j = 0; j < width; j++) hidden[j] = p[b1 + j];
      for (let k = from.start[n]; k < from.start[n + 1]; k++) {
        const x = from.value[k], row = from.at[k] * width;
        for (let j = 0; j < width; j++) hidden[j] += x * p[row + j];
      }
      for (let c = 0; c < CLASSES; c++) answer[c] = p[b2 + c];
      for (let j = 0; j < width; j++) {
        hidden[j] = activation.of(hidden[j]);
        const h = hidden[j] * kept[j];
        if (h) for (let c = 0; c < CLASSES; c++) answer[c] += h * p[w2 + j * CLASSES + c];
      }
      const top = Math.max(...answer), right = answer[from.labels[n]];
      let sum = 0;
      for (let c = 0; c < CLASSES; c++) sum += answer[c] = Math.exp(answer[c] - top);
      for (let c = 0; c < CLASSES; c++) answer[c] /= sum;
      return top + Math.log(sum) - right;
    }
    // The mean gradient over a batch goes to g; returns the mean loss.
    function gradient(from, batch) {
      g.fill(0);
      let loss = 0;
      for (const n of batch) {
        if (dropout) for (let j = 0; j < width; j++) kept[j] = drops() < dropout ? 0 : 1 / (1 - dropout);
        loss += forward(from, n) / batch.length;
        answer[from.labels[n]] -= 1;
        for (let c = 0; c < CLASSES; c++) g[b2 + c] += answer[c] /= batch.length;
        for (let j = 0; j < width; j++) {
          const h = hidden[j] * kept[j];
          let sum = 0;
          for (let c = 0; c < CLASSES; c++) {
            sum += answer[c] * p[w2 + j * CLASSES + c];
            g[w2 + j * CLASSES + c] += h * answer[c];
          }
          g[b1 + j] += back[j] = sum * kept[j] * activation.slope(hidden[j]);
        }
        for (let k = from.start[n]; k < from.start[n + 1]; k++) {
          const x = from.value[k], row = from.at[k] * width;
          for (let j = 0; j < width; j++) g[row + j] += x * back[j];
        }
      }
      kept.fill(1);
      return loss;
    }
    // One step of training; true when it ended an epoch.
    function step() {
      if (!place) order = shuffled(digits.train.count, orders);
      gradient(digits.train, order.subarray(place, place + BATCH));
      OPTIMIZERS[setting.optimizer](p, g, setting.rate, m, v, ++steps);
      place = (place + BATCH) % digits.train.count;
      return !place;
    }
    // Loss and accuracy on all digits of a split, and what it answers.
    function measure(from) {
      const answers = new Uint8Array(from.count);
      let loss = 0, right = 0;
      for (let n = 0; n < from.count; n++) {
        loss += forward(from, n);
        answers[n] = answer.indexOf(Math.max(...answer));
        right += answers[n] === from.labels[n];
      }
      return { loss: loss / from.count, accuracy: right / from.count, answers };
    }
    return { parameters: p, gradients: g, gradient, step, measure, forward };
  }
  return { BATCH, ACTIVATIONS, OPTIMIZERS, generator, shuffled, sparse, create };
})();
