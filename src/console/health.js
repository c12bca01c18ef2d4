// How the workers are.
import { ask } from "./api.js";
import { facts, fill, h, part, time } from "./dom.js";

const REFRESH = 5000;

// A histogram's bars: element n counts what is at most first * 2^n.
function histogram(title, counts, first, unit) {
  const sum = counts.reduce((a, b) => a + b, 0);
  if (sum === 0) return null;
  const last = counts.findLastIndex((count) => count > 0);
  return h("details", {}, h("summary", {}, title), h("table", {}, h("tbody", {}, counts.slice(0, last + 1).map((count, index) => h("tr", {},
    h("td", { "data-label": "at most" }, index === counts.length - 1 ? "more" : `≤ ${first * 2 ** index} ${unit}`),
    h("td", { "data-label": "count" }, count), h("td", { "data-label": "share" }, `${((100 * count) / sum).toFixed(1)} %`))))));
}

function errorOf(worker) {
  return worker.last_error && h("span", { class: "error" }, worker.last_error, " (", time(worker.last_error_at), ")");
}

function receiver(stats) {
  const perBatch = stats.batches > 0 ? (stats.batched / stats.batches).toFixed(1) : "none yet";
  const commit = stats.batches > 0 ? `${(stats.commit_ms / stats.batches).toFixed(2)} ms on average` : "none yet";
  return h("section", {}, h("h2", {}, `Receiver ${stats.worker}`), facts([
    ["Process", stats.pid ?? h("span", { class: "error" }, "not running")], ["Listens on", stats.listening],
    ["Since", time(stats.started_at)], ["Requests", stats.requests], ["Refused", stats.refused], ["Unavailable (503)", stats.unavailable],
    ["Connections", stats.connections], ["Deliveries a batch", `${perBatch} (largest ${stats.largest_batch})`],
    ["Commit", commit],
    ["Certificate", stats.certificate_days === null ? "no TLS"
      : h("span", { class: stats.certificate_days < 14 ? "error" : null }, `${stats.certificate_days} days left`)],
    ["Last error", errorOf(stats)],
  ]), histogram("Batch sizes", stats.batch_sizes, 1, "deliveries"), histogram("Batch times", stats.batch_times, 1 / 8, "ms"),
  histogram("Commit times", stats.commit_times, 1 / 8, "ms"));
}

export async function showHealth(main) {
  const parts = [h("div"), h("div"), h("div")];
  const load = () => Promise.all([
    part(parts[0], async () => (await ask("receivers")).map(receiver)),
    part(parts[1], async () => {
      const stats = await ask("maintenance");
      return [h("h2", {}, "Maintenance"), facts([["Process", stats.pid], ["Partitions made", stats.partitions_made],
        ["Partitions dropped", stats.partitions_dropped], ["Keys removed", stats.keys_removed], ["Executions removed", stats.executions_removed],
        ["Held back", stats.held_back], ["Last error", errorOf(stats)]])];
    }),
    part(parts[2], async () => {
      const stats = await ask("api");
      return [h("h2", {}, "Api"), facts([["Process", stats.pid], ["Listens on", stats.listening], ["Calls that succeeded", stats.succeeded],
        ["Refused", stats.refused], ["Failed", stats.failed], ["Connections", stats.connections], ["Last error", errorOf(stats)]])];
    }),
  ]);
  fill(main, h("h1", {}, "Health"), parts);
  await load();
  const timer = setInterval(() => {
    if (!document.hidden && !main.querySelector("details[open]")) load().catch(() => {});
  }, REFRESH);
  return () => clearInterval(timer);
}
