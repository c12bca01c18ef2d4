// support.mjs: what the clients share: counted checks, a webhook of one's own,
// a POST as GitHub makes it.
import { randomUUID } from "node:crypto";
import { sign } from "@octokit/webhooks-methods";

const SHOWN_FAILURES = 20;

// Counted checks of one script; end() prints "name: N passed, M failed" and
// sets the exit code.
export class Checks {
  constructor(name) {
    this.name = name;
    this.passed = 0;
    this.failed = 0;
  }

  ok(condition, description) {
    if (condition) {
      this.passed++;
      return;
    }
    this.failed++;
    if (this.failed <= SHOWN_FAILURES) console.log(`not ok: ${description}`);
  }

  equal(actual, expected, description) {
    const [a, e] = [actual, expected].map((value) => JSON.stringify(value));
    this.ok(a === e, `${description}: ${a}, expected ${e}`);
  }

  end() {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}

// Puts a pipeline and a GITHUB_HMAC webhook, both of this name; its URL.
export function putWebhook(client, name, secret, filters = []) {
  return putDefinition(client, name, "GITHUB_HMAC", { SecretToken: secret }, filters);
}

// The same of any authentication.
export async function putDefinition(client, name, authentication, configuration, filters = []) {
  const type = (category, provider) => ({ category, owner: "Custom", provider, version: "1" });
  await client.query("SELECT cp_webhook.create_pipeline($1)", [{
    pipeline: {
      name,
      stages: [
        { name: "Source", actions: [{ name: "GitHub", actionTypeId: type("Source", "GitHub"), configuration: { Branch: "main" } }] },
        { name: "Deploy", actions: [{ name: "Server", actionTypeId: type("Deploy", "Rsync") }] },
      ],
    },
  }]);
  const { rows } = await client.query("SELECT cp_webhook.put_webhook($1) -> 'webhook' ->> 'url' AS url", [{
    webhook: {
      name,
      targetPipeline: name,
      targetAction: "GitHub",
      filters,
      authentication,
      authenticationConfiguration: configuration,
    },
  }]);
  return rows[0].url;
}

// A delivery as GitHub would send it: its id, headers and signed body.
export async function delivery(event, payload, secret, style = "json") {
  const text = JSON.stringify(payload);
  const body = style === "form" ? new URLSearchParams({ payload: text }).toString() : text;
  const id = randomUUID();
  return {
    id,
    event,
    text,
    body,
    headers: {
      "Content-Type": style === "form" ? "application/x-www-form-urlencoded" : "application/json",
      "User-Agent": "GitHub-Hookshot/7d1c2b5",
      "X-GitHub-Delivery": id,
      "X-GitHub-Event": event,
      "X-Hub-Signature-256": await sign(secret, body),
    },
  };
}

// The HTTP status and the parsed answer.
export async function post(url, { headers, body }) {
  const { status, text } = await postForText(url, { headers, body });
  return { status, answer: JSON.parse(text) };
}

// The HTTP status and the answer as it is.
export async function postForText(url, { headers, body }) {
  const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(30000) });
  return { status: response.status, text: await response.text() };
}

// Runs work(item) for each, so many at once.
export async function each(items, atOnce, work) {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
