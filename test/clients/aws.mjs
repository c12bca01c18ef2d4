// aws.mjs: the AWS SDK for JavaScript: answers, pages, and errors caught by
// their class.
import * as aws from "@aws-sdk/client-codepipeline";
import { Checks } from "./support.mjs";

const { ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, NOBODY_KEY, NOBODY_SECRET } = process.env;
const checks = new Checks("sdk");

function connect(accessKeyId, secretAccessKey, more = {}) {
  return new aws.CodePipelineClient({
    endpoint: ENDPOINT, region: "us-east-1", maxAttempts: 1, credentials: { accessKeyId, secretAccessKey, ...more },
  });
}

const client = connect(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY);
const type = (category) => ({ category, owner: "Custom", provider: "Any", version: "1" });
const pipeline = {
  name: "sdk",
  roleArn: "arn:aws:iam::000000000000:role/none",
  stages: [
    { name: "Source", actions: [{ name: "Repository", actionTypeId: type("Source"), configuration: { Branch: "main" } }] },
    { name: "Deploy", actions: [{ name: "Server", actionTypeId: type("Deploy") }] },
  ],
};
const webhook = {
  name: "sdk", targetPipeline: "sdk", targetAction: "Repository", authentication: "UNAUTHENTICATED",
  authenticationConfiguration: {}, filters: [{ jsonPath: "$.ref", matchEquals: "refs/heads/{Branch}" }],
};

// Whether the command fails with an instance of the class, and its status.
async function fails(name, command, exception, status = 400, by = client) {
  try {
    await by.send(command);
    checks.ok(false, `${name}: passed`);
  } catch (error) {
    checks.ok(error instanceof exception, `${name}: ${error.name}: ${error.message}`);
    checks.equal(error.$metadata.httpStatusCode, status, `${name}: its status`);
    checks.ok(/^[0-9a-f-]{36}$/.test(error.$metadata.requestId), `${name}: its request id`);
    return error;
  }
}

const made = await client.send(new aws.CreatePipelineCommand({ pipeline, tags: [{ key: "k", value: "v" }] }));
checks.equal(made.pipeline.version, 1, "CreatePipeline");
checks.equal(made.tags, [{ key: "k", value: "v" }], "its tags");
checks.ok(/^[0-9a-f-]{36}$/.test(made.$metadata.requestId), "its request id");
const put = await client.send(new aws.PutWebhookCommand({ webhook }));
checks.equal(Object.entries(put.webhook.definition).sort(), Object.entries(webhook).sort(), "PutWebhook");
const pushed = await fetch(put.webhook.url, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ref: "refs/heads/main" }),
});
const { pipelineExecutionId } = await pushed.json();
const { pipelineExecution } = await client.send(new aws.GetPipelineExecutionCommand({ pipelineName: "sdk", pipelineExecutionId }));
checks.equal(pipelineExecution.trigger.triggerType, "Webhook", "GetPipelineExecution");
const got = await client.send(new aws.GetPipelineCommand({ name: "sdk", version: undefined }));
checks.ok(got.metadata.created instanceof Date && Math.abs(Date.now() - got.metadata.created) < 120000, "a time is a Date");
for (let i = 0; i < 3; i++) await client.send(new aws.StartPipelineExecutionCommand({ name: "sdk" }));
let pages = 0;
const seen = new Set();
for await (const page of aws.paginateListPipelineExecutions({ client, pageSize: 3 }, { pipelineName: "sdk" })) {
  pages++;
  for (const summary of page.pipelineExecutionSummaries) seen.add(summary.pipelineExecutionId);
}
checks.equal([pages, seen.size, seen.has(pipelineExecutionId)], [2, 4, true], "pages");

const lost = await fails("no pipeline", new aws.GetPipelineCommand({ name: "none" }), aws.PipelineNotFoundException);
checks.equal(lost.message, "pipeline not found: 'none'", "its message");
await fails("no version", new aws.GetPipelineCommand({ name: "sdk", version: 9 }), aws.PipelineVersionNotFoundException);
await fails("a name in use", new aws.CreatePipelineCommand({ pipeline }), aws.PipelineNameInUseException);
await fails("a wrong name", new aws.GetPipelineCommand({ name: "a b" }), aws.ValidationException);
await fails("a filter that is none",
  new aws.PutWebhookCommand({ webhook: { ...webhook, filters: [{ jsonPath: "$[" }] } }), aws.InvalidWebhookFilterPatternException);
await fails("authentication without its secret",
  new aws.PutWebhookCommand({ webhook: { ...webhook, authentication: "GITHUB_HMAC" } }), aws.InvalidWebhookAuthenticationParametersException);
await fails("a token that is none", new aws.ListWebhooksCommand({ NextToken: "odd" }), aws.InvalidNextTokenException);
await fails("no resource", new aws.ListTagsForResourceCommand({ resourceArn: "arn:aws:codepipeline:us-east-1:000000000000:none" }),
  aws.ResourceNotFoundException);
await fails("no execution", new aws.GetPipelineExecutionCommand({
  pipelineName: "sdk", pipelineExecutionId: "00000000-0000-0000-0000-000000000000" }), aws.PipelineExecutionNotFoundException);
for (const [name, by, expected] of [
  ["a wrong secret", connect(AWS_ACCESS_KEY_ID, "wrong"), "InvalidSignatureException"],
  ["an unknown key", connect("CPWAAAAAAAAAAAAAAAAA", "wrong"), "UnrecognizedClientException"],
  ["a role without rights", connect(NOBODY_KEY, NOBODY_SECRET), "AccessDeniedException"],
]) {
  const error = await fails(name, new aws.ListWebhooksCommand({}), aws.CodePipelineServiceException, 400, by);
  checks.equal(error?.name, expected, `${name}: its name`);
}
const session = connect(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, { sessionToken: "of/a+session==" });
checks.equal((await session.send(new aws.ListWebhooksCommand({}))).webhooks.length, 1, "a session token");

await client.send(new aws.DeleteWebhookCommand({ name: "sdk" }));
await client.send(new aws.DeletePipelineCommand({ name: "sdk" }));
checks.equal((await client.send(new aws.ListWebhooksCommand({}))).webhooks, [], "DeleteWebhook");
checks.end();
