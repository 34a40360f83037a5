// Tools of the steps: keys and clicks, and texts of the page.
"use strict";
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
document.addEventListener("securitypolicyviolation", (event) =>
  errors.push(`${event.violatedDirective} ${event.blockedURI}`),
);
const lines = [];
const note = (what) => lines.push(String(what));
const text = (selector) => document.querySelector(selector)?.textContent ?? `no ${selector}`;
const shown = () => text("#inspector .va code");
const level = () => document.querySelectorAll("#path li").length - 2;
const press = (key) =>
  document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
  );
const focus = (selector) => document.querySelector(selector).focus();
const click = (selector) => document.querySelector(selector).click();
const type = (words) => {
  const input = document.getElementById("search");
  input.focus();
  input.value = words;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
const parts = (colour) => {
  const found = colour.match(/[\d.]+/g).map(Number);
  return found.length > 3 ? found : [...found, 1];
};
const luminance = (colour) => {
  const [red, green, blue] = colour.slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
// The contrast of two colours, at least 1 (WCAG 2.1, "contrast ratio").
const contrast = (one, other) => {
  const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
};
// Cells whose corner, the mark of a difference, has a contrast below 3 to 1 (WCAG 2.1, 1.4.11).
const pale = () => {
  const found = new Set();
  for (const cell of document.querySelectorAll(".cell.differs:not(.table, .broken, .software)")) {
    const corner = getComputedStyle(cell, "::after").borderTopColor;
    const ratio = contrast(parts(corner), parts(getComputedStyle(cell).backgroundColor));
    if (ratio < 3) found.add(`${cell.className} ${ratio.toFixed(1)}`);
  }
  return [...found];
};
// Elements whose text has a contrast below 4.5 to 1 (WCAG 2.1, 1.4.3).
const faint = () => {
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent.trim(),
    );
    if (
      !own ||
      element.closest(":disabled, .sr, [hidden], script, noscript") ||
      element.getClientRects().length === 0
    )
      continue;
    const ratio = contrast(parts(getComputedStyle(element).color), behind(element));
    if (ratio < 4.5) found.add(`${element.tagName}.${element.className} ${ratio.toFixed(1)}`);
  }
  return [...found];
};
const run = (step) => {
  window.focus();
  try {
    step();
  } catch (error) {
    note(`failed: ${error.message}`);
  }
  parent.postMessage(lines.join("\n"), "*");
};
