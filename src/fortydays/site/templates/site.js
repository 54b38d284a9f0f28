// Theme, search and the list of a page's parts. Every page is whole without it.
(() => {
  const page = document.documentElement;
  const up = page.dataset.up;
  const kept = (set) => { try { return set ? localStorage.setItem("theme", set) : localStorage.getItem("theme"); } catch { return null; } };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (page.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  if (["light", "dark"].includes(kept())) page.dataset.theme = kept();

  const words = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

  // The sections that have every term, those first that have them in their headings.
  function find(terms) {
    const found = [];
    for (const [path, title, sections] of window.searchIndex || [])
      for (const [place, heading, text] of sections) {
        const [top, head, body] = [title, heading, text].map(words);
        let score = 0;
        for (const term of terms) {
          const at = body.indexOf(term);
          const here = (head.includes(term) ? 6 : 0) + (top.includes(term) ? 3 : 0)
            + (at < 0 ? 0 : 1 + Math.min(3, body.split(term).length - 2) / 2 + (/\W|^$/.test(body[at - 1] || "") ? 1 : 0));
          if (!here) { score = 0; break; }
          score += here;
        }
        // Words that stand together count, and what only lists names and numbers comes last.
        if (score && terms.length > 1) score += terms.filter((term, n) => n && body.includes(`${terms[n - 1]} ${term}`)).length * 3;
        if (score && /^(code|recipes|results|provenance)$/.test(place)) score -= 8;
        if (score) found.push({ score, path, title, place, heading, text });
      }
    return found.sort((a, b) => b.score - a.score);
  }

  // Some words around the first term, with all terms marked.
  function snippet(text, terms) {
    const at = Math.max(0, Math.min(...terms.map((term) => words(text).indexOf(term)).filter((n) => n >= 0), text.length) - 50);
    const start = at ? text.indexOf(" ", at) + 1 : 0;
    const any = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((a, b) => b.length - a.length).join("|");
    // Split first and escaped then: no term may be found in what a sign was escaped to.
    const parts = text.slice(start, start + 150).split(new RegExp(`(${any})`, "gi"));
    const marked = parts.map((part, n) => (n % 2 ? `<mark>${escaped(part)}</mark>` : escaped(part))).join("");
    return (start ? "… " : "") + marked + (text.length > start + 150 ? " …" : "");
  }

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", isDark());
    button.hidden = false;
    show();
    system.addEventListener("change", show);
    button.addEventListener("click", () => { page.dataset.theme = isDark() ? "light" : "dark"; kept(page.dataset.theme); show(); });

    const input = document.getElementById("search"), list = document.getElementById("found");
    input.parentElement.hidden = false;
    let chosen = -1, asked = false;
    const close = () => { list.hidden = true; input.setAttribute("aria-expanded", false); input.removeAttribute("aria-activedescendant"); };
    const choose = (to) => {
      const all = [...list.querySelectorAll("a")];
      if (!all.length) return;
      chosen = (to + all.length) % all.length;
      all.forEach((each, n) => each.setAttribute("aria-selected", n === chosen));
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    };
    const search = () => {
      const terms = words(input.value).split(/\s+/).filter(Boolean);
      if (!terms.length || !window.searchIndex) return close();
      const found = find(terms);
      list.innerHTML = found.slice(0, 12).map(({ path, title, place, heading, text }, n) =>
        `<a role="option" id="found-${n}" tabindex="-1" aria-selected="false" href="${up}${path}${place ? `#${place}` : ""}"><strong>${escaped(title)}${heading ? ` › ${escaped(heading)}` : ""}</strong>${snippet(text, terms)}</a>`,
      ).join("") || "<p>Nothing has all these words.</p>";
      document.getElementById("how-many").textContent = `${found.length} sections found`;
      list.hidden = false;
      input.setAttribute("aria-expanded", true);
      choose(0);
    };
    const load = () => {
      if (asked) return;
      asked = true;
      const script = document.createElement("script");
      script.src = `${up}assets/search.js`;
      script.onload = search;
      document.head.append(script);
    };
    input.addEventListener("focus", load);
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
      else if (event.key === "Enter") list.hidden || list.querySelectorAll("a")[chosen]?.click();
      else if (event.key === "Escape") { close(); input.value = ""; input.blur(); }
      else return;
      event.preventDefault();
    });
    list.addEventListener("click", close);
    document.addEventListener("click", (event) => input.parentElement.contains(event.target) || close());
    document.addEventListener("keydown", (event) => {
      // Only where nothing has the focus: who types or speaks into a field, or into a drawing, must not be taken away.
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || ![document.body, document.getElementById("main")].includes(document.activeElement)) return;
      event.preventDefault();
      input.focus();
    });

    const entries = [...document.querySelectorAll(".contents a")];
    const heads = entries.map((each) => document.getElementById(each.hash.slice(1)));
    const mark = () => {
      const last = heads.filter((head) => head.getBoundingClientRect().top < 140).length - 1;
      entries.forEach((each, n) => each.classList.toggle("here", n === Math.max(0, last)));
    };
    if (entries.length) { mark(); addEventListener("scroll", mark, { passive: true }); }
    document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", container: "nearest" });
  });
})();
