// The last hour by minute and outcome, as stacked bars.

export const OUTCOMES = ["triggered", "ignored", "duplicate", "rejected", "pong"];
const MINUTES = 60;
const WIDTH = 4;
const HEIGHT = 26;
const SVG = "http://www.w3.org/2000/svg";

function draw(parent, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

// minutes: {seconds since 1970: [count an outcome]}.
export function spark(minutes = {}, size = "") {
  const now = Math.floor(Date.now() / 60000);
  const sums = OUTCOMES.map((_, index) => Object.values(minutes).reduce((sum, counts) => sum + counts[index], 0));
  const highest = Math.max(1, ...Object.values(minutes).map((counts) => counts.reduce((a, b) => a + b, 0)));
  const said = OUTCOMES.map((name, index) => `${sums[index]} ${name}`).filter((text) => !text.startsWith("0 ")).join(", ") || "none";
  const label = `The last hour: ${said}`;
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({
    class: `spark ${size}`, role: "img", "aria-label": label, viewBox: `0 0 ${MINUTES * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none",
  })) svg.setAttribute(name, value);
  draw(svg, "title", {}).textContent = label;
  for (let ago = 0; ago < MINUTES; ago++) {
    let y = HEIGHT;
    (minutes[(now - ago) * 60] ?? []).forEach((count, index) => {
      if (count === 0) return;
      const height = Math.max(1, (count / highest) * HEIGHT);
      y -= height;
      draw(svg, "rect", { class: OUTCOMES[index], x: (MINUTES - 1 - ago) * WIDTH, y, width: WIDTH - 1, height });
    });
  }
  return svg;
}
