#!/usr/bin/env bash
# aws.sh: Debian's aws command and curl, and nothing else: a pipeline, a webhook,
# a signed push to the URL that it has, the execution, and the end of it all.
# Then every operation once, pages, and errors. ENDPOINT, AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY come from run.
set -eu

passed=0
failed=0
secret='correct horse'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME ACTUAL PATTERN: the whole of ACTUAL matches the extended regular
# expression.
check() {
  if [[ $2 =~ ^($3)$ ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'not ok: %s: %s\n' "$1" "$2"
  fi
}

# call OPERATION ARGUMENT...: its answer; what --debug says is kept.
call() {
  /usr/bin/aws --endpoint-url "$ENDPOINT" --debug codepipeline "$@" 2>"$scratch/debug" || {
    tail -n 3 "$scratch/debug"
    return 0
  }
  grep -E 'WARN|Traceback' "$scratch/debug" >>"$scratch/warnings" || true
}

# refused OPERATION ARGUMENT...: the name of the exception.
refused() {
  /usr/bin/aws --endpoint-url "$ENDPOINT" codepipeline "$@" 2>&1 | sed -n 's/^An error occurred (\([A-Za-z]*\)) .*/\1/p'
}

# ---- the life of a webhook ----

cat >"$scratch/pipeline.json" <<'JSON'
{"name": "shop", "roleArn": "arn:aws:iam::000000000000:role/none", "stages": [
  {"name": "Source", "actions": [{"name": "GitHub", "configuration": {"Branch": "main", "OAuthToken": "hidden"},
    "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}}]},
  {"name": "Deploy", "actions": [{"name": "Server",
    "actionTypeId": {"category": "Deploy", "owner": "Custom", "provider": "Rsync", "version": "1"}}]}]}
JSON
cat >"$scratch/webhook.json" <<JSON
{"name": "shop-push", "targetPipeline": "shop", "targetAction": "GitHub",
  "filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}],
  "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "$secret"}}
JSON

check create-pipeline "$(call create-pipeline --pipeline "file://$scratch/pipeline.json" --tags key=team,value=shop \
  --query '[pipeline.name, pipeline.version, tags[0].value]' --output text)" 'shop\s1\sshop'
url=$(call put-webhook --webhook "file://$scratch/webhook.json" --tags key=team,value=shop --query webhook.url --output text)
check put-webhook "$url" 'http://localhost:[0-9]+/trigger/[A-Za-z0-9_-]{43}'

body='{"ref": "refs/heads/main", "head_commit": {"message": "A new start page"}}'
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/.* //')
answer=$(curl -sS --noproxy '*' --max-time 20 "$url" --data-binary "$body" -H 'Content-Type: application/json' \
  -H 'X-GitHub-Event: push' -H "X-Hub-Signature-256: sha256=$signature")
check "a signed push" "$answer" '\{"status":"triggered","pipelineExecutionId":"[0-9a-f-]{36}"\}'
execution=$(sed 's/.*"pipelineExecutionId":"\([^"]*\)".*/\1/' <<<"$answer")
check list-pipeline-executions "$(call list-pipeline-executions --pipeline-name shop \
  --query 'pipelineExecutionSummaries[].[pipelineExecutionId, status, trigger.triggerType, trigger.triggerDetail]' --output text)" \
  "$execution\sInProgress\sWebhook\sarn:aws:codepipeline:us-east-1:000000000000:webhook:shop-push"
check "its time" "$(call list-pipeline-executions --pipeline-name shop --query 'pipelineExecutionSummaries[0].startTime' --output text)" \
  "$(date -u +%Y)-.*"

# ---- every operation ----

check list-webhooks "$(call list-webhooks --query 'webhooks[].[definition.name, definition.authenticationConfiguration.SecretToken, tags[0].key]' \
  --output text)" 'shop-push\s\*\*\*\*\steam'
check get-pipeline "$(call get-pipeline --name shop --query '[pipeline.stages[0].actions[0].configuration.OAuthToken, metadata.pipelineArn]' \
  --output text)" '\*\*\*\*\sarn:aws:codepipeline:us-east-1:000000000000:shop'
check update-pipeline "$(call update-pipeline --pipeline "file://$scratch/pipeline.json" --query pipeline.version --output text)" 2
check "get-pipeline of a version" "$(call get-pipeline --name shop --pipeline-version 1 --query pipeline.version --output text)" 1
check list-pipelines "$(call list-pipelines --query 'pipelines[].name' --output text)" shop
check get-pipeline-execution "$(call get-pipeline-execution --pipeline-name shop --pipeline-execution-id "$execution" \
  --query '[pipelineExecution.status, pipelineExecution.pipelineVersion]' --output text)" 'InProgress\s1'
check stop-pipeline-execution "$(call stop-pipeline-execution --pipeline-name shop --pipeline-execution-id "$execution" --abandon \
  --reason 'no more' --query pipelineExecutionId --output text)" "$execution"
started=$(call start-pipeline-execution --name shop --client-request-token once --query pipelineExecutionId --output text)
check start-pipeline-execution "$started" '[0-9a-f-]{36}'
check "again with its token" "$(call start-pipeline-execution --name shop --client-request-token once --query pipelineExecutionId --output text)" "$started"
arn=arn:aws:codepipeline:us-east-1:000000000000:webhook:shop-push
check tag-resource "$(call tag-resource --resource-arn "$arn" --tags key=a,value=b key=c,value=d)" ''
check untag-resource "$(call untag-resource --resource-arn "$arn" --tag-keys team c)" ''
check list-tags-for-resource "$(call list-tags-for-resource --resource-arn "$arn" --query 'tags[].[key, value]' --output text)" 'a\sb'
for operation in register-webhook-with-third-party deregister-webhook-with-third-party; do
  check "$operation" "$(refused "$operation" --webhook-name none)" WebhookNotFoundException
done

# ---- pages ----

for name in a b c d e; do
  sed "s/\"shop-push\"/\"page-$name\"/" "$scratch/webhook.json" >"$scratch/page.json"
  call put-webhook --webhook "file://$scratch/page.json" >/dev/null
done
check "all pages of one item" "$(call list-webhooks --page-size 1 --query 'webhooks[].definition.name' --output text | tr '\n\t' '  ')" \
  'page-a page-b page-c page-d page-e shop-push ?'
call list-webhooks --max-items 2 --output json >"$scratch/first"
check "--max-items" "$(grep -o '"name": "page-[a-z]"' "$scratch/first" | tr -d '\n')" '"name": "page-a""name": "page-b"'
token=$(sed -n 's/.*"NextToken": "\([^"]*\)".*/\1/p' "$scratch/first")
check "--starting-token" "$(call list-webhooks --max-items 2 --starting-token "$token" --query 'webhooks[].definition.name' --output text | head -n 1)" 'page-c\spage-d'
for name in a b c d e; do
  check "delete-webhook page-$name" "$(call delete-webhook --name "page-$name")" ''
done

# ---- errors ----

check "no pipeline" "$(refused get-pipeline --name none)" PipelineNotFoundException
check "a name that is none" "$(refused get-pipeline --name 'a b')" ValidationException
check "an operation that is not there" "$(refused list-action-types)" UnknownOperationException
check "a wrong secret" "$(AWS_SECRET_ACCESS_KEY=wrong refused list-webhooks)" InvalidSignatureException
check "an unknown key" "$(AWS_ACCESS_KEY_ID=CPWAAAAAAAAAAAAAAAAA refused list-webhooks)" UnrecognizedClientException
check "another region" "$(refused list-webhooks --region eu-west-1)" InvalidSignatureException
check "not signed" "$(refused list-webhooks --no-sign-request)" MissingAuthenticationTokenException
check "a role without rights" "$(AWS_ACCESS_KEY_ID=$NOBODY_KEY AWS_SECRET_ACCESS_KEY=$NOBODY_SECRET refused list-webhooks)" AccessDeniedException

# ---- the end ----

check delete-webhook "$(call delete-webhook --name shop-push)" ''
check delete-pipeline "$(call delete-pipeline --name shop)" ''
check "nothing is left" "$(call list-webhooks --query 'length(webhooks)')$(call list-pipelines --query 'length(pipelines)')" 00
check "the URL is gone" "$(curl -s --noproxy '*' --max-time 20 -o /dev/null -w '%{http_code}' -d '{}' "$url")" 404
check "--debug warns of nothing" "$(cat "$scratch/warnings" 2>/dev/null | head -n 5)" ''

echo "aws: $passed passed, $failed failed"
[ "$failed" = 0 ]
