// What all pages that compute share. A page's own script comes after it, and calls play.begin() when it can work.
window.play = (() => {
  const svgNames = "http://www.w3.org/2000/svg";

  // The element with this id: every page's template has those that its script asks for.
  const at = (id) => document.getElementById(id);

  // A new element, its attributes, and what is in it: elements or texts.
  function made(name, attributes = {}, ...inside) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  }

  // The same for a part of a drawing.
  function drawn(name, attributes = {}, ...inside) {
    const element = document.createElementNS(svgNames, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...inside);
    return element;
  }

  // Numbers from 0 to 1 that are the same for the same seed (mulberry32, 32 bits of state).
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  // What a page keeps on this machine; where the browser keeps nothing, it is forgotten when the page is left.
  const kept = {
    get: (name) => { try { return JSON.parse(localStorage.getItem(`fortydays ${name}`)); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(`fortydays ${name}`, JSON.stringify(value)); } catch { /* not kept */ } },
  };

  // Shows the living page in the place of the still one.
  const begin = () => document.querySelector(".play").classList.add("is-live");

  return { at, made, drawn, random, kept, begin };
})();
