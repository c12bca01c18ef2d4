// One delivery: what came, what it was judged by, what it started.
import { ask, change, idAt, instantOf, queryOf } from "./api.js";
import { facts, fill, h, notice, outcome, part, say, time } from "./dom.js";
import { explanation } from "./steps.js";
import { tree } from "./tree.js";

const AFTER = 10 * 60 * 1000; // an execution is made in its delivery's batch

function payload(delivery) {
  const whole = h("a", { href: `api/payload?${queryOf({ id: delivery.id })}`, download: `${delivery.id}.json` }, "Download the whole payload");
  if (delivery.stored_size === null) return h("p", { class: "soft" }, "No payload is kept of a rejected or repeated delivery.");
  if (delivery.payload === null) return h("p", {}, "The payload is large. ", whole);
  if (delivery.is_cut) return [notice("This is the payload's beginning."), h("p", {}, whole), h("pre", {}, delivery.payload)];
  return [tree(delivery.payload), h("details", {}, h("summary", {}, "As text"), h("pre", {}, delivery.payload)), h("p", {}, whole)];
}

function signature(delivery) {
  if (delivery.signature) return `verified with the ${delivery.signature.replace("_", " ")} ${delivery.signature === "public_key" ? "" : "secret"}`;
  return delivery.outcome === "rejected" ? `refused: ${delivery.reason}` : "nothing was compared";
}

export async function showDelivery(main, id, session) {
  const delivery = await ask("delivery", { id });
  const execution = h("div", { class: "soft" }, "…");
  const why = h("div", { class: "soft" }, "…");
  const redeliver = async () => {
    try {
      const answer = await change("redeliver", { id });
      say("Delivered again.");
      location.hash = `#/delivery/${answer.delivery}`;
    } catch (error) {
      say(error.message);
    }
  };
  fill(main, h("h1", {}, "Delivery ", h("span", { class: "mono" }, delivery.id)),
    facts([
      ["Outcome", [outcome(delivery.outcome), ` HTTP ${delivery.http_status}`]],
      ["Reason", delivery.reason],
      ["Signature", signature(delivery)],
      ["Received", time(delivery.received_at)],
      ["Webhook", h("a", { href: `#/webhook/${encodeURIComponent(delivery.webhook)}` }, delivery.webhook)],
      ["Event", delivery.event],
      ["Sender's id", delivery.provider_delivery_id],
      ["From", delivery.source_address],
      ["Through", delivery.peer_address === delivery.source_address ? null : delivery.peer_address],
      ["Repeats", delivery.redelivery_of && h("a", { href: `#/delivery/${delivery.redelivery_of}` }, delivery.redelivery_of)],
    ]),
    h("div", { class: "row" },
      session.may.redeliver && delivery.stored_size !== null && h("button", { type: "button", id: "redeliver", onclick: redeliver }, "Redeliver"),
      session.may.test && h("a", { href: `#/try?${queryOf({ delivery: id, name: delivery.webhook })}` }, "Try it with other filters")),
    h("h2", {}, "Execution"), execution,
    h("h2", {}, "Why"), why,
    h("h2", {}, "Payload"), h("div", {}, payload(delivery)),
    h("h2", {}, "Headers"), facts(Object.entries(delivery.headers).map(([name, value]) => [name, h("code", {}, value)])));
  await Promise.all([
    part(execution, async () => {
      if (delivery.outcome !== "triggered") return h("p", {}, "It started none.");
      const { execution: found } = await ask("delivery_execution", { id, until: idAt(instantOf(id) + AFTER) });
      if (!found) return h("p", {}, "Its execution is not there any more.");
      return facts([["Execution", h("a", { href: `#/execution/${found.id}` }, found.id)],
        ["Pipeline", found.pipeline], ["Status", h("span", { class: found.status }, found.status)], ["Reason", found.reason]]);
    }),
    part(why, async () => [
      h("p", { class: "soft" }, "By the webhook's definition of today, as if it came for the first time."),
      explanation(await ask("explanation", { id })),
    ]),
  ]);
}
