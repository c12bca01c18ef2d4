// Executions: what waits, what is worked on, what has ended.
import { ask, change } from "./api.js";
import { facts, fill, h, notice, say, table, time } from "./dom.js";

const STATES = [["", "all"], ["waiting", "waiting"], ["leased", "leased"], ["done", "done"]];

function stateOf(row) {
  if (row.status === "InProgress") return row.lease_until ? "leased" : row.retry_at ? "to be retried" : "waiting";
  return row.status;
}

const COLUMNS = [
  { label: "Created", class: "when", cell: (row) => h("a", { href: `#/execution/${row.id}` }, time(row.created_at)) },
  { label: "Pipeline", class: "medium", cell: (row) => row.pipeline },
  { label: "State", class: "short", cell: (row) => h("span", { class: `outcome ${row.status}` }, stateOf(row)) },
  { label: "Attempts", class: "short", cell: (row) => String(row.attempts) },
  { label: "Worker", class: "medium", cell: (row) => row.lease_holder },
  { label: "Reason", cell: (row) => row.reason },
];

export async function showExecutions(main, _id, _session, parameters) {
  const state = parameters.get("state") ?? "";
  const pipeline = parameters.get("pipeline") ?? "";
  const question = state === "waiting" || state === "leased" ? "open_executions" : "executions";
  const list = table("Executions", COLUMNS, []);
  const body = list.querySelector("tbody");
  const problem = h("div");
  const more = h("button", { type: "button", hidden: true });
  const load = async (before) => {
    const answer = await ask(question, { state, pipeline, before });
    body.append(...table("", COLUMNS, answer.rows).querySelectorAll("tbody tr"));
    more.hidden = !answer.more && !answer.reached;
    more.textContent = answer.more ? "Older" : "Search on";
    more.onclick = () => load(answer.more ? answer.rows.at(-1).id : answer.reached).catch((error) => say(error.message));
    fill(problem, body.children.length === 0 && !answer.reached && notice("There is none."));
  };
  const choose = (event) => {
    event.preventDefault();
    location.hash = `#/executions?${new URLSearchParams(new FormData(form))}`;
  };
  const form = h("form", { class: "filters", onsubmit: choose },
    h("label", {}, "State", h("select", { name: "state", onchange: choose }, STATES.map(([value, label]) => h("option", { value, selected: value === state }, label)))),
    h("label", {}, "Pipeline", h("input", { name: "pipeline", value: pipeline })),
    h("button", {}, "Search"));
  fill(main, h("h1", {}, "Executions"), form, list, problem, h("p", {}, more));
  await load();
}

export async function showExecution(main, id, session) {
  const execution = await ask("execution", { id });
  const isOver = execution.ended_at !== null;
  const act = async (name, body) => {
    try {
      const answer = await change(name, body);
      say("Done.");
      if (answer.delivery) location.hash = `#/delivery/${answer.delivery}`;
      else if (answer.pipelineExecutionId !== id) location.hash = `#/execution/${answer.pipelineExecutionId}`;
      else await showExecution(main, id, session);
    } catch (error) {
      say(error.message);
    }
  };
  const stop = (abandon) => act("stop", { id, pipeline: execution.pipeline, abandon, reason: `stopped in the console by ${session.role}` });
  const mayRetry = execution.delivery ? session.may.redeliver : session.may.start;
  fill(main, h("h1", {}, "Execution ", h("span", { class: "mono" }, id)),
    facts([
      ["State", h("span", { class: `outcome ${execution.status}` }, stateOf(execution))], ["Reason", execution.reason],
      ["Pipeline", `${execution.pipeline} (version ${execution.version})`], ["Action", execution.action],
      ["Started by", [execution.trigger_type, execution.trigger_detail].filter(Boolean).join(": ")],
      ["Delivery", execution.delivery && h("a", { href: `#/delivery/${execution.delivery}` }, execution.delivery)],
      ["Attempts", String(execution.attempts)], ["Worker", execution.lease_holder],
      ["Lease until", execution.lease_until && time(execution.lease_until)],
      ["Retried at", execution.retry_at && time(execution.retry_at)],
      ["Created", time(execution.created_at)], ["Claimed", time(execution.started_at)], ["Ended", time(execution.ended_at)],
      ["Result", execution.result && h("pre", {}, JSON.stringify(execution.result, null, 2))],
    ]),
    h("div", { class: "row" },
      !isOver && session.may.stop && h("button", { type: "button", onclick: () => stop(false) }, "Stop"),
      !isOver && session.may.stop && execution.lease_until && h("button", { type: "button", onclick: () => stop(true) }, "Stop and abandon"),
      isOver && mayRetry && h("button", { type: "button", onclick: () => act("retry", { id }) }, "Retry")),
    isOver && mayRetry && execution.delivery &&
      h("p", { class: "soft" }, "A retry evaluates its delivery again, by the webhook's definition of today."));
}
