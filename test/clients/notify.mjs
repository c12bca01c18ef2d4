// notify.mjs: a pg client that LISTENs. One notification for each delivery that
// triggered and for nothing else, with what the contract names, and its
// execution can be read at once.
import pg from "pg";
import { Checks, delivery, each, post, putWebhook } from "./support.mjs";

const DELIVERIES = 200;
const AT_ONCE = 16;
const SECRET = "not a secret";
const MEMBERS = ["deliveryId", "event", "pipelineExecutionId", "pipelineName", "receivedAt", "webhook"];
const LAST = "the last one";
// ISO 8601, as PostgreSQL writes it into JSON.
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$/;

const checks = new Checks("notify");
const client = new pg.Pool({ max: 4 });
const url = await putWebhook(client, "notify", SECRET, [{ jsonPath: "$.ref", matchEquals: "refs/heads/{Branch}" }]);

const listener = new pg.Client();
await listener.connect();
const heard = [];
const readable = [];
const lastHeard = new Promise((resolve) => {
  listener.on("notification", ({ channel, payload }) => {
    if (payload === LAST) return resolve(true);
    heard.push({ channel, message: JSON.parse(payload) });
    readable.push(client.query(
      `SELECT e.pipeline, e.webhook, e.event, e.delivery, e.provider_delivery_id AS sender,
              e.received_at = ($2::text)::timestamptz AS same_time
         FROM cp_webhook.trigger_events e WHERE e.execution_id = $1`,
      [heard.at(-1).message.pipelineExecutionId, heard.at(-1).message.receivedAt]));
  });
});
await listener.query("LISTEN cp_webhook");

const sent = new Map();
await each(Array.from({ length: DELIVERIES }, (_, n) => n), AT_ONCE, async (n) => {
  const push = await delivery(n % 2 ? "push" : "create", { ref: "refs/heads/main", n }, SECRET);
  const { answer } = await post(url, push);
  checks.equal(answer.status, "triggered", `delivery ${n}`);
  sent.set(answer.pipelineExecutionId, push);
  // None of these notifies.
  if (n % 10 === 0) {
    const ignored = await delivery("push", { ref: "refs/heads/other", n }, SECRET);
    const forged = await delivery("push", { ref: "refs/heads/main", n }, "another");
    const ping = await delivery("ping", { zen: "Keep it logically awesome." }, SECRET);
    checks.equal((await post(url, push)).answer.status, "duplicate", `delivery ${n} again`);
    checks.equal((await post(url, ignored)).answer.status, "ignored", `another branch ${n}`);
    checks.equal((await post(url, forged)).answer.error, "bad_signature", `forged ${n}`);
    checks.equal((await post(url, ping)).answer.status, "pong", `ping ${n}`);
  }
});

// Notifications come in the order of commits: after this one none is missing.
await client.query("SELECT pg_notify('cp_webhook', $1)", [LAST]);
const timeout = new Promise((resolve) => setTimeout(resolve, 20000, false).unref());
checks.ok(await Promise.race([lastHeard, timeout]), "the last notification is heard");

checks.equal(heard.length, DELIVERIES, "notifications");
const rows = (await Promise.all(readable)).map((result) => result.rows);
heard.forEach(({ channel, message }, index) => {
  const push = sent.get(message.pipelineExecutionId);
  const label = `notification ${index}`;
  checks.ok(push !== undefined, `${label}: of a delivery that triggered, once`);
  sent.delete(message.pipelineExecutionId);
  checks.equal([channel, Object.keys(message).sort()], ["cp_webhook", MEMBERS], `${label}: members`);
  checks.equal([message.pipelineName, message.webhook, message.event], ["notify", "notify", push?.event], `${label}: values`);
  checks.ok(INSTANT.test(message.receivedAt) && Math.abs(Date.now() - Date.parse(message.receivedAt)) < 300000,
    `${label}: received at ${message.receivedAt}`);
  checks.equal(rows[index], [{
    pipeline: "notify", webhook: "notify", event: push?.event,
    delivery: message.deliveryId, sender: push?.id, same_time: true,
  }], `${label}: in trigger_events`);
});
checks.equal([...sent.keys()], [], "deliveries without a notification");

await listener.end();
await client.end();
checks.end();
