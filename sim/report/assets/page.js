"use strict";
// Values under the pointer, series that are switched on and off, and the choice of colors. `retrysim.bind(root)` makes
// charts live that were put into the page later.
const retrysim = (() => {
  const hidden = new Set();
  const tip = document.querySelector(".tip");
  const said = document.querySelector(".said");

  // Numbers as people read them: the same texts as those of the tables.
  const NS = { us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9, d: 86400e9 };

  function digits(number) {
    if (number >= 1e6) {
      const [mantissa, power] = number.toExponential(1).split("e");
      return `${mantissa.replace(/\.0$/, "")}e${power[0]}${power.slice(1).padStart(2, "0")}`;
    }
    if (number >= 999.5) return even(number, 0);
    if (number === 0) return "0.00";
    const [mantissa, power] = number.toExponential(2).split("e");
    if (Number(power) < -4) return `${mantissa}e-${power.slice(1).padStart(2, "0")}`;
    return even(number, Math.max(0, 2 - Number(power)));
  }

  // Rounds a tie to the even digit, as Python does.
  function even(number, decimals) {
    const exact = number.toFixed(Math.min(100, decimals + 60));
    const cut = exact.length - Math.min(100, decimals + 60) + decimals;
    const isTie = /^50*$/.test(exact.slice(cut));
    const kept = exact.slice(0, decimals === 0 ? cut - 1 : cut);
    return isTie && "02468".includes(kept.at(-1)) ? kept : number.toFixed(decimals);
  }

  function whole(number) {
    return Math.abs(number % 1) === 0.5 ? 2 * Math.round(number / 2) : Math.round(number);
  }

  function duration(ns) {
    const rounded = whole(ns);
    if (rounded < NS.us) return rounded === 0 ? "0 s" : `${rounded} ns`;
    for (const [unit, most] of [["us", 1000], ["ms", 1000], ["s", 60]]) {
      const text = digits(rounded / NS[unit]);
      if (Number(text) < most) return `${text} ${unit}`;
    }
    for (const [unit, part, parts, most] of [["m", "s", 60, 60], ["h", "m", 60, 24], ["d", "h", 24, 365]]) {
      const total = whole(rounded / NS[part]);
      const units = Math.floor(total / parts);
      if (units < most) return `${units}${unit}${String(total % parts).padStart(2, "0")}${part}`;
    }
    return `${digits(ns / NS.d / 365)} y`;
  }

  function percentage(share) {
    if (share <= 0) return "0 %";
    if (share >= 1) return "100 %";
    for (let decimals = 2; decimals < 14; decimals += 1) {
      const text = even(share * 100, decimals);
      if (Number(text) > 0 && Number(text) < 100) return `${text} %`;
    }
    return share < 0.5 ? "<1e-11 %" : ">99.99999999999 %";
  }

  function count(number) {
    if (number < 0) return `-${count(-number)}`;
    return number === Math.round(number) && number < 1e6 ? String(number) : digits(number);
  }

  function format(value, unit) {
    if (value === "") return "-";
    if (value === null) return "never";
    if (unit === "duration") return duration(value);
    if (unit === "share") return percentage(value);
    if (unit === "per_second") return `${count(value)}/s`;
    return count(value);
  }

  // Places on an axis [label, unit, low, high, log, zero, never], from 0 to 1.
  function place(axis, given) {
    const [, , low, high, log, zero, never] = axis;
    let value = given === null ? (never === null ? high : never) : given;
    if (log && value <= 0) value = zero === null ? low : zero;
    const at = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.min(1, Math.max(0, at));
  }

  function items(plot) {
    const chart = plot.closest("[data-chart]");
    if (chart !== null) {
      const [x, y, series, texts] = JSON.parse(chart.dataset.chart);
      const named = new Map(texts ?? []);
      return series.map((one) => ({
        key: one.k,
        points: one.x
          .map((at, index) => ({
            x: place(x, at),
            y: one.y[index] === "" ? NaN : 1 - place(y, one.y[index]),
            key: one.p?.[index],
            text: () => words(x, y, one, index, named),
          }))
          .filter((point) => !Number.isNaN(point.y)),
        isStep: one.s === 1,
      }));
    }
    const rows = new Map();
    for (const mark of plot.querySelectorAll("[data-tip]")) {
      const key = mark.closest("[data-series]")?.dataset.series ?? "";
      if (!rows.has(key)) rows.set(key, { key, points: [], isStep: false });
      rows.get(key).points.push({ mark, text: () => mark.dataset.tip });
    }
    return [...rows.values()];
  }

  function words(x, y, one, index, named) {
    const lines = one.n === "" ? [] : [one.n];
    lines.push(`${x[0]}: ${named.get(one.x[index]) ?? format(one.x[index], x[1])}`);
    let value = `${y[0]}: ${one.t?.[index] ?? format(one.y[index], y[1])}`;
    const low = one.l === undefined || one.t !== undefined ? "" : one.l[index];
    if (low !== "") value += ` (${format(low, y[1])} to ${format(one.h[index], y[1])})`;
    lines.push(value);
    return lines.join("\n");
  }

  const known = new WeakMap();

  function itemsOf(plot) {
    if (!known.has(plot)) known.set(plot, items(plot));
    const shown = known.get(plot).filter((one) => !hidden.has(one.key));
    for (const one of shown) one.shown = one.points.filter((point) => point.key === undefined || !hidden.has(point.key));
    return shown.filter((one) => one.shown.length > 0);
  }

  // The nearest point: of steps the one whose value holds here.
  function nearest(plot, across, up, box) {
    let best = null;
    for (const one of itemsOf(plot)) {
      let low = 0;
      let high = one.shown.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (one.shown[middle].x <= across) low = middle;
        else high = middle - 1;
      }
      const around = one.isStep ? [low] : [low, Math.min(low + 1, one.shown.length - 1)];
      for (const index of around) {
        const point = one.shown[index];
        const dx = one.isStep && point.x <= across ? 0 : (point.x - across) * box.width;
        const distance = Math.hypot(dx, (point.y - up) * box.height);
        if (best === null || distance < best.distance) best = { distance, one, index, point };
      }
    }
    return best;
  }

  const marks = new WeakMap();
  let owner = null; // the chart whose value is shown

  function markOf(plot) {
    if (!marks.has(plot)) {
      const mark = document.createElement("div");
      mark.className = "mark";
      plot.append(mark);
      marks.set(plot, mark);
    }
    return marks.get(plot);
  }

  function show(plot, point, key, isSpoken) {
    if (owner !== null && owner !== plot) hide(owner);
    owner = plot;
    const text = point.text();
    tip.textContent = text;
    tip.hidden = false;
    const box = plot.getBoundingClientRect();
    let at;
    if (point.mark === undefined) {
      at = { x: box.left + point.x * box.width, y: box.top + point.y * box.height };
      const mark = markOf(plot);
      mark.hidden = false;
      mark.style.left = `${100 * point.x}%`;
      mark.style.top = `${100 * point.y}%`;
    } else {
      if (isSpoken) point.mark.scrollIntoView({ block: "nearest", inline: "nearest" });
      const part = point.mark.getBoundingClientRect();
      at = { x: part.left + part.width / 2, y: part.top };
      for (const other of plot.querySelectorAll(".here")) other.classList.remove("here");
      point.mark.classList.add("here");
    }
    lift(key);
    const width = document.documentElement.clientWidth;
    const left = Math.min(Math.max(4, at.x + 12), width - tip.offsetWidth - 4);
    const above = at.y - tip.offsetHeight - 10;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${above > 0 ? above : at.y + 14}px`;
    if (isSpoken) said.textContent = text.replaceAll("\n", ", ");
  }

  function hide(plot) {
    if (owner !== plot) return;
    owner = null;
    tip.hidden = true;
    if (marks.has(plot)) marks.get(plot).hidden = true;
    for (const other of plot.querySelectorAll(".here")) other.classList.remove("here");
    lift(null);
  }

  function lift(key) {
    for (const one of document.querySelectorAll(".lifted")) one.classList.remove("lifted");
    if (key === null || key === "") return;
    for (const one of document.querySelectorAll(`g.series[data-series="${CSS.escape(key)}"]`)) one.classList.add("lifted");
  }

  function follow(plot) {
    let chosen = null;
    const point = (event) => {
      const mark = event.target.closest?.("[data-tip]");
      if (mark !== null && mark !== undefined) {
        show(plot, { mark, text: () => mark.dataset.tip }, mark.closest("[data-series]")?.dataset.series ?? null, false);
        if (plot.closest("[data-chart]") === null) return;
      }
      if (plot.closest("[data-chart]") === null) return hide(plot);
      const box = plot.getBoundingClientRect();
      const found = nearest(plot, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box);
      if (found !== null && (mark === null || found.distance < 30)) show(plot, found.point, found.one.key, false);
    };
    plot.addEventListener("pointermove", point);
    // A finger leaves as it is lifted: what it has touched stays until another place is touched, or the page is moved.
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") hide(plot);
    });
    plot.addEventListener("pointercancel", () => hide(plot));
    plot.addEventListener("blur", () => hide(plot));
    plot.addEventListener("keydown", (event) => {
      const series = itemsOf(plot);
      if (event.key === "Escape") return hide(plot);
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
      const across = { ArrowUp: -1, ArrowDown: 1 };
      const known = event.key in steps || event.key in across || event.key === "Home" || event.key === "End";
      if (!known || series.length === 0 || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      let row = chosen === null ? -1 : series.findIndex((one) => one.key === chosen.key && one === chosen.one);
      let index = chosen === null ? 0 : chosen.index;
      if (row < 0) {
        row = 0;
        index = event.key === "End" ? Infinity : 0;
      } else if (event.key in across) {
        const x = series[row].shown[Math.min(index, series[row].shown.length - 1)].x;
        row = (row + across[event.key] + series.length) % series.length;
        if (x !== undefined) {
          const distances = series[row].shown.map((point) => Math.abs(point.x - x));
          index = distances.indexOf(Math.min(...distances));
        }
      } else if (event.key in steps) index += steps[event.key];
      else index = event.key === "Home" ? 0 : Infinity;
      index = Math.min(Math.max(0, index), series[row].shown.length - 1);
      chosen = { key: series[row].key, one: series[row], index };
      show(plot, series[row].shown[index], series[row].key, true);
    });
  }

  function bind(root) {
    if (owner !== null && !owner.isConnected) hide(owner);
    for (const plot of root.querySelectorAll(".plot")) follow(plot);
    followSwitches(root);
    apply(root);
  }

  function followSwitches(root) {
    for (const button of root.querySelectorAll("[data-switch]")) {
      button.addEventListener("click", () => {
        set(button.dataset.switch, hidden.has(button.dataset.switch));
        apply(document);
      });
      button.addEventListener("pointerenter", () => lift(button.dataset.switch));
      button.addEventListener("pointerleave", () => lift(null));
    }
  }

  function apply(root) {
    for (const one of root.querySelectorAll("[data-series]")) one.classList.toggle("off", hidden.has(one.dataset.series));
    for (const one of root.querySelectorAll("[data-switch]")) {
      one.setAttribute("aria-pressed", String(!hidden.has(one.dataset.switch)));
    }
  }

  function set(key, isShown) {
    if (isShown) hidden.delete(key);
    else hidden.add(key);
    for (const one of document.querySelectorAll(`[data-switch="${CSS.escape(key)}"]`)) {
      one.setAttribute("aria-pressed", String(isShown));
    }
  }

  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      const isShown = button.dataset.all === "show";
      for (const one of document.querySelectorAll("[data-switch]")) set(one.dataset.switch, isShown);
      apply(document);
    });
  }

  // Colors: as the system, light, dark.
  const theme = document.querySelector("button.theme");
  const THEMES = [["", "as the system"], ["light", "light"], ["dark", "dark"]];
  let turn = 0;
  if (theme !== null) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      turn = (turn + 1) % THEMES.length;
      const [name, text] = THEMES[turn];
      if (name === "") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = name;
      theme.textContent = `Colors: ${text}`;
    });
  }
  document.addEventListener("pointerdown", (event) => {
    if (owner !== null && !owner.contains(event.target)) hide(owner);
  });
  bind(document);
  return { bind, format, hidden };
})();
