// What test_webhook says, step by step.
import { facts, h, notice, outcome } from "./dom.js";

function found(step) {
  if (step.found === undefined) return null;
  if (step.foundCount === 0) return "nothing";
  const shown = step.found.map((value) => JSON.stringify(value)).join(", ");
  return step.foundCount > step.found.length ? `${shown} and ${step.foundCount - step.found.length} more` : shown;
}

function stepRow(step) {
  const title = step.step === "filter" ? `filter ${step.number}` : step.step;
  return h("li", { class: "step", "data-step": title },
    h("strong", {}, title), " ", h("span", { class: `outcome ${step.verdict}` }, step.verdict),
    step.step !== "filter" && step.detail ? ` ${step.detail}` : null,
    step.step === "filter" && facts([
      ["JSON path", h("code", {}, step.jsonPath)],
      ["means", step.translated && h("code", {}, step.translated)],
      ["found", found(step) && h("code", {}, found(step))],
      ["wanted", h("code", {}, step.wanted === undefined ? "anything" : JSON.stringify(step.wanted))],
      ["detail", step.verdict === "passed" ? null : step.detail],
    ]));
}

export function explanation(answer) {
  return h("div", { class: "explanation" },
    h("p", {}, "It would be ", outcome(answer.outcome), ` (HTTP ${answer.httpStatus})`, answer.reason ? `: ${answer.reason}` : "."),
    answer.warnings.map((text) => notice(text)),
    h("ol", {}, answer.steps.map(stepRow)));
}
