// github.mjs: GitHub's own payloads, signed by GitHub's own library. Each is
// POSTed as JSON and as a form, must be recorded as it was sent, and must not
// start anything twice.
import { createRequire } from "node:module";
import pg from "pg";
import { Checks, delivery, each, post, putWebhook } from "./support.mjs";

const examples = createRequire(import.meta.url)("@octokit/webhooks-examples");
const EXAMPLES = 329;
const AT_ONCE = 16;
const SECRET = "It's a Secret to Everybody";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const checks = new Checks("github");
const client = new pg.Pool({ max: 4 });
const url = await putWebhook(client, "github", SECRET);

async function stored(sent) {
  const { rows } = await client.query(
    `SELECT d.outcome, d.event, d.http_status AS status, e.id AS execution,
            d.payload = $2::jsonb AND d.payload::text = ($2::jsonb)::text AS same
       FROM cp_webhook.deliveries d LEFT JOIN cp_webhook.executions e ON e.delivery = d.id
      WHERE d.provider_delivery_id = $1 ORDER BY d.id`,
    [sent.id, sent.text]);
  return rows;
}

async function deliver({ event, payload, style, label }) {
  const pings = event === "ping";
  const sent = await delivery(event, payload, SECRET, style);
  const first = await post(url, sent);
  const execution = first.answer.pipelineExecutionId ?? null;
  const triggered = { status: "triggered", pipelineExecutionId: execution };
  checks.equal(first, { status: 200, answer: pings ? { status: "pong" } : triggered }, `${label}: answer`);
  checks.ok(pings || UUID.test(execution), `${label}: execution id ${execution}`);

  const outcome = pings ? "pong" : "triggered";
  const row = { outcome, event, status: 200, execution, same: true };
  checks.equal(await stored(sent), [row], `${label}: stored`);

  const again = await post(url, sent);
  const duplicate = { status: "duplicate", pipelineExecutionId: execution };
  checks.equal(again, { status: 200, answer: pings ? { status: "pong" } : duplicate }, `${label}: redelivery`);
}

const sends = examples.flatMap(({ name, examples: payloads }) =>
  payloads.map((payload, index) => ({ event: name, payload, name: `${name} ${index}` })));
checks.equal(sends.length, EXAMPLES, "examples in the package");
for (const style of ["json", "form"])
  await each(sends, AT_ONCE, (send) => deliver({ ...send, style, label: `${send.name} as ${style}` }));

// What must not pass: another secret, another body than the signed one.
const forged = await delivery("push", sends[0].payload, "another secret");
checks.equal((await post(url, forged)).status, 401, "another secret");
const changed = await delivery("push", sends[0].payload, SECRET);
checks.equal((await post(url, { ...changed, body: `${changed.body} ` })).status, 401, "another body");

const pings = sends.filter(({ event }) => event === "ping").length;
const counted = await client.query(
  `SELECT outcome, count(*)::int AS n, count(payload)::int AS payloads
     FROM cp_webhook.deliveries WHERE webhook = 'github' GROUP BY outcome ORDER BY outcome`);
const triggered = 2 * (EXAMPLES - pings);
checks.equal(counted.rows, [
  { outcome: "duplicate", n: triggered, payloads: 0 },
  { outcome: "pong", n: 4 * pings, payloads: 4 * pings },
  { outcome: "rejected", n: 2, payloads: 0 },
  { outcome: "triggered", n: triggered, payloads: triggered },
], "deliveries by outcome");
const executions = await client.query("SELECT count(*)::int AS n FROM cp_webhook.executions WHERE pipeline = 'github'");
checks.equal(executions.rows, [{ n: triggered }], "executions");

await client.end();
checks.end();
