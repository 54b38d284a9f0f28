// A claim's quantity on a line: its numbers as the days show them, the bound, and the side where the claim holds.
window.numberline = (() => {
  const { drawn } = play;

  const text = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  // With a sign: a plus for differences, and a real minus, but none before zero.
  const signed = (claim, value, digits) => {
    const said = text(value, digits);
    return /[1-9]/.test(said) ? (claim.difference && value > 0 ? "+" : "") + said.replace("-", "\u2212") : said.replace("-", "");
  };

  // An end of an interval as it is shown: a share does not go beyond 0 and 100%.
  const within = ({ limits }, value) => (limits ? Math.min(limits[1], Math.max(limits[0], value)) : value);

  // A number with its unit: shares in percent, differences of shares in points.
  function shown(claim, number, withUnit = true) {
    const value = within(claim, number), share = claim.unit === "share", size = Math.abs(value);
    if (!share && size && size < 0.0005) return value.toExponential(1).replace("-", "\u2212");
    const digits = share ? 2 : claim.unit === "steps" || size >= 1000 || !size ? 0 : Math.max(0, 2 - Math.floor(Math.log10(size)));
    const unit = share ? (claim.difference ? " points" : "%") : { steps: " steps", seconds: " s", ratio: "\u00d7" }[claim.unit] ?? "";
    return signed(claim, share ? 100 * value : value, digits) + (withUnit ? unit : "");
  }

  function ticks(claim, low, high, most) {
    const scale = claim.unit === "share" ? 100 : 1, rough = ((high - low) * scale) / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let n = Math.ceil((low * scale) / step); n * step <= high * scale; n += 1)
      found.push({ at: (n * step) / scale, says: digits > 4 ? (n * step).toExponential(0).replace("-", "\u2212") : signed(claim, n * step, digits) });
    return found;
  }

  // A drawing with its axis, from 35% of the span below the smallest of the ends to as far above the largest.
  function plane(claim, { ends, width, top, bottom, left = 8 }) {
    const bounds = claim.above === null ? [-claim.bound, claim.bound] : [claim.bound];
    const every = [...ends.map((end) => within(claim, end)), ...bounds], least = Math.min(...every), most = Math.max(...every);
    const span = most - least || Math.abs(most) || 1, low = within(claim, least - 0.35 * span), high = within(claim, most + 0.35 * span), right = width - 8;
    const px = (value) => left + ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (right - left);
    const svg = drawn("svg", { class: "line", width, height: bottom + 42, viewBox: `0 0 ${width} ${bottom + 42}`, role: "img" });

    const [from, to] = claim.above === null ? bounds : claim.above ? [claim.bound, high] : [low, claim.bound];
    svg.append(drawn("rect", { class: "holds", x: px(from), y: top - 18, width: px(to) - px(from), height: bottom - top + 18 }));
    const middle = Math.min(right - 52, Math.max(left + 52, (px(from) + px(to)) / 2));
    svg.append(drawn("text", { class: "soft", x: middle, y: top - 25, "text-anchor": "middle" }, "the claim holds"));
    for (const tick of ticks(claim, low, high, width < 480 ? 4 : 6)) {
      svg.append(drawn("path", { class: "axis", d: `M${px(tick.at)} ${top - 18}V${bottom}` }));
      svg.append(drawn("text", { class: "soft", x: px(tick.at), y: bottom + 17, "text-anchor": "middle" }, tick.says));
    }
    for (const bound of bounds) svg.append(drawn("path", { class: "bound", d: `M${px(bound)} ${top - 18}V${bottom}` }));
    const unit = claim.unit === "share" ? (claim.difference ? "points" : "%") : claim.unit;
    const room = Math.floor((right - left) / 6.6), label = [claim.quantity, unit].filter(Boolean).join(", ");
    svg.append(drawn("text", { class: "soft", x: left, y: bottom + 36 }, label.length > room ? `${label.slice(0, room - 1)}\u2026` : label));

    // An interval at a height, with arrows where it goes on beyond the drawing.
    const reach = (each, y) => [
      drawn("path", { class: `reach ${each.kind}`, d: `M${px(each.low)} ${y}H${px(each.high)}` }),
      ...[[within(claim, each.low), left, 1], [within(claim, each.high), right, -1]].filter(([end]) => end < low || end > high)
        .map(([, edge, way]) => drawn("path", { class: `reach ${each.kind}`, d: `M${edge + 6 * way} ${y - 5}L${edge} ${y}L${edge + 6 * way} ${y + 5}` })),
    ];
    return { svg, px, right, reach };
  }

  return { shown, plane };
})();
