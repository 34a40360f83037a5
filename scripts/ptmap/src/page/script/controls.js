// Ways to an address: search, links, keys, the atlas. Switches of colours and themes.
const draw = () => {
  columns = measure();
  drawPath();
  document.getElementById("grids").replaceChildren(...data.maps.map(drawGrid));
  drawInspector(state.va);
};
// Shows a translated address, in its table of `level`.
const go = (va, level, keep = true) => {
  const half = halfOf(data.maps[0], va);
  state.va = va;
  state.level = Math.max(half.level, Math.min(3, level));
  state.shown = data.maps.map(() => null);
  if (keep)
    history.replaceState(
      null,
      "",
      `#va=${hex(va)}&level=${state.level}${colour === "rights" ? "" : "&colour=type"}`,
    );
  draw();
};
const isTranslated = (va) => (va >> 63n === 0n ? va >> 48n === 0n : va >> 48n === 0xffffn);
const levelFor = (va) => Math.max(...data.maps.map((map) => walk(map, va).at(-1)?.level ?? 0));
const goTo = (va) => {
  go(va, levelFor(va));
};

const input = document.getElementById("search");
const results = document.getElementById("results");
let picked = -1;
const showResults = () => {
  const found = find(input.value);
  picked = found.length > 0 ? 0 : -1;
  results.replaceChildren(
    ...found.map((one, index) =>
      make(
        "li",
        {
          role: "option",
          id: `result-${index}`,
          "data-va": one.va.toString(16),
          "aria-selected": index === 0 ? "true" : "false",
          onmousedown: (event) => {
            event.preventDefault();
            take(one.va);
          },
        },
        make("span", {}, one.name),
        make("code", {}, hex(one.va)),
      ),
    ),
  );
  if (found.length === 0 && input.value.trim())
    results.append(
      make(
        "li",
        { role: "option", "aria-disabled": "true" },
        "nothing of that name, and no address of a half",
      ),
    );
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
// In a narrow window the explorer is below the atlas, and is scrolled to.
const reveal = () => {
  focusGrid(data.maps.length - 1);
  if (innerWidth < 1150) document.getElementById("explorer").scrollIntoView();
};
const take = (va) => {
  results.hidden = true;
  input.setAttribute("aria-expanded", "false");
  goTo(va);
  reveal();
};
input.addEventListener("input", showResults);
input.addEventListener("blur", () => {
  results.hidden = true;
  input.setAttribute("aria-expanded", "false");
});
input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") pick(picked + 1);
  else if (event.key === "ArrowUp") pick(picked - 1);
  else if (event.key === "Enter" && results.children[picked]?.dataset.va)
    take(number(results.children[picked].dataset.va));
  else if (event.key === "Escape") {
    results.hidden = true;
    input.setAttribute("aria-expanded", "false");
  } else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    input.focus();
    input.select();
  }
});

const setColour = (name) => {
  colour = name;
  document.documentElement.dataset.colour = name;
  for (const button of document.querySelectorAll("[data-colour-to]"))
    button.setAttribute("aria-pressed", String(button.dataset.colourTo === name));
};
const setTheme = (name) => {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll("[data-theme-to]"))
    button.setAttribute("aria-pressed", String(button.dataset.themeTo === name));
};
for (const button of document.querySelectorAll("[data-colour-to]"))
  button.addEventListener("click", () => {
    setColour(button.dataset.colourTo);
    go(state.va, state.level);
  });
for (const button of document.querySelectorAll("[data-theme-to]"))
  button.addEventListener("click", () => setTheme(button.dataset.themeTo));
document.getElementById("up").addEventListener("click", zoomOut);

// The atlas: each half is one stop of the Tab key, and arrow keys move within it.
for (const atlas of document.querySelectorAll(".atlas")) {
  const pieces = [...atlas.querySelectorAll(".piece")];
  pieces.forEach((piece, index) => {
    piece.tabIndex = index === 0 ? 0 : -1;
  });
  const to = (piece) => {
    pieces.forEach((other) => {
      other.tabIndex = other === piece ? 0 : -1;
    });
    piece.focus();
  };
  const near = (piece, dx, dy) => {
    const from = piece.getBoundingClientRect();
    let best = null;
    for (const other of pieces) {
      const box = other.getBoundingClientRect();
      const ahead = dx
        ? (box.left - from.left) * dx
        : box.left === from.left
          ? (box.top - from.top) * dy
          : -1;
      const away = dx ? Math.abs(box.top - from.top) : ahead;
      if (ahead > 1 && (!best || away < best.away)) best = { other, away };
    }
    return best?.other;
  };
  atlas.addEventListener("keydown", (event) => {
    const [dx, dy] = {
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
    }[event.key] ?? [0, 0];
    const next =
      (dx || dy) && event.target.closest(".piece")
        ? near(event.target.closest(".piece"), dx, dy)
        : null;
    if (next) {
      event.preventDefault();
      to(next);
    }
  });
  for (const piece of pieces) {
    const va = number(piece.dataset.va);
    piece.addEventListener("click", () => {
      pieces.forEach((other) => {
        other.tabIndex = other === piece ? 0 : -1;
      });
      goTo(va);
      reveal();
    });
    piece.addEventListener("pointerenter", () => drawInspector(va));
    piece.addEventListener("focus", () => drawInspector(va));
    piece.addEventListener("pointerleave", () => drawInspector(state.va));
  }
}

const fromHash = () => {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.get("colour") === "type") setColour("type");
  if (wanted.has("theme")) setTheme(wanted.get("theme"));
  if (wanted.has("search")) {
    input.value = wanted.get("search");
    showResults();
    const first = find(input.value)[0];
    if (first) take(first.va);
    return true;
  }
  const va = parse(wanted.get("va") ?? "");
  if (va === null || !isTranslated(va)) return false;
  const level = wanted.get("level");
  go(va, level === null ? levelFor(va) : Number(level), false);
  return true;
};
window.addEventListener("hashchange", () => {
  if (fromHash()) reveal();
});
window.addEventListener("resize", () => {
  if (measure() !== columns) draw();
});
if (!fromHash()) {
  const map = data.maps[data.maps.length - 1];
  const text = map.pieces.find((piece) => piece.el1.includes("x")) ?? map.pieces[0];
  if (text) go(text.va, text.level, false);
  else go(0n, 0, false);
}
document.documentElement.dataset.ready = "true";
