// browse.mjs: the console in Chromium: from the link to a delivery that was
// ignored, why, another filter, a redelivery. What comes from outside stays
// text, a spent link opens nothing, a role sees what it may. Writes screenshots
// to the folder SCREENSHOTS.
import { mkdir } from "node:fs/promises";
import http from "node:http";
import pg from "pg";
import { chromium } from "playwright-core";
import { Checks, delivery, each, post, putWebhook } from "../support.mjs";

const SECRET = "a secret of the test";
const EVIL = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>";
const folder = process.env.SCREENSHOTS;

const checks = new Checks("console");
const client = new pg.Pool({ max: 4 });
const sql = async (text, values) => (await client.query(text, values)).rows;
const linkOf = async (role) => {
  const connection = await client.connect();
  try {
    await connection.query(`SET ROLE ${role}`);
    return (await connection.query("SELECT cp_webhook.console_url() AS url")).rows[0].url;
  } finally {
    await connection.query("RESET ROLE");
    connection.release();
  }
};

const url = await putWebhook(client, "site-push", SECRET, [{ jsonPath: "$.ref", matchEquals: "refs/heads/{Branch}" }]);
await sql("CREATE ROLE console_operator; GRANT cp_webhook_operator TO console_operator");
await sql(`CREATE ROLE console_reader; GRANT USAGE ON SCHEMA cp_webhook TO console_reader; GRANT SELECT ON cp_webhook.deliveries TO console_reader;
  GRANT EXECUTE ON FUNCTION cp_webhook.console_url() TO console_reader`);
