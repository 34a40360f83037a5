// The grid: one table of 512 entries of every map.
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

let colour = "rights";
const state = { va: 0n, level: 3, shown: data.maps.map(() => null) };
const fill = (name) => `var(--${name.slice(2)})`;

const distinct = (map, from, end) => {
  // The classes of the pieces between two addresses, at most four.
  const seen = new Map();
  let index = Math.max(0, before(map.pieces, from));
  while (index < map.pieces.length && map.pieces[index].va < end && seen.size < 4) {
    const piece = map.pieces[index];
    if (piece.end > from) seen.set(colour === "rights" ? piece.rights : piece.type, piece);
    index += 1;
  }
  return [...seen.keys()];
};

const rightsWords = (piece) => (piece.el0 === "---" ? piece.el1 : `${piece.el1}, EL0 ${piece.el0}`);
const typeOf = (map, bits) => map.types[Number((bits >> 2n) & 7n)][0];
const describe = (map, entry, va, level) => {
  const place = `${hex(va)}, ${size(entryBytes(level))}`;
  switch (entry.kind) {
    case "table":
      return (
        `entry ${entry.index}: table at ${hex(entry.below.pa, 8)}, ` +
        `${usedOf(entry.below)} entries used; ${place}`
      );
    case "leaf": {
      const leaf = level === 3 ? "page" : "block";
      const frame = hex(entry.bits & ADDRESS, 8);
      const what = [rightsWords(entry.piece), typeOf(map, entry.bits)];
      if (entry.contiguous) what.push("contiguous");
      const name = entry.piece.name || "unnamed";
      return `entry ${entry.index}: ${name}, ${leaf} at ${frame}, ${what.join(", ")}; ${place}`;
    }
    case "inside":
      return `part of a ${LEAF[entry.piece.level]} block, ${rightsWords(entry.piece)}; ${place}`;
    case "unused":
      return `entry ${entry.index}: unused; ${place}`;
    case "broken":
      return `entry ${entry.index}: a table that cannot be followed; ${place}`;
    case "none":
      return `no table here; ${place}`;
    case "off":
      return `not translated; ${place}`;
    default:
      return `entry ${entry.index}: ${entry.kind}; ${place}`;
  }
};

// The cells in a row: 32 where there is room, else 16.
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
    caption = `table at ${hex(table.pa, 8)}, ${usedOf(table)} of ${count} used`;
  }
  const box = make("div", {}, make("h3", {}, map.name, make("small", {}, caption)));
  if (half.refusal) {
    box.append(make("p", { class: "none" }, half.refusal));
    return box;
  }
  const grid = make("div", {
    class: `grid of-${columns}`,
    role: "grid",
    "aria-label": `${map.name} map, level ${level} from ${hex(base)}`,
  });
  let row = null;
  for (let index = 0; index < count; index += 1) {
    if (index % columns === 0) {
      row = make("div", { role: "row" });
      grid.append(row);
    }
    const va = base + BigInt(index) * step;
    const entry = entryAt(map, va, level);
    const cell = make("span", {
      role: "gridcell",
      class: "cell",
      tabindex: -1,
      "data-at": va.toString(16),
      "aria-label": describe(map, entry, va, level),
    });
    cell.title = describe(map, entry, va, level);
    if (entry.kind === "leaf" || entry.kind === "inside") {
      cell.classList.add("leaf", entry.piece.rights, entry.piece.type);
      if (entry.kind === "inside") cell.classList.add("inside");
      else cell.textContent = LETTER[colour === "rights" ? entry.piece.rights : entry.piece.type];
      if (entry.contiguous)
        cell.classList.add(
          "contig",
          ...(index % 16 === 0 ? ["starts"] : index % 16 === 15 ? ["ends"] : []),
        );
      if (entry.piece.el0 !== "---") cell.classList.add("user");
    } else if (entry.kind === "table") {
      cell.classList.add("table");
      const names = distinct(map, va, va + step);
      if (names.length > 0) {
        const part = 100 / names.length;
        const stops = names.map((name, at) => `${fill(name)} ${at * part}% ${(at + 1) * part}%`);
        cell.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
      }
    } else if (entry.kind !== "unused" && entry.kind !== "none") {
      cell.classList.add(entry.kind === "broken" ? "broken" : "software");
    }
    if (which > 0 && overlaps(changes, va, va + step)) cell.classList.add("differs");
    if (
      map.found.some(
        (found) => found.at.some((at) => va <= at && at < va + step) && found.severity === "fault",
      )
    )
      cell.classList.add("found");
    if (va <= state.va && state.va < va + step) {
      cell.classList.add("here");
      cell.tabIndex = 0;
      cell.setAttribute("aria-selected", "true");
    }
    row.append(cell);
  }
  grid.addEventListener("keydown", (event) => gridKey(event, grid));
  grid.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const again = cell.classList.contains("here");
    go(number(cell.dataset.at), level);
    if (again) zoomIn();
    else focusGrid(which);
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
  const moves = {
    ArrowLeft: here - 1,
    ArrowRight: here + 1,
    ArrowUp: here - columns,
    ArrowDown: here + columns,
    Home: here - (here % columns),
    End: here - (here % columns) + columns - 1,
  };
  if (event.altKey || event.metaKey) return;
  if (event.key in moves) {
    const next =
      cells[
        event.ctrlKey && event.key === "Home"
          ? 0
          : event.ctrlKey && event.key === "End"
            ? cells.length - 1
            : moves[event.key]
      ];
    if (next) {
      go(number(next.dataset.at), level);
      focusGrid(which);
    }
  } else if (event.key === "Enter" || event.key === "+") {
    zoomIn();
    focusGrid(which);
  } else if (event.key === "Backspace" || event.key === "-") {
    zoomOut();
    focusGrid(which);
  } else if ((event.key === "PageUp" || event.key === "PageDown") && level > half.level) {
    const next = event.key === "PageUp" ? state.va - whole : state.va + whole;
    if (next >= half.first && next < half.first + (1n << BigInt(half.bits))) {
      go(next, level);
      focusGrid(which);
    }
  } else return;
  event.preventDefault();
};
const zoomIn = () => {
  if (state.level < 3) go(state.va, state.level + 1);
};
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
    const words =
      level === half.level
        ? `${half.name}, ${size(bytes)}`
        : `[${indexAt(state.va, level - 1)}] ${size(bytes)}`;
    const is = level === Math.max(state.level, half.level);
    items.push(
      make(
        "li",
        {},
        make(
          "button",
          {
            type: "button",
            title: `level ${level} from ${hex(base)}`,
            "aria-current": is ? "true" : null,
            onclick: () => go(state.va, level),
          },
          words,
        ),
      ),
    );
  }
  items.push(
    make(
      "li",
      {},
      make(
        "button",
        { type: "button", onclick: () => go(other.first, other.level) },
        `to the ${other.name}`,
      ),
    ),
  );
  path.replaceChildren(...items);
  document.getElementById("up").disabled = state.level <= half.level;
};
