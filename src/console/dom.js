// Elements from values. What comes from outside is only ever made text: there
// is no innerHTML here, nor anything else that reads HTML.

export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const before = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

// An instant in the viewer's zone; the exact one, as it was sent, on hover.
export function time(text) {
  if (!text) return h("span", { class: "soft" }, "never");
  const instant = new Date(text);
  const isToday = instant.toDateString() === new Date().toDateString();
  return h("time", { datetime: text, title: text }, (isToday ? today : before).format(instant));
}

export function outcome(name) {
  return h("span", { class: `outcome ${name}` }, name);
}

// Rows of [label, value]; those without a value are left out.
export function facts(rows) {
  return h("dl", { class: "facts" }, rows
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]));
}

// A table of columns {label, class, cell(row)}.
export function table(caption, columns, rows) {
  return h("table", { class: "list", "aria-label": caption },
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class }, column.label)))),
    h("tbody", {}, rows.map((row) => tableRow(columns, row))));
}

export function tableRow(columns, row) {
  return h("tr", { "data-id": row.id }, columns.map((column) => {
    const cell = column.cell(row);
    const isEmpty = cell === null || cell === undefined || cell === "";
    return h("td", { "data-label": column.label, class: isEmpty ? "empty" : null, title: typeof cell === "string" ? cell : null }, cell);
  }));
}

export function notice(text, isBad) {
  return h("p", { class: isBad ? "notice bad" : "notice", role: isBad ? "alert" : null }, text);
}

export function say(text) {
  document.getElementById("status").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { document.getElementById("status").textContent = ""; }, 6000);
}

// A part of a view that may be refused alone: what the role may not see is said
// in its place, and the rest is there.
export async function part(element, work) {
  try {
    fill(element, await work());
  } catch (error) {
    if (error.status === 401) throw error;
    fill(element, notice(error.status === 403 ? `Your role may not see this: ${error.message}.` : error.message, error.status !== 403));
  }
}
