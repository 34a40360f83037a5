// The inspector: the walk of one address in every map, and each descriptor bit by bit.
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
    const value = (bits >> BigInt(low)) & ((1n << width) - 1n);
    const digits = value.toString(2).padStart(high - low + 1, "0");
    let words = meaning;
    let shown = width > 8n ? hex(value, 1) : digits;
    if (Array.isArray(meaning)) words = meaning[Number(value)];
    else if (meaning === 0) {
      words = hex(value << BigInt(low), 12);
    } else if (meaning === 1) words = `${map.types[Number(value)][0]} (MAIR_EL1 byte ${value})`;
    const place = high === low ? `${high}` : `${high}:${low}`;
    strip.append(
      make(
        "span",
        { class: value === 0n ? "" : "set", title: `${name} [${place}]: ${words}` },
        width > 12n ? hex(value, 1) : digits,
      ),
    );
    body.append(
      make(
        "tr",
        { class: value === 0n ? "" : "now" },
        make("td", {}, place),
        make("td", {}, name),
        make("td", {}, make("code", {}, shown)),
        make("td", {}, words),
      ),
    );
  }
  const heads = ["bits", "field", "value", "meaning"].map((head) =>
    make("th", { scope: "col" }, head),
  );
  return [
    strip,
    make(
      "table",
      {},
      make("caption", { class: "sr" }, "The fields of the descriptor"),
      make("thead", {}, make("tr", {}, ...heads)),
      body,
    ),
  ];
};

const side = (map, which, va) => {
  const box = make("div", { class: "side" }, make("h3", {}, map.name));
  const half = halfOf(map, va);
  if (half.refusal) {
    box.append(make("p", { class: "none" }, half.refusal));
    return box;
  }
  const steps = walk(map, va);
  const list = make("ol", { "aria-label": `The walk in the ${map.name} map` });
  const wanted = state.shown[which];
  const chosen = steps.find((step) => step.level === wanted) ?? steps[steps.length - 1];
  for (const step of steps) {
    const words =
      step.kind === "table"
        ? `table at ${hex(step.below.pa, 8)}`
        : step.kind === "leaf"
          ? `${step.level === 3 ? "page" : "block"} at ${hex(step.bits & ADDRESS, 8)}`
          : step.kind === "broken"
            ? "a table that cannot be followed"
            : step.kind;
    list.append(
      make(
        "li",
        {},
        make(
          "button",
          {
            type: "button",
            "aria-pressed": step === chosen ? "true" : "false",
            onclick: () => {
              state.shown[which] = step.level;
              drawInspector(va);
            },
          },
          make("code", {}, `L${step.level}[${String(step.index).padStart(3, " ")}]`),
          make("code", {}, step.bits === null ? "?" : hex(step.bits)),
          words,
        ),
      ),
    );
  }
  box.append(list);
  const last = steps[steps.length - 1];
  if (last?.kind === "leaf") {
    const piece = last.piece;
    const effect = make("p", { class: "effect" });
    const target = (last.bits & ADDRESS) + (va % entryBytes(last.level));
    effect.append(
      make("span", { class: `chip ${piece.rights} ${piece.type}` }, rightsWords(piece)),
      ` ${typeOf(map, last.bits)}, ${hex(va)} → ${hex(target, 8)}`,
    );
    if (piece.limits) effect.append(make("br"), `taken away above: ${piece.limits}`);
    box.append(effect);
  } else box.append(make("p", { class: "effect" }, "unmapped: an access faults"));
  if (chosen && chosen.bits !== null) {
    box.append(
      make("h4", { class: "sr" }, "Descriptor"),
      ...descriptor(map, chosen.bits, chosen.level),
    );
  }
  for (const found of map.found) {
    const piece = pieceAt(map, va);
    if (piece && found.at.some((at) => piece.va <= at && at < piece.end))
      box.append(make("p", { class: "bad" }, `${found.severity}: ${found.kind}. ${found.what}`));
  }
  return box;
};
const drawInspector = (va) => {
  const names = [...new Set(data.maps.map((map) => pieceAt(map, va)?.name).filter(Boolean))];
  const symbol = nameOf(va);
  const level = Math.max(state.level, halfOf(data.maps[0], va).level);
  const inside = level === 3 ? within(va - (va % 4096n), va - (va % 4096n) + 4096n) : [];
  const split = make("div", { class: "split", "aria-label": "The address in parts" });
  const parts = [
    ["63:48", "half", hex(va >> 48n, 4)],
    ["47:39", "level 0", indexAt(va, 0)],
    ["38:30", "level 1", indexAt(va, 1)],
    ["29:21", "level 2", indexAt(va, 2)],
    ["20:12", "level 3", indexAt(va, 3)],
    ["11:0", "offset", hex(va % 4096n, 3)],
  ];
  for (const [bits, what, value] of parts)
    split.append(
      make("div", {}, make("b", {}, String(value)), make("small", {}, `${what} [${bits}]`)),
    );
  const change = changes.find((one) => one.va <= va && va <= one.last);
  const box = document.getElementById("inspector");
  box.replaceChildren(
    make(
      "div",
      { class: "va" },
      make("code", {}, hex(va)),
      make("span", {}, [names.join(" / "), symbol].filter(Boolean).join(", ")),
    ),
    split,
    ...(change
      ? [make("p", { class: "effect" }, make("b", {}, `${change.kind}: `), change.what)]
      : []),
    make("div", { class: "sides" }, ...data.maps.map((map, which) => side(map, which, va))),
  );
  if (inside.length > 0) {
    const items = inside
      .slice(0, 60)
      .map((one) => make("li", {}, make("code", {}, hex(one.va)), ` ${one.name}`));
    box.append(
      make(
        "details",
        {},
        make("summary", {}, `${inside.length} symbols in this page`),
        make("ul", {}, ...items),
      ),
    );
  }
  for (const button of document.querySelectorAll(".atlas .piece")) {
    const from = number(button.dataset.va);
    button.classList.toggle(
      "here",
      data.maps.some((map) => pieceAt(map, va)?.va === from),
    );
  }
};
