"use strict";
// The page of the service: takes a drawing, an image or a text, asks /predict, shows bars. No library, nothing from elsewhere.
(() => {
  const $ = (id) => document.getElementById(id);
  const canvas = $("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const IMAGES = ["image/png", "image/jpeg", "image/webp"]; // until the model tells what it takes
  const state = { model: null, asking: false, next: null, down: false, cursor: null, preview: "", turn: 0 };

  const say = (text) => {
    $("message").textContent = text;
    $("message").hidden = !text;
  };

  const headers = (extra) => {
    const token = sessionStorage.getItem("token");
    return token ? { ...extra, Authorization: `Bearer ${token}` } : { ...extra };
  };

  // Gives what an answer has, a JSON document unless `read` is given; says what was wrong and gives null where it is none.
  const ask = async (path, options = {}, tell = say, read = (answer) => answer.json()) => {
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: headers(options.headers) });
    } catch {
      tell("The service does not answer. Is it still running? Try again when it is.");
      return null;
    }
    if (answer.status === 401) {
      if (sessionStorage.getItem("token")) tell("The service does not take this token.");
      $("token-form").hidden = false;
      $("token").focus();
      return null;
    }
    let body;
    try {
      body = await (answer.ok ? read(answer) : answer.json());
    } catch {
      tell(`The service gave an answer that cannot be read (status ${answer.status}).`);
      return null;
    }
    if (!answer.ok) {
      tell(body.error && body.error.message ? body.error.message : `The service refused (status ${answer.status}).`);
      return null;
    }
    tell("");
    return body;
  };

  const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)}%`;

  // The bars keep the order of the classes, so that the eye can follow one of them while the drawing changes.
  const show = (list, top, many) => {
    const shown = many ? top : [...top].sort((a, b) => a.index - b.index);
    while (list.children.length > shown.length) list.lastChild.remove();
    while (list.children.length < shown.length) {
      const item = document.createElement("li");
      for (const name of ["label", "track", "share"]) {
        const part = document.createElement("span");
        part.className = name;
        item.append(part);
      }
      const fill = document.createElement("div");
      fill.className = "fill";
      item.children[1].append(fill);
      list.append(item);
    }
    shown.forEach((entry, i) => {
      const item = list.children[i];
      item.classList.toggle("best", entry.index === top[0].index);
      item.children[0].textContent = entry.class;
      item.children[0].title = entry.class;
      item.children[1].firstChild.style.width = `${100 * entry.probability}%`;
      item.children[2].textContent = percent(entry.probability);
    });
  };

  // What a model says, in words. A screen reader tells them when they change, and only then.
  const judge = (which, answer) => {
    const { top, unknown } = answer.predictions[0];
    const said = unknown ? "Unknown" : top[0].class;
    $(which ? "second-by" : "answered-by").textContent = `${said}, says ${answer.model}@${answer.version}`;
    $(`${which}bars`).classList.toggle("unknown", Boolean(unknown));
    tell(which, unknown ? `This looks unlike what the model has learned; its best guess is ${top[0].class}.` : "");
  };

  const tell = (which, words) => {
    const place = $(`${which}verdict`);
    if (place.textContent !== words) place.textContent = words;
  };

  const send = async (blob) => {
    state.next = blob;
    if (state.asking) return; // what comes meanwhile is asked next, and only the newest of it
    state.asking = true;
    while (state.next) {
      const content = state.next;
      const turn = state.turn;
      state.next = null;
      const many = !state.model || state.model.classes.length > 12;
      const options = { method: "POST", body: content, headers: { "Content-Type": content.type } };
      const started = performance.now();
      const [main, second] = await Promise.all([
        ask(`predict?top=${many ? 10 : 12}`, options, (text) => turn === state.turn && say(text)),
        state.model && state.model.shadow ? ask(`compare?top=${many ? 10 : 12}`, options, () => {}) : null,
      ]);
      if (turn !== state.turn) continue; // it was cleared meanwhile, or something else was given
      if (!main) forget("", "No answer");
      if (main) {
        show($("bars"), main.predictions[0].top, many);
        name(main);
        judge("", main);
        const all = (performance.now() - started).toFixed(0);
        $("took").textContent = `Answered in ${main.milliseconds.toFixed(1)} ms, here after ${all} ms.`;
      }
      if (state.model && state.model.shadow && !second) forget("second-", "No answer");
      if (second) {
        $("second").hidden = false;
        show($("second-bars"), second.predictions[0].top, many);
        judge("second-", second);
        $("second-took").textContent = `Answered in ${second.milliseconds.toFixed(1)} ms.`;
      }
    }
    state.asking = false;
  };

  const sendDrawing = () => {
    const turn = state.turn;
    canvas.toBlob((blob) => blob && turn === state.turn && send(blob), "image/png");
  };

  const forget = (which, title) => {
    $(`${which}bars`).replaceChildren();
    $(which ? "second-by" : "answered-by").textContent = title;
    $(`${which}took`).textContent = "";
    tell(which, "");
  };

  const name = (model) => {
    $("name").textContent = `${model.model}@${model.version}`;
    document.title = `${model.model}@${model.version} · fortydays`;
  };

  // What was asked before has nothing to say any more.
  const anew = () => {
    state.turn += 1;
    $("read-as").textContent = "";
    state.next = null;
    if (state.preview) URL.revokeObjectURL(state.preview);
    state.preview = "";
    $("preview").hidden = true;
  };

  const clear = () => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    anew();
    state.down = false;
    state.cursor = null;
    $("pen").hidden = true;
    forget("", "Answer");
    forget("second-", state.model && state.model.shadow ? state.model.shadow : "Challenger");
    $("took").textContent = "Nothing was asked yet.";
    say("");
  };

  const line = (from, to) => {
    pen.lineWidth = 20;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.strokeStyle = "#000";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x + 0.01, to.y);
    pen.stroke();
    if (state.preview) anew();
    sendDrawing();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  };

  let last = null;
  let pointer = null; // the first finger draws; a second one does not
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    if (pointer !== null) return;
    pointer = event.pointerId;
    $("pen").hidden = true;
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    line(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const to = place(event);
    line(last, to);
    last = to;
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => {
    if (event.pointerId === pointer) pointer = null;
  });

  const showPen = () => {
    const share = (value) => `${(100 * value) / canvas.width}%`;
    $("pen").hidden = false;
    $("pen").style.left = share(state.cursor.x);
    $("pen").style.top = share(state.cursor.y);
    $("pen").classList.toggle("down", state.down);
  };
  canvas.addEventListener("blur", () => { $("pen").hidden = true; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = state.cursor || { x: canvas.width / 2, y: canvas.height / 2 };
    if (step) {
      event.preventDefault();
      const far = event.shiftKey ? 30 : 10;
      const inside = (value) => Math.min(Math.max(value, 0), canvas.width);
      state.cursor = { x: inside(from.x + far * step[0]), y: inside(from.y + far * step[1]) };
      if (state.down) line(from, state.cursor);
      showPen();
    } else if (event.key === " ") {
      event.preventDefault();
      state.down = !state.down;
      state.cursor = from;
      if (state.down) line(from, from);
      showPen();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      clear();
    } else {
      return;
    }
    const where = state.cursor ? ` at ${Math.round(state.cursor.x)}, ${Math.round(state.cursor.y)}` : "";
    canvas.setAttribute("aria-label", `A field to draw in. Pen ${state.down ? "down" : "lifted"}${where}`);
  });
  $("clear").addEventListener("click", clear);

  // The text of a file, as the service reads one: lines that are not UTF-8 are cp1252.
  const decoded = (bytes) => {
    const starts = (...first) => first.every((byte, place) => bytes[place] === byte);
    if (starts(0xff, 0xfe)) return { text: new TextDecoder("utf-16le").decode(bytes), note: "It is read as UTF-16." };
    if (starts(0xfe, 0xff)) return { text: new TextDecoder("utf-16be").decode(bytes), note: "It is read as UTF-16." };
    const strictly = new TextDecoder("utf-8", { fatal: true });
    const lines = [];
    let others = 0;
    for (let start = 0; start <= bytes.length;) {
      const found = bytes.indexOf(10, start);
      const end = found < 0 ? bytes.length : found;
      const line = bytes.subarray(start, end);
      try {
        lines.push(strictly.decode(line));
      } catch {
        lines.push(new TextDecoder("windows-1252").decode(line));
        others += 1;
      }
      start = end + 1;
    }
    const note = others ? "It is read as cp1252, the encoding of Windows in western Europe, since it is not UTF-8. " +
      "If letters look wrong, save it again as UTF-8." : "";
    return { text: lines.join("\n"), note };
  };

  // A file of the reader's or a sample: an image is shown, a text is written where texts are.
  const take = async (file) => {
    if (!file) return;
    const accepts = state.model ? state.model.input.accepts : IMAGES;
    const type = file.type.split(";")[0];
    if (!accepts.includes(type)) {
      const [what, kind] = accepts.includes("text/plain") ? ["text", "plain text"] : ["image", "PNG, JPEG or WebP"];
      say(accepts.length ? `“${file.name || "That"}” is no ${what} that can be read. Give a ${kind} file.`
        : "This model takes no files. The description of the API says how to ask it.");
      return;
    }
    if (type === "text/plain") {
      const { text, note } = decoded(new Uint8Array(await file.arrayBuffer()));
      $("text").value = text;
      write();
      $("read-as").textContent = note;
      return;
    }
    anew();
    state.preview = URL.createObjectURL(file);
    $("preview").src = state.preview;
    $("preview").hidden = false;
    send(file);
  };

  $("file").addEventListener("change", () => {
    take($("file").files[0]);
    $("file").value = ""; // the same file can be given again
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData ? event.clipboardData.files : [];
    if (files.length) take(files[0]);
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer.files[0]);
  });

  const write = () => {
    anew();
    send(new Blob([$("text").value], { type: "text/plain" }));
  };

  $("writing").addEventListener("submit", (event) => {
    event.preventDefault();
    write();
  });

  const share = (part) => `${(100 * part).toFixed(1).replace(/\.0$/, "")}%`;

  // What the model knows, in a sentence or three.
  const knows = (model) => {
    const { classes, confidence, learned_from: from } = model;
    const named = classes.length > 20 ? [...classes.slice(0, 20), "..."] : classes;
    const said = [`It knows ${classes.length} classes: ${named.join(", ")}.`];
    if (from) said.push(`It learned them from ${from.images.toLocaleString("en")} examples of ${from.dataset}.`);
    if (confidence) {
      said.push(`An answer is marked unknown where its highest probability is below ${share(confidence.unknown_below)}; ` +
        `of examples of these classes, that happens to ${share(confidence.false_alarms)}.`);
    }
    $("knows").textContent = said.join(" ");
    $("knows").hidden = false;
  };

  // A sample of each class, to click. They are asked for one after the other: there is no hurry.
  const offer = async (model) => {
    const list = $("samples").querySelector("ul");
    list.replaceChildren();
    $("samples").hidden = !model.samples.length;
    const seen = model.samples_are_texts ? "" : {
      ngrams: "These are the words that the model sees, those that count most first, and not the texts themselves.",
      tokens: "These are the words that the model sees; a question mark stands for a word that it does not know.",
    }[model.input.kind];
    $("samples").querySelector(".help").textContent =
      `One of each class. The model has not learned from them.${seen ? ` ${seen}` : ""}`;
    for (const [number, name] of model.samples.entries()) {
      const file = await ask(`model/samples/${number}`, {}, () => {}, (answer) => answer.blob());
      if (!file || state.model !== model) return;
      const button = document.createElement("button");
      const label = document.createElement("span");
      label.textContent = name;
      if (file.type.startsWith("image/")) {
        const picture = document.createElement("img");
        picture.src = URL.createObjectURL(file);
        picture.alt = "";
        button.append(picture);
      }
      button.type = "button";
      button.title = name;
      button.setAttribute("aria-label", `Sample of ${name}`);
      button.append(label);
      if (file.type.startsWith("text/")) {
        const words = document.createElement("q");
        words.textContent = (await file.text()).slice(0, 100);
        button.append(words);
        button.setAttribute("aria-label", `Sample of ${name}: ${words.textContent}`);
      }
      button.addEventListener("click", () => {
        take(file);
        $("answer").scrollIntoView({ block: "nearest" }); // on a narrow screen it is far below
      });
      const item = document.createElement("li");
      item.append(button);
      list.append(item);
    }
  };

  const begin = async () => {
    const model = await ask("model");
    if (!model) return;
    state.model = model;
    $("token-form").hidden = true;
    // Links carry no token: from now on, a cookie of this browser lets them through.
    if (sessionStorage.getItem("token")) await fetch("session", { method: "POST", headers: headers() }).catch(() => {});
    name(model);
    const { accepts, strokes, length, truncation, pieces, ngrams } = model.input;
    const files = accepts.filter((type) => type.startsWith("image/"));
    $("drawing").hidden = !strokes;
    $("drop").hidden = !files.length;
    $("writing").hidden = !accepts.includes("text/plain");
    $("text-help").textContent = length ? `The model reads the ${truncation === "start" ? "last" : "first"} ${length} ${pieces ? "pieces of words" : "words"}.`
      : `The model knows ${(ngrams || 0).toLocaleString("en")} words and pairs of words.`;
    $("file").accept = files.join();
    document.querySelector("main").classList.toggle("given", !strokes);
    $("drop-title").textContent = strokes ? "Or give an image" : "Give an image";
    $("draw-title").textContent = model.classes.length === 10 && model.classes[9] === "9" ? "Draw a digit" : "Draw";
    knows(model);
    offer(model);
    $("second").hidden = !model.shadow;
    if (model.shadow) $("second-by").textContent = model.shadow;
  };

  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", $("token").value);
    begin();
  });
  clear();
  begin();
})();
