// Intervals of a mean over seeds, and over seeds and test examples: the same numbers as study/statistics.py gives.
window.intervals = (() => {
  const LANCZOS = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];

  // The logarithm of the gamma function of x > 0 (Lanczos, 1964; coefficients for g = 7).
  function logGamma(x) {
    if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
    let sum = LANCZOS[0];
    for (let n = 1; n < 9; n += 1) sum += LANCZOS[n] / (x - 1 + n);
    const t = x + 6.5;
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  // logGamma(a + 1/2) - logGamma(a). For a large a the two are so large that their difference would lose digits.
  function logGammaRatio(a) {
    if (a < 40) return logGamma(a + 0.5) - logGamma(a);
    const square = a * a;
    return 0.5 * Math.log(a) - (1 / 8 - (1 / 192 - (1 / 640 - 17 / (14336 * square)) / square) / square) / a;
  }

  // The continued fraction of the incomplete beta function, by Lentz's method.
  function betaFraction(x, a, b) {
    const tiny = 1e-300;
    const safe = (value) => (Math.abs(value) < tiny ? tiny : value);
    let c = 1, d = 1 / safe(1 - ((a + b) * x) / (a + 1)), all = d;
    for (let m = 1; m < 500; m += 1) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / safe(1 + even * d); c = safe(1 + even / c); all *= d * c;
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / safe(1 + odd * d); c = safe(1 + odd / c);
      const step = d * c;
      all *= step;
      if (Math.abs(step - 1) < 1e-16) break;
    }
    return all;
  }

  // How probable it is that Student's variable with so many degrees of freedom is further from 0 than t > 0.
  function twoSided(t, freedom) {
    const a = freedom / 2, x = freedom / (freedom + t * t), y = (t * t) / (freedom + t * t);
    const front = Math.exp(a * Math.log(x) + 0.5 * Math.log(y) + logGammaRatio(a)) / Math.sqrt(Math.PI);
    return x < (a + 1) / (a + 2.5) ? (front * betaFraction(x, a, 0.5)) / a : 1 - 2 * front * betaFraction(y, 0.5, a);
  }

  // The quantile of the normal distribution that belongs to a two-sided probability, good enough to begin from.
  function roughNormal(outside) {
    const t = Math.sqrt(-2 * Math.log(outside / 2));
    return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
  }

  // The two-sided quantile of Student's distribution, such as 2.776 for 4 degrees of freedom and 95%.
  function studentT(freedom, confidence) {
    const outside = 1 - confidence, z = roughNormal(outside), v = freedom, z2 = z * z;
    let t = z + (z * (z2 + 1)) / (4 * v) + (z * ((5 * z2 + 16) * z2 + 3)) / (96 * v * v);
    for (let step = 0; step < 100; step += 1) {
      const slope = (2 * Math.exp(logGammaRatio(v / 2) - ((v + 1) / 2) * Math.log1p((t * t) / v))) / Math.sqrt(v * Math.PI);
      const next = t + (twoSided(t, v) - outside) / slope;
      const better = next > 0 ? next : t / 2;
      const change = Math.abs(better - t);
      t = better;
      if (change < 1e-14 * t) break;
    }
    return t;
  }

  const known = new Map();

  // The same for whole degrees of freedom, each computed once.
  function wholeT(freedom, confidence) {
    if (!known.has(confidence)) known.set(confidence, []);
    return (known.get(confidence)[freedom] ??= studentT(freedom, confidence));
  }

  // The interval of a mean, `t` standard errors to each side.
  const plain = (mean, error, t) => [mean - t * error, mean + t * error];

  // Wilson's interval of a share, for as many examples as would have this standard error.
  function wilson(mean, error, t, examples) {
    const variance = mean * (1 - mean);
    const n = error && variance ? variance / (error * error) : examples;
    const middle = (mean + (t * t) / (2 * n)) / (1 + (t * t) / n);
    const half = (t * Math.sqrt((mean * (1 - mean)) / n + (t / (2 * n)) ** 2)) / (1 + (t * t) / n);
    return [mean === 0 ? 0 : middle - half, mean === 1 ? 1 : middle + half];
  }

  // Number, mean and standard error of values. Equal values give exactly zero.
  function spread(values) {
    const n = values.length;
    if (values.every((value) => value === values[0])) return { n, mean: values[0], error: 0 };
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { n, mean, error: Math.sqrt(squares / (n - 1) / n) };
  }

  // How far the mean may be off as far as seeds and test examples go: standard error and degrees of freedom.
  function overBoth(claim, chosen, seedsError) {
    const n = chosen.length, count = claim.examples, { products } = claim;
    let own = 0, all = 0;
    for (let a = 0; a < n; a += 1) {
      const row = products[chosen[a]];
      own += row[chosen[a]];
      for (let b = 0; b < a; b += 1) all += row[chosen[b]];
    }
    all = own + 2 * all;
    const ofSeeds = count * n * seedsError * seedsError, ofExamples = all / n / (count - 1);
    const rest = Math.max(0, own - all / n) / ((n - 1) * (count - 1));
    const total = Math.max(ofSeeds + ofExamples - rest, ofSeeds, ofExamples);
    let freedom = count - 1;
    if (total > 0) {
      const parts = ofSeeds ** 2 / (n - 1) + ofExamples ** 2 / (count - 1) + rest ** 2 / ((n - 1) * (count - 1));
      freedom = (total * total) / parts;
    }
    return { error: Math.sqrt(total / (n * count)), freedom };
  }

  // From the lower of the lower ends to the higher of the upper ends. `chosen` are places, in ascending order.
  function ends(claim, found, both, t) {
    const [low, high] = plain(found.mean, found.error, wholeT(found.n - 1, claim.confidence));
    if (!both) return { mean: found.mean, low, high };
    const [lower, higher] = claim.share ? wilson(found.mean, both.error, t, claim.examples) : plain(found.mean, both.error, t);
    return { mean: found.mean, low: Math.min(low, lower), high: Math.max(high, higher) };
  }

  // Mean and interval of some of a claim's seeds. One seed has no interval.
  function limits(claim, chosen) {
    const found = spread(chosen.map((place) => claim.values[place]));
    if (found.n < 2) return { mean: found.mean, low: null, high: null };
    const both = claim.products && overBoth(claim, chosen, found.error);
    return ends(claim, found, both, both && studentT(both.freedom, claim.confidence));
  }

  // The verdict of some seeds, for counting: the exact quantile is computed only where the two whole degrees of freedom
  // around it do not give the same verdict, as an interval between theirs says nothing else then.
  function judged(claim, chosen) {
    const found = spread(chosen.map((place) => claim.values[place]));
    const both = claim.products && overBoth(claim, chosen, found.error);
    if (!both) return verdict(claim, ends(claim, found, null, 0));
    if (both.freedom >= 1) {
      const wide = verdict(claim, ends(claim, found, both, wholeT(Math.floor(both.freedom), claim.confidence)));
      const narrow = verdict(claim, ends(claim, found, both, wholeT(Math.ceil(both.freedom), claim.confidence)));
      if (wide === narrow) return wide;
    }
    return verdict(claim, ends(claim, found, both, studentT(both.freedom, claim.confidence)));
  }

  // What an interval says of a claim.
  function verdict(claim, { low, high }) {
    const { bound } = claim;
    if (claim.above === null) {
      if (-bound <= low && high <= bound) return "supported";
      return high < -bound || low > bound ? "refuted" : "undecided";
    }
    const [worst, best, line] = claim.above ? [low, high, bound] : [-high, -low, -bound];
    if (worst > line || (worst === line && !claim.strict)) return "supported";
    return best < line || (best === line && claim.strict) ? "refuted" : "undecided";
  }

  // Whether one value lies on the claim's side of its bound.
  function side(claim, value) {
    if (claim.above === null) return Math.abs(value) <= claim.bound;
    const distance = claim.above ? value - claim.bound : claim.bound - value;
    return distance > 0 || (distance === 0 && !claim.strict);
  }

  // All choices of k of n places, in order; each is the same array, changed.
  function* choices(n, k) {
    const chosen = Array.from({ length: k }, (_, place) => place);
    for (;;) {
      yield chosen;
      let at = k - 1;
      while (at >= 0 && chosen[at] === n - k + at) at -= 1;
      if (at < 0) return;
      chosen[at] += 1;
      for (let next = at + 1; next < k; next += 1) chosen[next] = chosen[next - 1] + 1;
    }
  }

  return { studentT, limits, verdict, judged, side, choices };
})();
