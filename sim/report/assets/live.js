"use strict";
// Sliders: every change asks the server for new curves. The latest change wins: what was asked for before is called off.
// Values are texts that the server made; this code knows nothing of their units.
(() => {
  const live = document.querySelector(".live");
  if (live === null) return;
  const token = new URLSearchParams(location.search).get("token") ?? "";
  const ORIGINAL = {};
  const knobs = new Map();
  const GESTURE_MS = 1000; // changes of one number within this time are one change
  const YOUNG_MS = 250; // so long the first curves of an earlier change may still come

  const isSmall = matchMedia("(max-width: 61.99rem)");
  let values = {}; // by key, the last one changed last
  let shown = {}; // the numbers of the curves on the page
  let before = {}; // the numbers of the curves behind
  let last = { key: "", at: -Infinity };
  let running = null;
  let waits = null;

  const status = document.querySelector(".status");
  const general = document.querySelector(".mistake.general");
  const undoAll = document.querySelector(".undo-all");
  const code = document.querySelector(".command code");
  const nameOfFile = document.querySelector("#save-name");
  const saveSaid = document.querySelector("#save-said");
  const replaceIt = document.querySelector(".replace-it");

  function ask(address, body, signal) {
    const headers = { "content-type": "application/json", "x-retrysim-token": token };
    return fetch(address, { method: "POST", headers, body: JSON.stringify(body), signal, cache: "no-store" });
  }

  // The numbers.

  for (const element of document.querySelectorAll(".knob")) {
    const knob = {
      element,
      key: element.dataset.key,
      original: element.dataset.value,
      stops: JSON.parse(element.dataset.stops),
      slider: element.querySelector('input[type="range"]'),
      exact: element.querySelector(".exact"),
      undo: element.querySelector(".undo"),
      wrong: element.querySelector(".mistake"),
    };
    knobs.set(knob.key, knob);
    ORIGINAL[knob.key] = knob.original;
    knob.slider.addEventListener("input", (event) => change(knob, knob.stops[Number(knob.slider.value)], event));
    knob.exact.addEventListener("change", (event) => change(knob, knob.exact.value.trim(), event));
    knob.undo.addEventListener("click", (event) => {
      change(knob, knob.original, event);
      knob.slider.focus();
    });
  }

  function change(knob, text, event) {
    const now = performance.now();
    if (knob.key !== last.key || now - last.at > GESTURE_MS) {
      before = { ...shown };
      reveal();
    }
    last = { key: knob.key, at: now };
    delete values[knob.key];
    if (text !== knob.original) values[knob.key] = text;
    present(knob, text);
    undoAll.disabled = Object.keys(values).length === 0;
    play(event.timeStamp);
  }

  // On a small screen the sliders cover its lower half: the curves come into what is left.
  function reveal() {
    const plot = document.querySelector("[data-section] h3") ?? document.querySelector("[data-section]");
    const box = plot.getBoundingClientRect();
    const isSeen = box.top >= 0 && box.top < 0.2 * innerHeight;
    if (isSmall.matches && !isSeen) plot.scrollIntoView({ block: "start", behavior: "instant" });
  }

  function present(knob, text) {
    const at = knob.stops.indexOf(text);
    if (at >= 0) knob.slider.value = String(at);
    knob.slider.setAttribute("aria-valuetext", text);
    knob.exact.value = text;
    const isChanged = text !== knob.original;
    const hadFocus = document.activeElement === knob.undo;
    knob.element.classList.toggle("changed", isChanged);
    knob.undo.hidden = !isChanged;
    if (hadFocus && knob.undo.hidden) knob.slider.focus();
  }

  undoAll.addEventListener("click", (event) => {
    before = { ...shown };
    last = { key: "", at: -Infinity };
    values = {};
    for (const knob of knobs.values()) present(knob, knob.original);
    undoAll.disabled = true;
    play(event.timeStamp);
  });
  for (const choice of document.querySelectorAll('input[name="ghosts"]')) {
    choice.addEventListener("change", (event) => play(event.timeStamp));
  }

  function ghosts() {
    const choice = document.querySelector('input[name="ghosts"]:checked').value;
    const chosen = choice === "before" ? before : choice === "file" ? {} : null;
    const same = chosen !== null && same_(chosen, values);
    return same ? null : chosen;
  }

  function same_(one, other) {
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
  }

  // Curves.

  function play(since) {
    if (running !== null) {
      const age = performance.now() - running.began;
      if (!running.hasCurves && age < YOUNG_MS) {
        running.next = since;
        clearTimeout(waits);
        waits = setTimeout(start, YOUNG_MS - age, since);
        return;
      }
    }
    start(since);
  }

  async function start(since) {
    clearTimeout(waits);
    if (running !== null) running.control.abort();
    const mine = { control: new AbortController(), began: performance.now(), hasCurves: false, next: null, since };
    running = mine;
    mine.values = { ...values };
    document.body.classList.add("asked");
    say("simulating");
    const slow = setTimeout(() => document.body.classList.add("waiting"), 1000);
    try {
      const answer = await ask("/play", { values: mine.values, before: ghosts() }, mine.control.signal);
      if (!answer.ok) throw new Error(await answer.text());
      await readLines(answer.body, (line) => {
        if (running === mine) take(line, mine);
      });
    } catch (error) {
      if (running === mine && error.name !== "AbortError") lost(error);
    } finally {
      clearTimeout(slow);
      if (running === mine) {
        running = null;
        document.body.classList.remove("asked", "waiting");
      }
    }
  }

  async function readLines(body, use) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines) use(JSON.parse(line));
    }
  }

  function take(line, mine) {
    if (line.kind === "section") {
      clearMistakes();
      document.body.classList.remove("waiting");
      replaceSection(line.id, line.html);
      if (!mine.hasCurves) {
        mine.hasCurves = true;
        shown = mine.values;
        painted(mine);
        if (mine.next !== null) start(mine.next);
      }
    } else if (line.kind === "stage") {
      code.textContent = line.command;
      say(line.last ? `${line.size}, ${line.engine} engine` : `${line.size} so far; simulating more`);
      if (line.news !== "") warn(`${status.textContent}. But ${line.news}`);
    } else if (line.kind === "progress") {
      if (document.body.classList.contains("waiting")) say(`simulating: ${line.percent} %`);
    } else if (line.kind === "mistakes") {
      clearMistakes();
      for (const { key, reason } of line.mistakes) tellMistake(key, reason);
      // What belongs to no number may stand out of sight, below all of them.
      const others = line.mistakes.filter(({ key }) => !knobs.has(key)).map(({ reason }) => reason);
      if (others.length > 0) warn(`${others.join("; ")}. The curves are those of before`);
      else say("these numbers make no scenario, so the curves are those of before");
    } else if (line.kind === "error") {
      tellMistake("", line.reason);
      warn(`the simulation failed: ${line.reason}`);
    }
  }

  function painted(mine) {
    requestAnimationFrame(() => setTimeout(() => performance.measure("change", { start: mine.since, end: performance.now() })));
  }

  const texts = new Map();

  function replaceSection(id, html) {
    const holder = document.querySelector(`[data-section="${id}"]`);
    if (holder === null || texts.get(id) === html) return;
    texts.set(id, html);
    const isOpen = [...holder.querySelectorAll("details")].map((one) => one.open);
    const plots = [...holder.querySelectorAll(".plot")];
    const focused = plots.indexOf(document.activeElement);
    const scrolled = [...holder.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
    holder.innerHTML = html;
    holder.querySelectorAll("details").forEach((one, index) => (one.open = isOpen[index] === true));
    holder.querySelectorAll(".scroll").forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
    retrysim.bind(holder);
    if (focused >= 0) holder.querySelectorAll(".plot")[focused]?.focus({ preventScroll: true });
  }

  function tellMistake(key, reason) {
    const place = knobs.get(key)?.wrong ?? general;
    place.textContent = place.textContent === "" ? reason : `${place.textContent}; ${reason}`;
    place.hidden = false;
    place.closest("details.group")?.setAttribute("open", "");
    knobs.get(key)?.exact.setAttribute("aria-invalid", "true");
  }

  function clearMistakes() {
    for (const place of document.querySelectorAll(".panel .mistake")) {
      place.hidden = true;
      place.textContent = "";
    }
    for (const one of document.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  }

  function say(text) {
    status.classList.remove("lost");
    status.textContent = text;
  }

  function warn(text) {
    status.textContent = text;
    status.classList.add("lost");
  }

  function lost(error) {
    const isGone = error instanceof TypeError;
    warn(isGone ? "the server does not answer: start `retrysim live` again, and open its new address" : error.message);
  }

  // What is kept.

  document.querySelector(".copy").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });

  async function save(replace) {
    replaceIt.hidden = true;
    try {
      const answer = await ask("/save", { name: nameOfFile.value, values, replace });
      const found = await answer.json();
      saveSaid.classList.toggle("mistake", !answer.ok);
      saveSaid.textContent = answer.ok ? `Saved. ${found.command}` : found.reason;
      if (found.exists === true) replaceIt.hidden = false;
    } catch (error) {
      saveSaid.classList.add("mistake");
      saveSaid.textContent = error instanceof TypeError ? "The server does not answer, so nothing is saved." : error.message;
    }
  }
  document.querySelector(".save-it").addEventListener("click", () => save(false));
  replaceIt.addEventListener("click", () => save(true));
  nameOfFile.addEventListener("input", () => (replaceIt.hidden = true));
  nameOfFile.addEventListener("keydown", (event) => {
    if (event.key === "Enter") save(false);
  });

  // The sliders stand below the legend, however many lines that has.
  const legend = document.querySelector(".legend");
  if (legend !== null) {
    const measure = () => document.documentElement.style.setProperty("--legend", `${legend.offsetHeight}px`);
    new ResizeObserver(measure).observe(legend);
    measure();
  }

  // On a small screen the sliders stand below the curves, folded together at first.
  if (isSmall.matches) document.querySelector(".ends").open = false;
  start(performance.now());
})();
