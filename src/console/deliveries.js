// Deliveries as a list: filtered, paged by id, and live as they come. However
// many come, the list shows the newest page and says how many there were.
import { ask, idAt, watch } from "./api.js";
import { fill, h, notice, outcome, table, tableRow, time } from "./dom.js";
import { OUTCOMES } from "./spark.js";

const COLUMNS = [
  { label: "Received", class: "when", cell: (row) => h("a", { href: `#/delivery/${row.id}` }, time(row.received_at)) },
  { label: "Outcome", class: "short", cell: (row) => outcome(row.outcome) },
  { label: "Webhook", class: "medium", cell: (row) => row.webhook },
  { label: "Event", class: "short", cell: (row) => row.event },
  { label: "Reason", cell: (row) => row.reason ?? (row.redelivery_of ? "a redelivery" : "") },
];
// What a question counts at most (of one webhook, of each outcome).
const COUNTED = 10000;
const COUNTED_OF_WEBHOOK = 200;

// The deliveries of a webhook, or of all. Returns [element, end].
export function deliveryList(webhook) {
  const columns = webhook ? COLUMNS.filter((column) => column.label !== "Webhook") : COLUMNS;
  const question = webhook ? "webhook_deliveries" : "deliveries";
  const list = table("Deliveries", columns, []);
  const body = list.querySelector("tbody");
  const bar = h("div", { class: "bar" });
  const problem = h("div");
  const count = h("span", { role: "status" });
  const held = h("button", { type: "button", hidden: true, onclick: () => { window.scrollTo(0, 0); refresh(true); } });
  const live = h("input", { type: "checkbox", id: "live" });
  const more = h("button", { type: "button", hidden: true, onclick: () => next() }, "Older");
  live.checked = true;
  const form = h("form", { class: "filters", onsubmit: (event) => { event.preventDefault(); start(); } },
    h("label", {}, "Outcome", h("select", { name: "outcome" }, h("option", { value: "" }, "any"), OUTCOMES.map((name) => h("option", {}, name)))),
    h("label", {}, "Event", h("input", { name: "event", size: 12 })),
    h("label", {}, "From", h("input", { name: "from", type: "datetime-local", step: 1 })),
    h("label", {}, "Until", h("input", { name: "until", type: "datetime-local", step: 1 })),
    h("label", {}, "Text", h("input", { name: "text", type: "search" })),
    h("button", {}, "Search"));
  let newest = null;
  let oldest = null;
  let came = 0;
  let cameMore = false;
  let isOpen = false;
  let isPaged = false;
  let busy = false;
  let again = false;
  let generation = 0;

  const parameters = () => {
    const values = Object.fromEntries(new FormData(form));
    return {
      webhook,
      outcome: values.outcome,
      event: values.event,
      text: values.text,
      from: values.from && idAt(Date.parse(values.from)),
      before: values.until && idAt(Date.parse(values.until)),
    };
  };
  // Rows that are there stay the elements that they are: nothing loses focus.
  const show = (rows, isNext) => {
    const known = new Map([...body.children].map((row) => [row.dataset.id, row]));
    const elements = rows.map((row) => {
      const element = known.get(row.id) ?? tableRow(columns, row);
      if (!known.has(row.id) && !isNext && known.size > 0) element.className = "new";
      return element;
    });
    if (isNext) body.append(...elements);
    else body.replaceChildren(...elements);
    if (rows.length > 0) oldest = rows.at(-1).id;
  };
  const tell = (answer) => {
    more.hidden = !answer.more && !answer.reached;
    more.textContent = answer.reached && !answer.more ? "Search on" : "Older";
    if (answer.reached && !answer.more) oldest = answer.reached;
    fill(problem, answer.reached && !answer.more &&
      notice("A search looks at so many deliveries at a time; older ones were not looked at yet."),
      body.children.length === 0 && !answer.reached && notice("No delivery is found."));
  };
  const say = () => {
    count.textContent = came === 0 ? "" : `${cameMore ? "more than " : ""}${came} came since you opened this`;
  };
  const run = async (work) => {
    const mine = generation;
    busy = true;
    try {
      await work(() => mine === generation);
    } catch (error) {
      if (mine === generation) fill(problem, notice(error.message, true));
    }
    busy = false;
    if (again) { again = false; refresh(); }
  };
  const start = () => {
    generation++;
    isPaged = false;
    held.hidden = true;
    body.replaceChildren();
    run(async (isMine) => {
      const answer = await ask(question, parameters());
      if (!isMine()) return;
      show(answer.rows);
      newest = answer.rows[0]?.id ?? newest ?? idAt(Date.now());
      tell(answer);
      isOpen = true;
    });
  };
  const next = () => {
    isPaged = true;
    run(async (isMine) => {
      const answer = await ask(question, { ...parameters(), before: oldest });
      if (!isMine()) return;
      show(answer.rows, true);
      tell(answer);
    });
  };
  // While somebody reads further down, or has a row in focus, nothing moves.
  const isRead = () => isPaged || window.scrollY > list.offsetTop || body.contains(document.activeElement);
  const refresh = (isWanted) => {
    if (!isOpen || (!live.checked && !isWanted) || form.elements.until.value !== "") return;
    if (busy) { again = true; return; }
    run(async (isMine) => {
      const answer = await ask(question, { ...parameters(), since: newest });
      if (!isMine()) return;
      came += answer.newer ?? 0;
      cameMore ||= answer.newer >= (webhook ? COUNTED_OF_WEBHOOK : COUNTED);
      say();
      if (isRead() && !isWanted) {
        const first = body.firstElementChild?.dataset.id;
        const missed = first === undefined ? answer.rows.length : answer.rows.findIndex((row) => row.id === first);
        held.hidden = missed === 0;
        held.textContent = missed < 0 ? "Many new ones: show them" : `${missed} new: show them`;
      } else {
        isPaged = false;
        held.hidden = true;
        show(answer.rows);
        tell(answer);
      }
      newest = answer.rows[0]?.id ?? newest;
    });
  };
  const state = h("span", { id: "live-state" }, "connecting");
  fill(bar, h("label", { for: "live" }, live, " Live"), state, count, held);
  const end = watch(() => refresh(), (isLive) => { state.textContent = isLive ? "connected" : "not connected"; });
  start();
  return [h("div", {}, form, bar, list, problem, h("p", {}, more)), end];
}

export function showDeliveries(main) {
  const [element, end] = deliveryList();
  fill(main, h("h1", {}, "Deliveries"), element);
  return end;
}
