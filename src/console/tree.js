// JSON as a foldable tree. What is inside is made when it is opened, a hundred
// members at a time, so a large payload costs what is looked at.
import { h } from "./dom.js";

const STEP = 100;

class Digits {
  constructor(text) {
    this.text = text;
  }
}

// Numbers keep the digits that they were sent with, where the browser tells.
function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && context?.source !== undefined ? new Digits(context.source) : value);
}

function isInner(value) {
  return typeof value === "object" && value !== null && !(value instanceof Digits);
}

function textOf(value) {
  return value instanceof Digits ? value.text : JSON.stringify(value);
}

function members(value, parent, from) {
  const entries = Object.entries(value);
  for (const [key, member] of entries.slice(from, from + STEP)) parent.append(node(Array.isArray(value) ? `[${key}]` : key, member));
  const left = entries.length - from - STEP;
  if (left > 0) {
    const more = h("button", { type: "button", class: "leaf", onclick: () => { more.remove(); members(value, parent, from + STEP); } },
      `${left} more`);
    parent.append(more);
  }
}

function node(key, value, isOpen) {
  if (!isInner(value)) return h("div", { class: "leaf mono" }, h("span", { class: "soft" }, `${key}: `), textOf(value));
  const count = Object.keys(value).length;
  const shape = Array.isArray(value) ? `[${count}]` : `{${count}}`;
  const details = h("details", { open: isOpen }, h("summary", { class: "mono" }, h("span", { class: "soft" }, `${key}: `), shape));
  let isMade = false;
  const make = () => {
    if (isMade || !details.open) return;
    isMade = true;
    members(value, details, 0);
  };
  details.addEventListener("toggle", make);
  make();
  return details;
}

export function tree(text) {
  return h("div", { class: "tree" }, node("payload", parse(text), true));
}