const send = async (payload, event = "push", secret = SECRET) => (await post(url, await delivery(event, payload, secret))).answer;
for (let n = 0; n < 12; n++) await send({ ref: n % 3 ? "refs/heads/main" : `refs/heads/topic-${n}`, n });
await send({ ref: "refs/heads/main" }, "push", "another secret");
// An hour to look at, of two more webhooks as well.
for (const name of ["docs-release", "shop-orders"]) await putWebhook(client, name, SECRET);
await sql(`INSERT INTO cp_webhook.webhook_minutes SELECT w.webhook_id, 7, m % 60, date_trunc('minute', now()) - m * interval '1 minute',
  (m * 7) % 11, (m * 5) % 7, CASE m % 9 WHEN 0 THEN 2 ELSE 0 END, CASE m % 13 WHEN 0 THEN 3 ELSE 0 END, 0
  FROM cp_webhook.webhooks w, generate_series(1, 58) m`);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const seen = []; // requests, errors of scripts, violations of the policy
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("request", (request) => seen.push(["request", request.url()]));
  page.on("pageerror", (error) => seen.push(["error", String(error)]));
  page.on("console", (message) => { if (/Content.Security.Policy/i.test(message.text())) seen.push(["policy", message.text()]); });
  page.on("dialog", (dialog) => { seen.push(["dialog", dialog.message()]); dialog.dismiss(); });
  return page;
}
const text = (page, selector) => page.locator(selector).first().innerText();
async function waits(what, condition) {
  const end = Date.now() + 15000;
  for (;;) {
    if (await condition().catch(() => false)) return checks.ok(true, what);
    if (Date.now() > end) return checks.ok(false, what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

try {
  // ---- the link ----
  const page = await open();
  const link = await linkOf("console_operator");
  await page.goto(link);
  await page.waitForSelector("text=console_operator in postgres");
  checks.ok(!page.url().includes(link.split("#")[1]), "the token is out of the address");
  const cookies = await page.context().cookies();
  checks.equal(cookies.map((cookie) => [cookie.httpOnly, cookie.sameSite]), [[true, "Strict"]], "one cookie, HttpOnly and Strict");
  checks.equal(await page.evaluate(() => document.cookie), "", "scripts see no cookie");
  await page.waitForSelector("a:text-is('site-push')");
  checks.ok(await page.locator("svg.spark rect.triggered").count() > 0, "the hour is drawn");
  checks.ok((await page.locator("svg.spark").first().getAttribute("aria-label")).includes("ignored"), "and said");

  // ---- watch a delivery arrive ----
  await page.click("a:text-is('site-push')");
  await page.waitForSelector("text=strict $.**{0}.\"ref\"");
  checks.ok(!(await page.content()).includes(url.split("/trigger/")[1]), "the token of the URL is not in the page");
  await page.waitForSelector("#live-state:text-is('connected')");
  const before = await page.locator("table.list tbody tr").count();
  checks.equal(before, 13, "the deliveries so far");
  await page.evaluate(() => scrollTo(0, 0));
  const ignored = await send({ ref: "refs/heads/topic", head_commit: { message: EVIL, id: 12345678901234567890n.toString() }, [EVIL]: EVIL });
  checks.equal(ignored.status, "ignored", "a delivery that is ignored");
  await waits("it arrives by itself", async () => (await page.locator("table.list tbody tr").count()) === before + 1);
  await waits("and is counted", async () => (await text(page, ".bar")).includes("1 came"));
  checks.equal(await text(page, "table.list tbody tr .outcome"), "ignored", "as the first");
  await page.click("table.list tbody tr:first-child a");
  await page.waitForSelector("[data-step='filter 1']");
  const ignoredId = page.url().split("/").pop();
  await page.goBack();
  await page.waitForSelector("#live-state:text-is('connected')");
  await waits("and is there when one comes back", async () => (await page.locator("table.list tbody tr").count()) === before + 1);
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });

  // However many come, it is a page of them, and a number.
  await each(Array.from({ length: 300 }), 16, () => send({ ref: "refs/heads/topic" }));
  // About: what commits late may have an id before those that were counted.
  let came = 0;
  await waits("300 more are counted", async () => {
    came = Number(/(\d+) came/.exec(await text(page, ".bar"))[1]);
    return came >= 270 && came <= 300;
  });
  checks.ok(came >= 270, `300 more are counted as ${came}`);
  checks.equal(await page.locator("table.list tbody tr").count(), 50, "and the list is a page");
  await page.evaluate(() => scrollTo(0, 1300));
  await send({ ref: "refs/heads/topic", last: true });
  // At least this one: of the 300 some may be counted only now.
  await waits("what is read does not move", async () => /[1-9]\d* new/.test(await text(page, ".bar button")));
  await page.click(".bar button");
  await waits("until it is asked for", async () => page.locator(".bar button").isHidden());
  await page.click("text=Older");
  await waits("older ones are a page more", async () => (await page.locator("table.list tbody tr").count()) === 100);
  await page.goto(`${page.url().split("#")[0]}#/delivery/${ignoredId}`);

  // ---- why ----
  await page.waitForSelector("[data-step='filter 1']");
  const why = await text(page, "[data-step='filter 1']");
  checks.ok(why.includes("\"refs/heads/topic\"") && why.includes("\"refs/heads/main\"") && why.includes("failed"), `found and wanted: ${why}`);
  checks.ok((await text(page, "dl.facts")).includes("current secret"), "the signature's verdict");
  checks.equal(await page.locator(".tree img, .tree script, main img, main script").count(), 0, "what came is no HTML");
  await page.locator(".tree summary").nth(1).click();
  await waits("it is shown as text", async () => (await text(page, ".tree")).includes(EVIL.slice(0, 20)));
  checks.equal(await page.title(), "Delivery – cp_webhook", "its script did not run");
  checks.ok(!(await page.content()).includes(SECRET), "no secret is in the page");
  if (folder) await shots(page.url());
  const hovered = await page.locator("main time").first().getAttribute("title");
  checks.ok(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+/.test(hovered), `the exact instant on hover: ${hovered}`);

  // ---- another filter ----
  await page.click("text=Try it with other filters");
  await page.waitForSelector("#filters .path");
  await page.click("#run");
  await page.waitForSelector("#result .explanation");
  checks.ok((await text(page, "#result .explanation p")).includes("ignored"), "tried as it is");
  await page.fill("#filters .equals", "refs/heads/topic");
  await page.click("#run");
  await waits("with another filter it would trigger", async () => (await text(page, "#result .explanation p")).includes("triggered"));
  await page.click("#back-test");
  await waits("and the log says what else would", async () => (await text(page, "#result")).includes("Newly fire: 30"));
  await page.click("text=Copy it into the form");
  await page.waitForSelector("#body");
  checks.ok((await page.inputValue("#body")).includes("refs/heads/topic"), "a recorded payload in the form");

  // ---- redeliver ----
  await sql("SELECT cp_webhook.put_webhook(jsonb_build_object('webhook', jsonb_build_object('name', 'site-push', 'targetPipeline', 'site-push', 'targetAction', 'GitHub', 'filters', '[]'::jsonb, 'authentication', 'GITHUB_HMAC', 'authenticationConfiguration', jsonb_build_object('SecretToken', '****'))))");
  const [{ id }] = await sql("SELECT id FROM cp_webhook.deliveries WHERE outcome = 'ignored' ORDER BY id DESC LIMIT 1");
  await page.goto(`${page.url().split("#")[0]}#/delivery/${id}`);
  await page.click("#redeliver");
  await page.waitForSelector(`text=${id}`);
  await waits("the redelivery triggers", async () => (await text(page, ".outcome")) === "triggered");
  await page.waitForSelector("a[href^='#/execution/']");
  await page.click("a[href^='#/execution/']");
  await page.waitForSelector("button:text-is('Stop')");
  checks.ok((await text(page, "main")).includes("waiting"), "its execution waits");
  await page.click("button:text-is('Stop')");
  await waits("and is stopped", async () => (await text(page, "main .outcome")) === "Stopped");
  await page.click("button:text-is('Retry')");
  await page.waitForSelector("h1:has-text('Delivery')");
  checks.ok(true, "and retried");

  // ---- the other views ----
  for (const [name, sign] of [["deliveries", "table.list tbody tr"], ["executions", "table.list tbody tr"], ["health", "text=Receiver 0"], ["webhooks", "text=site-push"]]) {
    await page.goto(`${page.url().split("#")[0]}#/${name}`);
    await page.waitForSelector(sign);
    checks.ok(await page.locator(`nav a[aria-current][href='#/${name}']`).count() === 1, `${name} is there`);
  }
  await page.goto(`${page.url().split("#")[0]}#/deliveries`);
  await page.selectOption("select[name=outcome]", "rejected");
  await page.click("form.filters button");
  // Other clients may have left theirs.
  await waits("a search by outcome", async () => {
    const outcomes = await page.locator("table.list tbody tr .outcome").allTextContents();
    return outcomes.length > 0 && outcomes.every((outcome) => outcome === "rejected");
  });
  await page.keyboard.press("Tab");
  checks.ok(await page.evaluate(() => document.activeElement !== document.body), "the keyboard gets on");

  // ---- who may not ----
  const spent = await open();
  await spent.goto(link);
  await spent.waitForSelector("text=The console is closed");
  checks.equal((await spent.context().cookies()).length, 0, "a spent link gives nothing");
  checks.equal(await spent.locator("table").count(), 0, "and shows nothing");
  await spent.goto(link.replace(/#.*/, `#${"x".repeat(43)}`));
  await spent.reload();
  await spent.waitForSelector("text=The console is closed");
  checks.ok(true, "nor does a foreign one");

  const reader = await open();
  await reader.goto(await linkOf("console_reader"));
  await reader.waitForSelector("text=Your role may not see this");
  checks.ok((await text(reader, "main")).includes("webhooks"), "a role is told what it may not see");
  await reader.click("nav a:text-is('Deliveries')");
  await reader.waitForSelector("table.list tbody tr a");
  await reader.click("table.list tbody tr:first-child a");
  await reader.waitForSelector("text=Your role may not see this");
  checks.equal(await reader.locator("#redeliver").count(), 0, "and sees what it may, without buttons for the rest");

  // ---- behind a proxy that puts a prefix before it, and changes the host ----
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith("/hooks/")) return response.writeHead(404).end();
    const onward = http.request(link.split("/console/")[0] + request.url.slice("/hooks".length), {
      method: request.method, headers: { ...request.headers, host: "upstream" },
    }, (answer) => { response.writeHead(answer.statusCode, answer.headers); answer.pipe(response); });
    response.on("close", () => onward.destroy());
    onward.on("error", () => response.destroy());
    return request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const outside = `http://127.0.0.1:${proxy.address().port}/hooks/console`;
  const proxied = await open();
  await proxied.goto(`${outside}/#${(await linkOf("console_operator")).split("#")[1]}`);
  await proxied.waitForSelector("a:text-is('site-push')");
  const [cookie] = await proxied.context().cookies();
  checks.equal(cookie.path, "/hooks/console/api", "the cookie is the prefix's alone");
  await proxied.click("nav a:text-is('Deliveries')");
  await proxied.waitForSelector("#live-state:text-is('connected')");
  await proxied.goto(outside);
  await proxied.waitForSelector("a:text-is('site-push')");
  checks.equal(new URL(proxied.url()).pathname, "/hooks/console/", "the folder without its slash leads there");
  await proxied.context().close();
  proxy.closeAllConnections();
  proxy.close();

  await page.click("#out");
  await page.waitForSelector("text=You have signed out");
  await page.reload();
  await page.waitForSelector("text=The console is closed");
  checks.ok(true, "signing out ends it");
} finally {
  await browser.close();
}

const hosts = new Set(seen.filter(([kind]) => kind === "request").map(([, value]) => new URL(value).hostname));
checks.equal([...hosts].sort(), ["127.0.0.1", "localhost"], "no other host is asked");
checks.equal(seen.filter(([kind]) => kind !== "request"), [], "no script failed, nothing was against the policy");
await client.end();
checks.end();

// Light and dark, wide and narrow.
async function shots(deliveryUrl) {
  await mkdir(folder, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of [["wide", { width: 1100, height: 720 }], ["narrow", { width: 390, height: 780 }]]) {
      const page = await open({ colorScheme, viewport });
      await page.goto(await linkOf("console_operator"));
      await page.waitForSelector("svg.spark rect");
      await page.screenshot({ path: `${folder}/webhooks-${size}-${colorScheme}.png` });
      checks.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${size}: nothing is cut off at the right`);
      await page.goto(deliveryUrl);
      await page.waitForSelector("[data-step='filter 1']");
      await page.screenshot({ path: `${folder}/delivery-${size}-${colorScheme}.png` });
      checks.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${size}: nor of a delivery`);
      await page.context().close();
    }
  }
}
