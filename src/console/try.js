// A dry run: headers and a body, or a recorded delivery, against a webhook whose
// filters can be changed here; and the same against all that the log has.
import { ask, change, queryOf } from "./api.js";
import { fill, h, notice, say } from "./dom.js";
import { explanation } from "./steps.js";

const SINCE = ["15 minutes", "1 hour", "6 hours", "1 day", "7 days"];

function headersOf(text) {
  const headers = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return headers;
}

function filterRow(filter = {}) {
  const meaning = h("code", { class: "soft meaning" });
  const path = h("input", { class: "mono path", value: filter.jsonPath ?? "", "aria-label": "JSON path" });
  const equals = h("input", { class: "mono equals", value: filter.matchEquals ?? "", "aria-label": "equals" });
  const translate = () => path.value && ask("translation", { path: path.value })
    .then((answer) => fill(meaning, answer.translated), (error) => fill(meaning, error.message));
  path.addEventListener("change", translate);
  translate();
  const row = h("li", { class: "row filter" }, h("label", { class: "field wide" }, "JSON path", path), h("label", { class: "field wide" }, "Equals (empty: anything)", equals),
    h("button", { type: "button", "aria-label": "Remove this filter", onclick: () => row.remove() }, "Remove"), meaning);
  return row;
}

export async function showTry(main, _id, session, parameters) {
  const delivery = parameters.get("delivery");
  const name = h("input", { id: "name", value: parameters.get("name") ?? "", required: true });
  const filters = h("ol", { id: "filters" });
  const result = h("div", { id: "result", "aria-live": "polite" });
  const headers = h("textarea", { id: "headers", rows: 4, value: "Content-Type: application/json\n" });
  const body = h("textarea", { id: "body", rows: 10, value: "{}" });
  const since = h("select", { "aria-label": "Time" }, SINCE.map((text) => h("option", {}, text)));
  let definition = null;

  const load = async () => {
    definition = null;
    fill(filters);
    if (name.value === "") return;
    try {
      definition = await ask("definition", { name: name.value });
      fill(filters, definition.filters.map(filterRow));
    } catch (error) {
      fill(result, notice(error.status === 403 ? `The filters cannot be changed: ${error.message}.` : error.message, error.status !== 403));
    }
  };
  // The webhook as it is put, or with the filters of this form.
  const webhook = () => {
    if (definition === null) return { name: name.value };
    const changed = [...filters.querySelectorAll("li")].map((row) => {
      const [path, equals] = [row.querySelector(".path").value, row.querySelector(".equals").value];
      return equals === "" ? { jsonPath: path } : { jsonPath: path, matchEquals: equals };
    });
    return { definition: { ...definition, filters: changed } };
  };
  const run = async (request, present) => {
    fill(result, h("p", { class: "soft" }, "…"));
    try {
      fill(result, h("h2", {}, "Verdict"), present(await change("test", { ...webhook(), ...request })));
    } catch (error) {
      fill(result, notice(error.message, true));
    }
  };
  const tryIt = (event) => {
    event.preventDefault();
    run(delivery ? { deliveryId: delivery } : { headers: headersOf(headers.value), body: body.value }, explanation);
  };
  const group = (title, { count, examples }) => [h("h3", {}, `${title}: ${count}`), h("ul", {}, examples.map((item) => h("li", {},
    h("a", { href: `#/delivery/${item.deliveryId}` }, item.deliveryId), ` was ${item.was}, is ${item.is}`, item.reason ? `: ${item.reason}` : "")))];
  const backTest = () => run({ since: since.value }, (answer) => h("div", {}, h("p", {}, `${answer.judged} deliveries were judged.`),
    answer.warnings.map((text) => notice(text)),
    group("Newly fire", answer.newlyFires), group("No longer fire", answer.noLongerFires),
    h("p", {}, `As before fire ${answer.stays.fires} and do not fire ${answer.stays.doesNotFire}.`),
    h("p", { class: "soft" }, `Not judged: ${answer.notJudged.duplicates} duplicates, ${answer.notJudged.rejected} rejected.`)));
  name.addEventListener("change", load);
  const copy = async () => {
    const recorded = await ask("delivery", { id: delivery }).catch((error) => say(error.message));
    if (!recorded) return;
    sessionStorage.setItem("try", JSON.stringify({
      headers: Object.entries(recorded.headers).map(([key, value]) => `${key}: ${value}`).join("\n"), body: recorded.payload ?? "",
    }));
    location.hash = `#/try?${queryOf({ name: name.value, copied: 1 })}`;
  };
  if (parameters.get("copied")) {
    const kept = JSON.parse(sessionStorage.getItem("try") ?? "{}");
    headers.value = kept.headers ?? headers.value;
    body.value = kept.body ?? body.value;
  }
  fill(main, h("h1", {}, "Try it"),
    h("p", { class: "soft" }, "Nothing is stored or started."),
    !session.may.test && notice("Your role may not execute test_webhook."),
    h("form", { onsubmit: tryIt },
      h("div", { class: "row" }, h("label", { class: "field" }, "Webhook", name)),
      h("h2", {}, "Filters"), filters,
      h("button", { type: "button", id: "add-filter", onclick: () => filters.append(filterRow()) }, "Add a filter"),
      h("h2", {}, "Delivery"),
      delivery
        ? h("p", {}, "The recorded delivery ", h("a", { href: `#/delivery/${delivery}` }, delivery), " ",
          h("button", { type: "button", onclick: copy }, "Copy it into the form"))
        : [h("label", { class: "field" }, "Headers, one a line", headers), h("label", { class: "field" }, "Body", body)],
      h("div", { class: "row" }, h("button", { id: "run", disabled: !session.may.test }, "Try it"),
        h("button", { type: "button", id: "back-test", disabled: !session.may.test, onclick: backTest }, "Test on the log of the last"), since)),
    result);
  await load();
}
