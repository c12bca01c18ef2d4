// schemes.mjs: what senders' own libraries sign is taken by the scheme of that
// sender, and nothing that was changed afterwards. Where a library only
// verifies, it agrees with the server on what is right.
import { createHmac } from "node:crypto";
import { sign as signAsGitHub } from "@octokit/webhooks-methods";
import bolt from "@slack/bolt/dist/receivers/verify-request.js";
import pg from "pg";
import * as standard from "standardwebhooks";
import Stripe from "stripe";
import * as svix from "svix";
import twilio from "twilio";
import { Checks, postForText, putDefinition } from "./support.mjs";

const JSON_TYPE = { "Content-Type": "application/json" };
const FORM_TYPE = { "Content-Type": "application/x-www-form-urlencoded" };
const BODY = JSON.stringify({ id: "evt_1", type: "invoice.paid", text: "Grüße, \u{1F389}", amount: 12.5 });
const KEY = `whsec_${Buffer.alloc(32, "key").toString("base64")}`;
const OTHER_KEY = `whsec_${Buffer.alloc(32, "other").toString("base64")}`;

const checks = new Checks("schemes");
const client = new pg.Pool({ max: 2 });

const standardHeaders = (prefix, library) => (secret, body, now) => {
  const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
  return {
    ...JSON_TYPE,
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(Math.floor(now / 1000)),
    [`${prefix}-signature`]: new library.Webhook(secret).sign(id, new Date(now), body),
  };
};

// sign(secret, body, now, url) gives the headers of a delivery.
const senders = [
  {
    name: "octokit as GitHub", authentication: "GITHUB_HMAC",
    sign: async (secret, body) => ({ ...JSON_TYPE, "X-Hub-Signature-256": await signAsGitHub(secret, body) }),
  },
  {
    name: "octokit as Bitbucket", authentication: "BITBUCKET_HMAC",
    sign: async (secret, body) => ({ ...JSON_TYPE, "X-Hub-Signature": await signAsGitHub(secret, body) }),
  },
  {
    name: "octokit as Gitea", authentication: "GITEA_HMAC",
    sign: async (secret, body) => ({ ...JSON_TYPE, "X-Gitea-Signature": (await signAsGitHub(secret, body)).slice(7) }),
  },
  {
    name: "octokit as HMAC", authentication: "HMAC",
    configuration: { HeaderName: "X-Signature", Prefix: "sha256=" },
    sign: async (secret, body) => ({ ...JSON_TYPE, "X-Signature": await signAsGitHub(secret, body) }),
  },
  {
    name: "stripe", authentication: "STRIPE", secret: "whsec_test", timed: true,
    sign: (secret, body, now) => ({
      ...JSON_TYPE,
      "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: Math.floor(now / 1000) }),
    }),
  },
  {
    name: "standardwebhooks", authentication: "STANDARD_WEBHOOKS", secret: KEY, other: OTHER_KEY, timed: true,
    sign: standardHeaders("webhook", standard),
  },
  {
    name: "svix", authentication: "STANDARD_WEBHOOKS", secret: KEY, other: OTHER_KEY, timed: true,
    sign: standardHeaders("svix", svix),
  },
  {
    name: "twilio", authentication: "TWILIO", body: "From=%2B14158675309&Body=Gr%C3%BC%C3%9Fe%20%F0%9F%8E%89&Digits=1234",
    sign: (secret, body, now, url) => ({
      ...FORM_TYPE,
      "X-Twilio-Signature": twilio.getExpectedTwilioSignature(secret, url, Object.fromEntries(new URLSearchParams(body))),
    }),
  },
  {
    name: "twilio with JSON", authentication: "TWILIO",
    query: (body) => `?bodySHA256=${twilio.getExpectedBodyHash(body)}`,
    sign: (secret, body, now, url) => ({
      ...JSON_TYPE,
      "X-Twilio-Signature": twilio.getExpectedTwilioSignature(secret, url, {}),
    }),
  },
  {
    name: "slack", authentication: "SLACK", timed: true,
    sign: (secret, body, now) => {
      const timestamp = Math.floor(now / 1000);
      return {
        ...JSON_TYPE,
        "X-Slack-Request-Timestamp": String(timestamp),
        "X-Slack-Signature": `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`,
      };
    },
    // Slack's own library, which only verifies.
    verify: (secret, body, headers) => bolt.verifySlackRequest({
      signingSecret: secret,
      body,
      headers: {
        "x-slack-signature": headers["X-Slack-Signature"],
        "x-slack-request-timestamp": Number(headers["X-Slack-Request-Timestamp"]),
      },
    }),
  },
];

function isRight(sender, secret, body, headers) {
  try {
    sender.verify?.(secret, body, headers);
    return true;
  } catch {
    return false;
  }
}

for (const [index, sender] of senders.entries()) {
  const { name, authentication, body = BODY, secret = "correct horse", other = "battery staple" } = sender;
  const put = (more) => putDefinition(client, `schemes-${index}`, authentication, { SecretToken: secret, ...sender.configuration, ...more });
  const url = await put() + (sender.query?.(body) ?? "");
  const send = async (its, label, status) => {
    const { sent = body, signed = body, key = secret, now = Date.now() } = its;
    const headers = await sender.sign(key, signed, now, url);
    const { status: got, text } = await postForText(url, { headers, body: sent });
    checks.ok(got === status, `${name}: ${label}: ${got} ${text}, expected ${status}`);
    if (sender.verify) checks.ok(isRight(sender, secret, sent, headers) === (status === 200), `${name}: ${label}: its library agrees`);
  };

  await send({}, "signed by it", 200);
  await send({ sent: `${body} ` }, "a body with a byte more", 401);
  await send({ sent: body.replace("1", "2") }, "another body", 401);
  await send({ key: other }, "another secret", 401);
  if (sender.timed) {
    await send({ now: Date.now() - 1000 * 1000 }, "long ago", 401);
    // Of these Slack's library has nothing against one that is ahead.
    if (!sender.verify) await send({ now: Date.now() + 1000 * 1000 }, "ahead", 401);
  }
}

// A secret that is changed while deliveries are under way.
const rotated = await putDefinition(client, "rotated", "STRIPE", { SecretToken: "whsec_old" });
await client.query("SELECT cp_webhook.put_webhook(jsonb_build_object('webhook', $1::jsonb))", [{
  name: "rotated", targetPipeline: "rotated", targetAction: "GitHub", filters: [], authentication: "STRIPE",
  authenticationConfiguration: { SecretToken: "whsec_new", KeepPreviousSecretFor: "1 hour" },
}]);
for (const secret of ["whsec_old", "whsec_new"]) {
  const payload = JSON.stringify({ id: secret });
  const headers = { ...JSON_TYPE, "Stripe-Signature": Stripe.webhooks.generateTestHeaderString({ payload, secret }) };
  checks.equal((await postForText(rotated, { headers, body: payload })).status, 200, `rotated: ${secret}`);
}
const { rows } = await client.query(
  "SELECT provider_delivery_id AS id, signature FROM cp_webhook.deliveries d WHERE webhook = 'rotated' ORDER BY d.id");
checks.equal(rows, [{ id: "whsec_old", signature: "previous" }, { id: "whsec_new", signature: "current" }], "rotated: which one");

await client.end();
checks.end();
