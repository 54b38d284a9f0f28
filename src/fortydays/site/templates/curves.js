// Learning curves: values under the pointer or at the arrow keys, and a legend that hides lines.
for (const figure of document.querySelectorAll(".curves")) {
  const chart = figure.querySelector(".chart"), plot = chart.querySelector(".plot");
  const series = [...plot.querySelectorAll(".series")].map((group) => ({
    group, name: group.dataset.name, x: group.dataset.x.split(" ").map(Number), says: group.dataset.says.split("|"),
  }));
  const left = +chart.dataset.left, right = +chart.dataset.right, wide = plot.viewBox.baseVal.width, high = plot.viewBox.baseVal.height;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("class", "at off");
  plot.append(line);
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.id = `readout-${[...document.querySelectorAll(".curves")].indexOf(figure)}`;
  readout.setAttribute("aria-live", "polite");
  const hint = matchMedia("(hover: none)").matches ? "Touch the picture to read values." : "Point at the picture, or use the arrow keys on it, to read values.";
  readout.textContent = hint;
  figure.append(readout);
  let at = null;

  const nearest = (xs, x) => xs.reduce((best, each, n) => (Math.abs(each - x) < Math.abs(xs[best] - x) ? n : best), 0);
  const shown = () => series.filter(({ group }) => !group.classList.contains("off"));
  const places = () => [...new Set(shown().flatMap(({ x }) => x))].sort((a, b) => a - b);
  function show(x) {
    at = x;
    line.classList.toggle("off", x === null);
    if (x === null) { readout.textContent = hint; return; }
    const px = ((x - left) / (right - left)) * wide;
    line.setAttribute("d", `M${px} 0V${high}`);
    const told = shown().filter((each) => x <= each.x[each.x.length - 1])
      .map((each) => [each.name, each.says[nearest(each.x, x)]]).sort((a, b) => parseFloat(b[1]) - parseFloat(a[1]));
    readout.textContent = `${chart.dataset.unit} ${x.toLocaleString("en")}: `;
    told.forEach(([name, value], n) => {
      const span = document.createElement("span");
      span.textContent = `${name} ${value}`;
      readout.append(n ? " · " : "", span);
    });
  }

  for (const kind of ["pointermove", "pointerdown"]) chart.addEventListener(kind, (event) => {
    const box = plot.getScreenCTM();
    const all = places();
    if (all.length) show(all[nearest(all, left + ((event.clientX - box.e) / box.a / wide) * (right - left))]);
  });
  chart.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") show(null); }); // a finger that is lifted leaves, too
  // A picture that takes keys is more than a picture: a screen reader is to pass them on.
  chart.setAttribute("role", "application");
  chart.setAttribute("aria-label", `${chart.getAttribute("aria-label")} The arrow keys read values.`);
  chart.setAttribute("aria-describedby", readout.id);
  chart.setAttribute("tabindex", "0");
  chart.addEventListener("keydown", (event) => {
    const all = places(), now = at === null ? -1 : nearest(all, at);
    const to = { ArrowRight: now + 1, ArrowLeft: at === null ? all.length - 1 : now - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") show(null);
    else if (to !== undefined && all.length) show(all[Math.max(0, Math.min(all.length - 1, to))]);
    else return;
    event.preventDefault();
  });
  chart.addEventListener("blur", () => show(null));

  const byName = new Map(series.map((each) => [each.name, each.group]));
  for (const item of figure.querySelectorAll(".legend li")) {
    const group = byName.get(item.textContent);
    if (!group) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!group.classList.toggle("off")));
      if (at !== null) show(at);
    });
    item.append(button);
  }
}
