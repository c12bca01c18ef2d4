// What the page asks the server. URLs are relative: a proxy may have put a
// prefix before the console's.

export class Refused extends Error {
  constructor(status, name, message) {
    super(message);
    this.status = status;
    this.name = name;
  }
}

async function take(response) {
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy's own page: the status says enough.
  }
  throw new Refused(response.status, answer.error ?? "error", answer.message ?? `The server answers ${response.status}.`);
}

// Parameters without a value are left out.
export function queryOf(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(given).toString();
}

export async function ask(name, parameters = {}) {
  return take(await fetch(`api/${name}?${queryOf(parameters)}`, { cache: "no-store" }));
}

export async function change(name, body = {}) {
  return take(await fetch(`api/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CP-Webhook-Console": "1" },
    body: JSON.stringify(body),
  }));
}

// Calls back when deliveries have come, and once at its beginning; returns what
// ends it. A page that nobody sees holds no connection.
export function watch(onDeliveries, onState) {
  let source = null;
  const open = () => {
    source = new EventSource("api/live");
    source.addEventListener("deliveries", () => { onState(true); onDeliveries(); });
    source.addEventListener("end", () => { close(); onState(false); });
    source.onerror = () => onState(false);
  };
  const close = () => { source?.close(); source = null; };
  const look = () => {
    if (document.hidden) close();
    else if (source === null) open();
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => { document.removeEventListener("visibilitychange", look); close(); };
}

// The least id of an instant: ids begin with their time.
export function idAt(milliseconds) {
  const hex = Math.max(0, Math.round(milliseconds)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}

// The instant in an id.
export function instantOf(id) {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
