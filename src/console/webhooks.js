// The webhooks, and one of them.
import { ask } from "./api.js";
import { deliveryList } from "./deliveries.js";
import { facts, fill, h, notice, part, table, time } from "./dom.js";
import { spark, OUTCOMES } from "./spark.js";

const REFRESH = 10000;

export async function showWebhooks(main) {
  const holder = h("div");
  const more = h("button", { type: "button", hidden: true }, "More");
  let activity = {};
  const columns = [
    { label: "Webhook", cell: (row) => h("a", { href: `#/webhook/${encodeURIComponent(row.name)}` }, row.name) },
    { label: "State", class: "short", cell: (row) => (row.error_code ? h("span", { class: "error", title: row.error_message }, row.error_code) : "ok") },
    { label: "Last delivery", class: "when", cell: (row) => time(row.last_delivery) },
    { label: "Last triggered", class: "when", cell: (row) => time(row.last_triggered) },
    { label: "Last hour", class: "medium", cell: (row) => spark(activity[row.name]) },
    { label: "Last reason", cell: (row) => row.last_reason },
  ];
  const load = async (after) => {
    const [answer, minutes] = await Promise.all([ask("webhooks", { after }), ask("activity", { after }).catch(() => ({}))]);
    activity = minutes;
    if (after === undefined && answer.rows.length === 0) return fill(holder, notice("There is no webhook yet: put_webhook makes one."));
    const made = table("Webhooks", columns, answer.rows);
    if (after === undefined) fill(holder, made);
    else holder.querySelector("tbody").append(...made.querySelectorAll("tbody tr"));
    more.hidden = !answer.more;
    more.onclick = () => { pages++; load(answer.rows.at(-1).name); };
  };
  let pages = 1;
  fill(main, h("h1", {}, "Webhooks"), holder, h("p", {}, more));
  await load();
  // What somebody reads, or has in focus, is left alone.
  const timer = setInterval(() => {
    if (!document.hidden && pages === 1 && !holder.contains(document.activeElement)) load().catch(() => {});
  }, REFRESH);
  return () => clearInterval(timer);
}

function filterRow(filter) {
  const meaning = h("code", { class: "soft" }, "…");
  ask("translation", { path: filter.jsonPath }).then((answer) => fill(meaning, answer.translated), (error) => fill(meaning, error.message));
  return h("li", {}, facts([["JSON path", h("code", {}, filter.jsonPath)], ["means", meaning],
    ["equals", filter.matchEquals === undefined ? "(anything)" : h("code", {}, filter.matchEquals)]]));
}

export async function showWebhook(main, name, session) {
  const webhook = await ask("webhook", { name });
  const hour = h("div");
  const [list, end] = deliveryList(name);
  fill(main, h("h1", {}, webhook.name),
    webhook.error_code && notice(`${webhook.error_code}: ${webhook.error_message}`, true),
    facts([
      ["Pipeline", webhook.pipeline], ["Action", webhook.action], ["Authentication", webhook.authentication],
      ["Configuration", Object.keys(webhook.configuration).length > 0 && h("code", {}, JSON.stringify(webhook.configuration))],
      ["URL", [h("code", {}, webhook.url), h("span", { class: "soft" }, " (whoever knows it can post; the view webhooks has it)")]],
      ["ARN", h("code", {}, webhook.arn)],
      ["Last delivery", time(webhook.last_delivery)], ["Last triggered", time(webhook.last_triggered)],
      ["Last reason", webhook.last_reason],
      ["Deliveries", OUTCOMES.map((outcome) => `${webhook[outcome]} ${outcome}`).join(", ")],
      ["Updated", time(webhook.updated_at)],
    ]), hour,
    session.may.test && h("p", {}, h("a", { href: `#/try?${new URLSearchParams({ name })}` }, "Try it")),
    h("h2", {}, "Filters"),
    webhook.filters.length === 0 ? h("p", {}, "None: every delivery passes.") : h("ol", {}, webhook.filters.map(filterRow)),
    h("h2", {}, "Deliveries"), list);
  part(hour, async () => spark((await ask("activity", { webhook: name }))[name], "large"));
  return end;
}
