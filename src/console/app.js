// The console: from a link to a session, and from the part of the URL behind
// its # to a view.
import { ask, change } from "./api.js";
import { showDeliveries } from "./deliveries.js";
import { showDelivery } from "./delivery.js";
import { fill, h, notice, say } from "./dom.js";
import { showExecution, showExecutions } from "./executions.js";
import { showHealth } from "./health.js";
import { showTry } from "./try.js";
import { showWebhook, showWebhooks } from "./webhooks.js";

const VIEWS = {
  webhooks: [showWebhooks, "Webhooks", "webhooks"],
  webhook: [showWebhook, "Webhook", "webhooks"],
  deliveries: [showDeliveries, "Deliveries", "deliveries"],
  delivery: [showDelivery, "Delivery", "deliveries"],
  executions: [showExecutions, "Executions", "executions"],
  execution: [showExecution, "Execution", "executions"],
  try: [showTry, "Try it", "try"],
  health: [showHealth, "Health", "health"],
};
const TOKEN = /^#[A-Za-z0-9_-]{43}$/;

const main = document.getElementById("main");
let session = null;
let end = null;
let shown = 0;

function close(message) {
  session = null;
  document.getElementById("nav").hidden = true;
  document.getElementById("out").hidden = true;
  document.getElementById("who").textContent = "";
  fill(main, h("h1", {}, "The console is closed"), notice(message, true),
    h("p", {}, "A link opens it once, as the role that asks for it:"), h("pre", {}, "SELECT cp_webhook.console_url();"));
}

async function show() {
  if (TOKEN.test(location.hash)) return open();
  if (session === null) return undefined;
  const mine = ++shown;
  const [path, query] = location.hash.slice(2).split("?");
  const [name, id] = path.split("/");
  const [view, title, place] = VIEWS[name] ?? VIEWS.webhooks;
  end?.();
  end = null;
  for (const link of document.querySelectorAll("nav a"))
    if (link.getAttribute("href") === `#/${place}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.title = `${title} – cp_webhook`;
  // A place of its own: a view that comes late writes into what is gone.
  const room = h("div");
  fill(main, room);
  try {
    const ending = await view(room, id && decodeURIComponent(id), session, new URLSearchParams(query));
    if (mine === shown) end = ending ?? null;
    else ending?.();
  } catch (error) {
    if (mine !== shown) return undefined;
    if (error.status === 401) close(error.message);
    else fill(room, h("h1", {}, title), notice(error.status === 403 ? `Your role may not see this: ${error.message}.` : error.message, error.status !== 403));
  }
  if (mine === shown) main.focus({ preventScroll: true });
  return undefined;
}

async function open() {
  const token = TOKEN.test(location.hash) ? location.hash.slice(1) : null;
  try {
    if (token !== null) {
      // Out of the address and the history before anything else.
      history.replaceState(null, "", location.pathname);
      await change("session", { token });
    }
    session = await ask("me");
  } catch (error) {
    end?.();
    end = null;
    close(error.message);
    return;
  }
  document.getElementById("nav").hidden = false;
  document.getElementById("out").hidden = false;
  document.getElementById("who").textContent = `${session.role} in ${session.database}`;
  await show();
}

document.getElementById("out").addEventListener("click", async () => {
  try {
    await change("sign_out");
  } catch (error) {
    say(error.message);
  }
  end?.();
  end = null;
  close("You have signed out.");
});
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
window.addEventListener("hashchange", show);
open();
