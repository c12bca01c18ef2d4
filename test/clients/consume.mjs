// Does the work of executions outside the database, each at least once: a claim
// is a lease, and its nonce ends it. Arguments: pipelines; none: all of them.
import os from "node:os";
import pg from "pg";

const worker = `${os.hostname()}-${process.pid}`;
const pipelines = process.argv.length > 2 ? process.argv.slice(2) : null;
const lease = process.env.LEASE ?? "5 minutes";
const db = new pg.Client();
let wake = () => {};
let woken = false;

async function deploy(execution) {
  return { ref: execution.payload?.ref }; // your work: what it returns is kept
}

async function work(execution) {
  const { id, nonce } = execution;
  try {
    const result = await deploy(execution);
    await db.query("SELECT cp_webhook.complete_execution($1, $2, $3)", [id, nonce, result]);
  } catch (error) {
    if (error.code === "CP030") return; // the lease ran out: another worker has it
    await db.query("SELECT cp_webhook.fail_execution($1, $2, $3, '30 seconds')", [id, nonce, error.message]);
  }
}

await db.connect();
db.on("notification", () => { woken = true; wake(); });
await db.query("LISTEN cp_webhook; LISTEN cp_webhook_turn");
for (;;) {
  woken = false;
  const { rows } = await db.query("SELECT * FROM cp_webhook.claim_executions($1, $2, 1, $3)", [worker, pipelines, lease]);
  for (const execution of rows) await work(execution);
  if (rows.length > 0 || woken) continue;
  await new Promise((resolve) => { wake = resolve; setTimeout(resolve, 5000); });
}
