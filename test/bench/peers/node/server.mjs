// A receiver of GitHub's pushes in Node.js: a process a processor, @octokit/webhooks
// verifies the received bytes, pg stores them in one prepared statement on a
// pool, and the answer follows the commit.
import cluster from "node:cluster";
import fs from "node:fs";
import http from "node:http";
import { Webhooks } from "@octokit/webhooks";
import pg from "pg";

const workers = Number(process.env.WORKERS);

if (cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on("exit", () => process.exit(1));
} else {
  const webhooks = new Webhooks({ secret: process.env.SECRET });
  const pool = new pg.Pool({ max: Math.ceil(Number(process.env.POOL) / workers) });
  const text = fs.readFileSync(process.env.STORE, "utf8");

  const answer = (response, status, value) => {
    const body = JSON.stringify(value);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  };

  const take = async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const { "x-hub-signature-256": signature, "x-github-delivery": id, "x-github-event": event } = request.headers;
    if (!signature || !id || !(await webhooks.verify(body, signature)))
      return answer(response, 401, { error: "bad_signature" });
    if (JSON.parse(body).ref !== "refs/heads/main") return answer(response, 200, { status: "ignored" });
    const values = [id, event, JSON.stringify(request.headers), body, request.socket.remoteAddress];
    const { rows } = await pool.query({ name: "store", text, values });
    if (rows.length === 0) return answer(response, 200, { status: "duplicate" });
    answer(response, 200, { status: "triggered", pipelineExecutionId: rows[0].id });
  };

  http
    .createServer((request, response) => {
      take(request, response).catch((error) => {
        console.error(error.message);
        answer(response, 503, { error: "unavailable" });
      });
    })
    .listen(Number(process.env.PORT), "127.0.0.1", 1024);
}
