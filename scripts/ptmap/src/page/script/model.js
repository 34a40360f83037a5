// The data of the page, and lookups in it: the entry for an address, the address of a name.
// Addresses are BigInt, because they have 64 bits.
const data = JSON.parse(document.getElementById("data").textContent);
const number = (hex) => BigInt("0x" + hex);
const hex = (value, digits = 16) => "0x" + value.toString(16).padStart(digits, "0");
const entryBytes = (level) => 1n << BigInt(39 - 9 * level);
const indexAt = (va, level) => Number((va >> BigInt(39 - 9 * level)) & 511n);
const ADDRESS = 0x0000fffffffff000n;
const LEAF = ["", "1 GiB", "2 MiB", "4 KiB"];
const LETTER = {
  "r-rx": "x",
  "r-ro": "r",
  "r-rw": "w",
  "r-wx": "!",
  "r-no": "–",
  "t-wb": "c",
  "t-nc": "n",
  "t-oc": "o",
  "t-de": "d",
  "t-ds": "D",
  "t-re": "?",
};

const size = (bytes) => {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let scaled = Number(bytes);
  while (scaled >= 1024 && unit < 4) {
    scaled /= 1024;
    unit += 1;
  }
  return `${Math.floor(scaled * 10) / 10} ${units[unit]}`;
};

for (const map of data.maps) {
  map.pieces = map.pieces.map(([va, bytes, level, bits, el1, el0, limits, rights, type, name]) => ({
    va: number(va),
    end: number(va) + number(bytes),
    level,
    bits: number(bits),
    el1,
    el0,
    limits,
    rights,
    type,
    name,
  }));
  map.found = map.findings.map(([kind, severity, va, other, what]) => ({
    kind,
    severity,
    what,
    at: other === null ? [number(va)] : [number(va), number(other)],
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
const symbols = data.symbols.map(([va, bytes, name]) => ({
  va: number(va),
  bytes: BigInt(bytes),
  name,
}));
const changes = data.changes.map(([va, last, kind, what]) => ({
  va: number(va),
  last: number(last),
  kind,
  what,
}));

// The index of the last item that begins at or before an address.
const before = (items, va) => {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].va <= va) low = middle + 1;
    else high = middle;
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
const halfOf = (map, va) => map.halves[Number((va >> 63n) & 1n)];
const baseOf = (half, va, level) => {
  // The first address that the table of `level` for `va` translates.
  if (level <= half.level) return half.first;
  return va - (va % entryBytes(level - 1));
};
const tableAt = (half, va, level) =>
  half.byPlace.get(`${level} ${baseOf(half, va, level).toString(16)}`);
const letterOf = (table, index) => {
  if (!table.letters)
    table.letters = table.cells.replace(/(.)(\d+)/g, (_, letter, count) =>
      letter.repeat(Number(count)),
    );
  return table.letters[index] ?? "-";
};

const usedOf = (table) => {
  let used = 0;
  for (const [, letter, count] of table.cells.matchAll(/(.)(\d+)/g)) {
    if (letter !== "-") used += Number(count);
  }
  return used;
};

// The entry of a map's table of `level` for `va`: its kind, and as far as known its table, index,
// place and bits.
const entryAt = (map, va, level) => {
  const half = halfOf(map, va);
  if (half.refusal) return { kind: "off" };
  const piece = pieceAt(map, va);
  const table = tableAt(half, va, level);
  if (!table) return piece && piece.level < level ? { kind: "inside", piece } : { kind: "none" };
  const index =
    half.level === level ? Number((va - half.first) / entryBytes(level)) : indexAt(va, level);
  const at = table.pa + 8n * BigInt(index);
  const letter = letterOf(table, index);
  if (letter === "t") {
    const below = half.byPlace.get(`${level + 1} ${(va - (va % entryBytes(level))).toString(16)}`);
    return {
      kind: below ? "table" : "broken",
      table,
      below,
      index,
      at,
      bits: below ? below.bits : null,
    };
  }
  if (piece && piece.level === level && letter !== "-") {
    const offset = va - (va % entryBytes(level)) - piece.va;
    return {
      kind: "leaf",
      table,
      index,
      at,
      piece,
      bits: piece.bits + offset,
      contiguous: letter === "c",
    };
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
const nameOf = (va) => {
  const index = before(symbols, va);
  const symbol = symbols[index];
  const inside =
    symbol && (va < symbol.va + symbol.bytes || (symbol.bytes === 0n && va === symbol.va));
  if (!inside) return "";
  return va === symbol.va ? symbol.name : `${symbol.name}+${hex(va - symbol.va, 1)}`;
};
const within = (from, end) => {
  const first = before(symbols, from - 1n) + 1;
  const last = before(symbols, end - 1n);
  return symbols.slice(first, last + 1);
};

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
  for (const map of data.maps)
    for (const piece of map.pieces) {
      if (piece.name.toLowerCase().includes(wanted)) areas.set(piece.va, piece.name);
    }
  for (const [at, name] of areas) found.push({ name, va: at });
  // The number as a physical address: every page whose frame it is in.
  if (va !== null)
    for (const piece of data.maps[data.maps.length - 1].pieces) {
      const frame = piece.bits & ADDRESS;
      if (frame <= va && va < frame + piece.end - piece.va)
        found.push({ name: `frame of ${piece.name || "unnamed"}`, va: piece.va + va - frame });
    }
  const rank = (symbol) => {
    const name = symbol.name.toLowerCase();
    return name === wanted ? 0 : name.endsWith("::" + wanted) ? 1 : name.startsWith(wanted) ? 2 : 3;
  };
  const matches = symbols.filter((symbol) => symbol.name.toLowerCase().includes(wanted));
  matches.sort((a, b) => rank(a) - rank(b) || a.name.length - b.name.length);
  const exact = matches
    .filter((symbol) => rank(symbol) === 0)
    .map(({ name, va: at }) => ({ name, va: at }));
  const rest = matches
    .filter((symbol) => rank(symbol) > 0)
    .map(({ name, va: at }) => ({ name, va: at }));
  return [...exact, ...found, ...rest].filter((one) => isTranslated(one.va)).slice(0, 40);
};
