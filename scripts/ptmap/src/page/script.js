"use strict";
// The explorer: one table of 512 entries at a time in every map, and the descriptors of one
// address bit by bit. Addresses are BigInt: they have 64 bits.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const number = (hex) => BigInt("0x" + hex);
  const hex = (value, digits = 16) => "0x" + value.toString(16).padStart(digits, "0");
  const entryBytes = (level) => 1n << BigInt(39 - 9 * level);
  const indexAt = (va, level) => Number((va >> BigInt(39 - 9 * level)) & 511n);
  const ADDRESS = 0x0000fffffffff000n;
  const LEAF = ["", "1 GiB", "2 MiB", "4 KiB"];
  const LETTER = { "r-rx": "x", "r-ro": "r", "r-rw": "w", "r-wx": "!", "r-no": "–",
    "t-wb": "c", "t-nc": "n", "t-oc": "o", "t-de": "d", "t-ds": "D", "t-re": "?" };

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") element.className = value;
      else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const size = (bytes) => {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    let scaled = Number(bytes);
    while (scaled >= 1024 && unit < 4) { scaled /= 1024; unit += 1; }
    return `${Math.floor(scaled * 10) / 10} ${units[unit]}`;
  };

  for (const map of data.maps) {
    map.pieces = map.pieces.map(([va, bytes, level, bits, el1, el0, limits, rights, type, name]) => ({
      va: number(va), end: number(va) + number(bytes), level, bits: number(bits), el1, el0, limits, rights, type, name,
    }));
    map.found = map.findings.map(([kind, severity, va, other, what]) => ({
      kind, severity, what, at: other === null ? [number(va)] : [number(va), number(other)],
    }));
    for (const half of map.halves) {
      half.first = number(half.first);
      half.byPlace = new Map();
      for (const [pa, va, level, bits, cells] of half.tables) {
        const place = `${level} ${number(va).toString(16)}`;
        half.byPlace.set(place, { pa: number(pa), va: number(va), level, bits: number(bits), cells });
      }
    }
  }
  const symbols = data.symbols.map(([va, bytes, name]) => ({ va: number(va), bytes: BigInt(bytes), name }));
  const changes = data.changes.map(([va, last, kind, what]) => ({ va: number(va), last: number(last), kind, what }));

  // The index of the last item that begins at or before an address.
  const before = (items, va) => {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle].va <= va) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const pieceAt = (map, va) => {
    const piece = map.pieces[before(map.pieces, va)];
    return piece && va < piece.end ? piece : null;
  };
  const overlaps = (items, from, end) => {
    const index = before(items, end - 1n);
    return index >= 0 && items[index].last >= from;
  };
  const halfOf = (map, va) => map.halves[Number(va >> 63n & 1n)];
  const baseOf = (half, va, level) => {
    // The first address of the table of `level` in which `va` stands.
    if (level <= half.level) return half.first;
    return va - va % entryBytes(level - 1);
  };
  const tableAt = (half, va, level) => half.byPlace.get(`${level} ${baseOf(half, va, level).toString(16)}`);
  const letterOf = (table, index) => {
    if (!table.letters) table.letters = table.cells.replace(/(.)(\d+)/g, (_, letter, count) => letter.repeat(Number(count)));
    return table.letters[index] ?? "-";
  };

  // What a map has at the entry of `level` for `va`.
  const entryAt = (map, va, level) => {
    const half = halfOf(map, va);
    if (half.refusal) return { kind: "off" };
    const piece = pieceAt(map, va);
    const table = tableAt(half, va, level);
    if (!table) return piece && piece.level < level ? { kind: "inside", piece } : { kind: "none" };
    const index = half.level === level ? Number((va - half.first) / entryBytes(level)) : indexAt(va, level);
    const at = table.pa + 8n * BigInt(index);
    const letter = letterOf(table, index);
    if (letter === "t") {
      const below = half.byPlace.get(`${level + 1} ${(va - va % entryBytes(level)).toString(16)}`);
      return { kind: below ? "table" : "broken", table, below, index, at, bits: below ? below.bits : null };
    }
    if (piece && piece.level === level && letter !== "-") {
      const offset = va - va % entryBytes(level) - piece.va;
      return { kind: "leaf", table, index, at, piece, bits: piece.bits + offset, contiguous: letter === "c" };
    }
    if (letter === "-") return { kind: "unused", table, index, at, bits: 0n };
    return { kind: letter === "r" ? "reserved" : "software", table, index, at, bits: null };
  };
  const walk = (map, va) => {
    const steps = [];
    const half = halfOf(map, va);
    for (let level = half.level; level < 4; level += 1) {
      const entry = entryAt(map, va, level);
      if (entry.kind === "off" || entry.kind === "none" || entry.kind === "inside") break;
      steps.push({ level, ...entry });
      if (entry.kind !== "table") break;
    }
    return steps;
  };
  const distinct = (map, from, end) => {
    // The colours of what is mapped between two addresses, at most four.
    const seen = new Map();
    let index = Math.max(0, before(map.pieces, from));
    while (index < map.pieces.length && map.pieces[index].va < end && seen.size < 4) {
      const piece = map.pieces[index];
      if (piece.end > from) seen.set(colour === "rights" ? piece.rights : piece.type, piece);
      index += 1;
    }
    return [...seen.keys()];
  };

  let colour = "rights";
  const state = { va: 0n, level: 3, shown: data.maps.map(() => null) };
  const fill = (name) => `var(--${name.slice(2)})`;

  const rightsWords = (piece) => (piece.el0 === "---" ? piece.el1 : `${piece.el1}, EL0 ${piece.el0}`);
  const typeOf = (map, bits) => map.types[Number(bits >> 2n & 7n)][0];
  const describe = (map, entry, va, level) => {
    const place = `${hex(va)}, ${size(entryBytes(level))}`;
    switch (entry.kind) {
      case "table": return `entry ${entry.index}: table at ${hex(entry.below.pa, 8)}; ${place}`;
      case "leaf": return `entry ${entry.index}: ${entry.piece.name || "unnamed"}, ${level === 3 ? "page" : "block"} at ` +
        `${hex(entry.bits & ADDRESS, 8)}, ${rightsWords(entry.piece)}, ${typeOf(map, entry.bits)}` +
        `${entry.contiguous ? ", contiguous" : ""}; ${place}`;
      case "inside": return `part of a ${LEAF[entry.piece.level]} block, ${rightsWords(entry.piece)}; ${place}`;
      case "unused": return `entry ${entry.index}: unused; ${place}`;
      case "broken": return `entry ${entry.index}: a table that cannot be followed; ${place}`;
      case "none": return `no table here; ${place}`;
      case "off": return `not translated; ${place}`;
      default: return `entry ${entry.index}: ${entry.kind}; ${place}`;
    }
  };

  // As many cells a row as there is room for.
  let columns = 16;
  const measure = () => {
    const room = document.getElementById("grids").clientWidth;
    const beside = room >= 2 * 340 ? data.maps.length : 1;
    return room / beside >= 520 ? 32 : 16;
  };
  const drawGrid = (map, which) => {
    const half = halfOf(map, state.va);
    const level = Math.max(state.level, half.level);
    const base = baseOf(half, state.va, level);
    const step = entryBytes(level);
    const count = level === half.level ? Number((1n << BigInt(half.bits)) / step) : 512;
    const table = tableAt(half, state.va, level);
    let caption = half.refusal ?? "no table here";
    if (table) {
      let used = 0;
      for (let index = 0; index < count; index += 1) if (letterOf(table, index) !== "-") used += 1;
      caption = `table at ${hex(table.pa, 8)}, ${used} of ${count} used`;
    }
    const box = make("div", {}, make("h3", {}, map.name, make("small", {}, caption)));
    if (half.refusal) {
      box.append(make("p", { class: "none" }, half.refusal));
      return box;
    }
    const grid = make("div", { class: `grid of-${columns}`, role: "grid", "aria-label": `${map.name} map, level ${level} from ${hex(base)}` });
    let row = null;
    for (let index = 0; index < count; index += 1) {
      if (index % columns === 0) { row = make("div", { role: "row" }); grid.append(row); }
      const va = base + BigInt(index) * step;
      const entry = entryAt(map, va, level);
      const cell = make("span", { role: "gridcell", class: "cell", tabindex: -1, "data-at": va.toString(16), "aria-label": describe(map, entry, va, level) });
      cell.title = describe(map, entry, va, level);
      if (entry.kind === "leaf" || entry.kind === "inside") {
        cell.classList.add("leaf", entry.piece.rights, entry.piece.type);
        if (entry.kind === "inside") cell.classList.add("inside");
        else cell.textContent = LETTER[colour === "rights" ? entry.piece.rights : entry.piece.type];
        if (entry.contiguous) cell.classList.add("contig", ...(index % 16 === 0 ? ["starts"] : index % 16 === 15 ? ["ends"] : []));
        if (entry.piece.el0 !== "---") cell.classList.add("user");
      } else if (entry.kind === "table") {
        cell.classList.add("table");
        const names = distinct(map, va, va + step);
        if (names.length > 0) {
          const part = 100 / names.length;
          cell.style.background = `linear-gradient(90deg, ${names.map((name, at) => `${fill(name)} ${at * part}% ${(at + 1) * part}%`).join(", ")})`;
        }
      } else if (entry.kind !== "unused" && entry.kind !== "none") {
        cell.classList.add(entry.kind === "broken" ? "broken" : "software");
      }
      if (which > 0 && overlaps(changes, va, va + step)) cell.classList.add("differs");
      if (map.found.some((found) => found.at.some((at) => va <= at && at < va + step) && found.severity === "fault")) cell.classList.add("found");
      if (va <= state.va && state.va < va + step) { cell.classList.add("here"); cell.tabIndex = 0; cell.setAttribute("aria-selected", "true"); }
      row.append(cell);
    }
    grid.addEventListener("keydown", (event) => gridKey(event, grid));
    grid.addEventListener("click", (event) => {
      const cell = event.target.closest(".cell");
      if (!cell) return;
      const again = cell.classList.contains("here");
      go(number(cell.dataset.at), level);
      if (again) zoomIn(); else focusGrid(which);
    });
    grid.addEventListener("dblclick", zoomIn);
    grid.addEventListener("pointerover", (event) => {
      const cell = event.target.closest(".cell");
      if (cell) drawInspector(number(cell.dataset.at));
    });
    grid.addEventListener("pointerleave", () => drawInspector(state.va));
    box.append(grid);
    return box;
  };
  const focusGrid = (which) => {
    const grids = document.querySelectorAll(".grid");
    (grids[which] ?? grids[0])?.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  };
  const gridKey = (event, grid) => {
    const cells = [...grid.querySelectorAll(".cell")];
    const which = [...document.querySelectorAll(".grid")].indexOf(grid);
    const here = cells.indexOf(document.activeElement);
    const half = halfOf(data.maps[0], state.va);
    const level = Math.max(state.level, half.level);
    const whole = entryBytes(level) * 512n;
    const moves = { ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns, Home: here - here % columns, End: here - here % columns + columns - 1 };
    if (event.altKey || event.metaKey) return;
    if (event.key in moves) {
      const next = cells[event.ctrlKey && event.key === "Home" ? 0 : event.ctrlKey && event.key === "End" ? cells.length - 1 : moves[event.key]];
      if (next) { go(number(next.dataset.at), level); focusGrid(which); }
    } else if (event.key === "Enter" || event.key === "+") { zoomIn(); focusGrid(which);
    } else if (event.key === "Backspace" || event.key === "-") { zoomOut(); focusGrid(which);
    } else if ((event.key === "PageUp" || event.key === "PageDown") && level > half.level) {
      const next = event.key === "PageUp" ? state.va - whole : state.va + whole;
      if (next >= half.first && next < half.first + (1n << BigInt(half.bits))) { go(next, level); focusGrid(which); }
    } else return;
    event.preventDefault();
  };
  const zoomIn = () => { if (state.level < 3) go(state.va, state.level + 1); };
  const zoomOut = () => {
    const half = halfOf(data.maps[0], state.va);
    if (state.level > half.level) go(state.va, state.level - 1);
  };

  const drawPath = () => {
    const half = halfOf(data.maps[data.maps.length - 1], state.va);
    const path = document.getElementById("path");
    const other = half.first === 0n ? data.maps[0].halves[1] : data.maps[0].halves[0];
    const items = [];
    for (let level = half.level; level <= Math.max(state.level, half.level); level += 1) {
      const base = baseOf(half, state.va, level);
      const bytes = level === half.level ? 1n << BigInt(half.bits) : entryBytes(level - 1);
      const words = level === half.level ? `${half.name}, ${size(bytes)}` : `[${indexAt(state.va, level - 1)}] ${size(bytes)}`;
      const is = level === Math.max(state.level, half.level);
      items.push(make("li", {}, make("button", { type: "button", title: `level ${level} from ${hex(base)}`, "aria-current": is ? "true" : null, onclick: () => go(state.va, level) }, words)));
    }
    items.push(make("li", {}, make("button", { type: "button", onclick: () => go(other.first, other.level) }, `to the ${other.name}`)));
    path.replaceChildren(...items);
    document.getElementById("up").disabled = state.level <= half.level;
  };

  const kindKey = (bits, level) => {
    const low = Number(bits & 3n);
    if ((low & 1) === 0) return "invalid";
    if (low === 3) return level === 3 ? "page" : "table";
    return level === 1 ? "block1" : level === 2 ? "block2" : "reserved";
  };
  const descriptor = (map, bits, level) => {
    const strip = make("div", { class: "bits", "aria-hidden": "true" });
    const body = make("tbody");
    for (const [high, low, name, meaning] of data.fields[kindKey(bits, level)]) {
      const width = BigInt(high - low + 1);
      const value = bits >> BigInt(low) & ((1n << width) - 1n);
      const digits = value.toString(2).padStart(high - low + 1, "0");
      let words = meaning;
      let shown = width > 8n ? hex(value, 1) : digits;
      if (Array.isArray(meaning)) words = meaning[Number(value)];
      else if (meaning === 0) { words = hex(value << BigInt(low), 12); }
      else if (meaning === 1) words = `${map.types[Number(value)][0]} (MAIR_EL1 byte ${value})`;
      const place = high === low ? `${high}` : `${high}:${low}`;
      strip.append(make("span", { class: value === 0n ? "" : "set", title: `${name} [${place}]: ${words}` }, width > 12n ? hex(value, 1) : digits));
      body.append(make("tr", { class: value === 0n ? "" : "now" }, make("td", {}, place), make("td", {}, name), make("td", {}, make("code", {}, shown)), make("td", {}, words)));
    }
    const heads = ["bits", "field", "value", "meaning"].map((head) => make("th", { scope: "col" }, head));
    return [strip, make("table", {}, make("caption", { class: "sr" }, "The fields of the descriptor"), make("thead", {}, make("tr", {}, ...heads)), body)];
  };

  const nameOf = (va) => {
    const index = before(symbols, va);
    const symbol = symbols[index];
    const inside = symbol && (va < symbol.va + symbol.bytes || (symbol.bytes === 0n && va === symbol.va));
    if (!inside) return "";
    return va === symbol.va ? symbol.name : `${symbol.name}+${hex(va - symbol.va, 1)}`;
  };
  const within = (from, end) => {
    const first = before(symbols, from - 1n) + 1;
    const last = before(symbols, end - 1n);
    return symbols.slice(first, last + 1);
  };

  const side = (map, which, va) => {
    const box = make("div", { class: "side" }, make("h3", {}, map.name));
    const half = halfOf(map, va);
    if (half.refusal) { box.append(make("p", { class: "none" }, half.refusal)); return box; }
    const steps = walk(map, va);
    const list = make("ol", { "aria-label": `The walk in the ${map.name} map` });
    const wanted = state.shown[which];
    const chosen = steps.find((step) => step.level === wanted) ?? steps[steps.length - 1];
    for (const step of steps) {
      const words = step.kind === "table" ? `table at ${hex(step.below.pa, 8)}`
        : step.kind === "leaf" ? `${step.level === 3 ? "page" : "block"} at ${hex(step.bits & ADDRESS, 8)}`
        : step.kind === "broken" ? "a table that cannot be followed" : step.kind;
      list.append(make("li", {}, make("button", { type: "button", "aria-pressed": step === chosen ? "true" : "false",
        onclick: () => { state.shown[which] = step.level; drawInspector(va); } },
        make("code", {}, `L${step.level}[${String(step.index).padStart(3, " ")}]`), make("code", {}, step.bits === null ? "?" : hex(step.bits)), words)));
    }
    box.append(list);
    const last = steps[steps.length - 1];
    if (last?.kind === "leaf") {
      const piece = last.piece;
      const effect = make("p", { class: "effect" });
      const target = (last.bits & ADDRESS) + va % entryBytes(last.level);
      effect.append(make("span", { class: `chip ${piece.rights} ${piece.type}` }, rightsWords(piece)), ` ${typeOf(map, last.bits)}, ${hex(va)} → ${hex(target, 8)}`);
      if (piece.limits) effect.append(make("br"), `taken away above: ${piece.limits}`);
      box.append(effect);
    } else box.append(make("p", { class: "effect" }, "unmapped: an access faults"));
    if (chosen && chosen.bits !== null) {
      box.append(make("h4", { class: "sr" }, "Descriptor"), ...descriptor(map, chosen.bits, chosen.level));
    }
    for (const found of map.found) {
      const piece = pieceAt(map, va);
      if (piece && found.at.some((at) => piece.va <= at && at < piece.end)) box.append(make("p", { class: "bad" }, `${found.severity}: ${found.kind}. ${found.what}`));
    }
    return box;
  };
  const drawInspector = (va) => {
    const names = [...new Set(data.maps.map((map) => pieceAt(map, va)?.name).filter(Boolean))];
    const symbol = nameOf(va);
    const level = Math.max(state.level, halfOf(data.maps[0], va).level);
    const inside = level === 3 ? within(va - va % 4096n, va - va % 4096n + 4096n) : [];
    const split = make("div", { class: "split", "aria-label": "The address in parts" });
    const parts = [["63:48", "half", hex(va >> 48n, 4)], ["47:39", "level 0", indexAt(va, 0)], ["38:30", "level 1", indexAt(va, 1)], ["29:21", "level 2", indexAt(va, 2)], ["20:12", "level 3", indexAt(va, 3)], ["11:0", "offset", hex(va % 4096n, 3)]];
    for (const [bits, what, value] of parts) split.append(make("div", {}, make("b", {}, String(value)), make("small", {}, `${what} [${bits}]`)));
    const change = changes.find((one) => one.va <= va && va <= one.last);
    const box = document.getElementById("inspector");
    box.replaceChildren(
      make("div", { class: "va" }, make("code", {}, hex(va)), make("span", {}, [names.join(" / "), symbol].filter(Boolean).join(", "))),
      split,
      ...(change ? [make("p", { class: "effect" }, make("b", {}, `${change.kind}: `), change.what)] : []),
      make("div", { class: "sides" }, ...data.maps.map((map, which) => side(map, which, va))),
    );
    if (inside.length > 0) {
      const items = inside.slice(0, 60).map((one) => make("li", {}, make("code", {}, hex(one.va)), ` ${one.name}`));
      box.append(make("details", {}, make("summary", {}, `${inside.length} symbols in this page`), make("ul", {}, ...items)));
    }
    for (const button of document.querySelectorAll(".atlas .piece")) {
      const from = number(button.dataset.va);
      button.classList.toggle("here", data.maps.some((map) => pieceAt(map, va)?.va === from));
    }
  };

  const draw = () => {
    columns = measure();
    drawPath();
    document.getElementById("grids").replaceChildren(...data.maps.map(drawGrid));
    drawInspector(state.va);
  };
  // To an address that is translated, in the table of `level`.
  const go = (va, level, keep = true) => {
    const half = halfOf(data.maps[0], va);
    state.va = va;
    state.level = Math.max(half.level, Math.min(3, level));
    state.shown = data.maps.map(() => null);
    if (keep) history.replaceState(null, "", `#va=${hex(va)}&level=${state.level}${colour === "rights" ? "" : "&colour=type"}`);
    draw();
  };
  const isTranslated = (va) => va >> 63n === 0n ? va >> 48n === 0n : va >> 48n === 0xffffn;
  const levelFor = (va) => Math.max(...data.maps.map((map) => walk(map, va).at(-1)?.level ?? 0));
  const goTo = (va) => { go(va, levelFor(va)); };

  const parse = (text) => {
    const digits = text.trim().toLowerCase().replace(/^0x/, "").replace(/[_\s]/g, "");
    return /^[0-9a-f]{1,16}$/.test(digits) ? BigInt("0x" + digits) : null;
  };
  const find = (text) => {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const found = [];
    const va = parse(wanted);
    if (va !== null && isTranslated(va)) found.push({ name: nameOf(va) || "address", va });
    const areas = new Map();
    for (const map of data.maps) for (const piece of map.pieces) {
      if (piece.name.toLowerCase().includes(wanted)) areas.set(piece.va, piece.name);
    }
    for (const [at, name] of areas) found.push({ name, va: at });
    const rank = (symbol) => {
      const name = symbol.name.toLowerCase();
      return name === wanted ? 0 : name.endsWith("::" + wanted) ? 1 : name.startsWith(wanted) ? 2 : 3;
    };
    const matches = symbols.filter((symbol) => symbol.name.toLowerCase().includes(wanted));
    matches.sort((a, b) => rank(a) - rank(b) || a.name.length - b.name.length);
    const exact = matches.filter((symbol) => rank(symbol) === 0).map(({ name, va: at }) => ({ name, va: at }));
    const rest = matches.filter((symbol) => rank(symbol) > 0).map(({ name, va: at }) => ({ name, va: at }));
    return [...exact, ...found, ...rest].filter((one) => isTranslated(one.va)).slice(0, 40);
  };
  const input = document.getElementById("search");
  const results = document.getElementById("results");
  let picked = -1;
  const showResults = () => {
    const found = find(input.value);
    picked = found.length > 0 ? 0 : -1;
    results.replaceChildren(...found.map((one, index) => make("li", { role: "option", id: `result-${index}`, "data-va": one.va.toString(16), "aria-selected": index === 0 ? "true" : "false", onmousedown: (event) => { event.preventDefault(); take(one.va); } }, make("span", {}, one.name), make("code", {}, hex(one.va)))));
    if (found.length === 0 && input.value.trim()) results.append(make("li", { role: "option", "aria-disabled": "true" }, "nothing of that name, and no address of a half"));
    const open = input.value.trim() !== "";
    results.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    input.setAttribute("aria-activedescendant", picked >= 0 ? `result-${picked}` : "");
  };
  const pick = (index) => {
    const items = [...results.children];
    if (items.length === 0) return;
    picked = (index + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === picked)));
    items[picked].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[picked].id);
  };
  const take = (va) => {
    results.hidden = true;
    input.setAttribute("aria-expanded", "false");
    goTo(va);
    focusGrid(data.maps.length - 1);
    document.getElementById("explorer").scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("input", showResults);
  input.addEventListener("blur", () => { results.hidden = true; input.setAttribute("aria-expanded", "false"); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") pick(picked + 1);
    else if (event.key === "ArrowUp") pick(picked - 1);
    else if (event.key === "Enter" && results.children[picked]?.dataset.va) take(number(results.children[picked].dataset.va));
    else if (event.key === "Escape") { results.hidden = true; input.setAttribute("aria-expanded", "false"); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); input.focus(); input.select(); }
  });

  const setColour = (name) => {
    colour = name;
    document.documentElement.dataset.colour = name;
    for (const button of document.querySelectorAll("[data-colour-to]")) button.setAttribute("aria-pressed", String(button.dataset.colourTo === name));
  };
  const setTheme = (name) => {
    if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-to]")) button.setAttribute("aria-pressed", String(button.dataset.themeTo === name));
  };
  for (const button of document.querySelectorAll("[data-colour-to]")) button.addEventListener("click", () => { setColour(button.dataset.colourTo); go(state.va, state.level); });
  for (const button of document.querySelectorAll("[data-theme-to]")) button.addEventListener("click", () => setTheme(button.dataset.themeTo));
  document.getElementById("up").addEventListener("click", zoomOut);

  // The atlas: one stop of the Tab key for each half, arrow keys within.
  for (const atlas of document.querySelectorAll(".atlas")) {
    const pieces = [...atlas.querySelectorAll(".piece")];
    pieces.forEach((piece, index) => { piece.tabIndex = index === 0 ? 0 : -1; });
    const to = (piece) => {
      pieces.forEach((other) => { other.tabIndex = other === piece ? 0 : -1; });
      piece.focus();
    };
    const near = (piece, dx, dy) => {
      const from = piece.getBoundingClientRect();
      let best = null;
      for (const other of pieces) {
        const box = other.getBoundingClientRect();
        const ahead = dx ? (box.left - from.left) * dx : box.left === from.left ? (box.top - from.top) * dy : -1;
        const away = dx ? Math.abs(box.top - from.top) : ahead;
        if (ahead > 1 && (!best || away < best.away)) best = { other, away };
      }
      return best?.other;
    };
    atlas.addEventListener("keydown", (event) => {
      const [dx, dy] = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key] ?? [0, 0];
      const next = (dx || dy) && event.target.closest(".piece") ? near(event.target.closest(".piece"), dx, dy) : null;
      if (next) { event.preventDefault(); to(next); }
    });
    for (const piece of pieces) {
      const va = number(piece.dataset.va);
      piece.addEventListener("click", () => { pieces.forEach((other) => { other.tabIndex = other === piece ? 0 : -1; }); goTo(va); });
      piece.addEventListener("pointerenter", () => drawInspector(va));
      piece.addEventListener("focus", () => drawInspector(va));
      piece.addEventListener("pointerleave", () => drawInspector(state.va));
    }
  }

  const fromHash = () => {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (wanted.get("colour") === "type") setColour("type");
    if (wanted.has("theme")) setTheme(wanted.get("theme"));
    if (wanted.has("search")) { input.value = wanted.get("search"); showResults(); const first = find(input.value)[0]; if (first) take(first.va); return true; }
    const va = parse(wanted.get("va") ?? "");
    if (va === null || !isTranslated(va)) return false;
    const level = wanted.get("level");
    go(va, level === null ? levelFor(va) : Number(level), false);
    return true;
  };
  window.addEventListener("hashchange", fromHash);
  window.addEventListener("resize", () => { if (measure() !== columns) draw(); });
  if (!fromHash()) {
    const map = data.maps[data.maps.length - 1];
    const text = map.pieces.find((piece) => piece.el1.includes("x")) ?? map.pieces[0];
    if (text) go(text.va, text.level, false); else go(0n, 0, false);
  }
  document.documentElement.dataset.ready = "true";
})();
