#!/usr/bin/env bash
# curl.sh: a POST by hand, as the README shows it: curl, the signature by
# openssl, the rest by psql.
set -eu

passed=0
failed=0
here=$(cd "$(dirname "$0")" && pwd)
secret='correct horse'

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

ask() {
  psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

# send ARGUMENT...: the answer and, after a space, its status.
send() {
  curl -sS --noproxy '*' --max-time 20 -w ' %{http_code}' "$url" "$@"
}

sign() {
  openssl dgst -sha256 -hmac "$secret" "$@" | sed 's/.* //'
}

url=$(ask <<'SQL'
SELECT cp_webhook.create_pipeline('{"pipeline": {"name": "site", "stages": [
  {"name": "Source", "actions": [{"name": "GitHub", "configuration": {"Branch": "main"},
    "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}}]},
  {"name": "Deploy", "actions": [{"name": "Server",
    "actionTypeId": {"category": "Deploy", "owner": "Custom", "provider": "Rsync", "version": "1"}}]}]}}') \g /dev/null
SELECT cp_webhook.put_webhook('{"webhook": {"name": "site-push", "targetPipeline": "site", "targetAction": "GitHub",
  "filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}],
  "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "correct horse"}}}')
  -> 'webhook' ->> 'url';
SQL
)
check "the URL" "$url" 'http://localhost:[0-9]+/trigger/[A-Za-z0-9_-]+'
check "the view's URL" "$(ask -c "SELECT url FROM cp_webhook.webhooks WHERE name = 'site-push'")" "$url"

triggered='\{"status":"triggered","pipelineExecutionId":"([0-9a-f-]{36})"\} 200'

body='{"ref": "refs/heads/main", "head_commit": {"message": "A new start page"}}'
answer=$(send --data-binary "$body" -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
  -H "X-Hub-Signature-256: sha256=$(printf %s "$body" | sign)")
check "a signed push" "$answer" "$triggered"
execution=$(sed 's/.*"pipelineExecutionId":"\([^"]*\)".*/\1/' <<<"$answer")
check "its event" "$(ask -v id="$execution" <<<"SELECT pipeline, webhook, event, payload ->> 'ref', status
  FROM cp_webhook.trigger_events WHERE execution_id = :'id'")" \
  'site\|site-push\|push\|refs/heads/main\|InProgress'

file=$here/../payloads/github_push.json
answer=$(send --data-binary @"$file" -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
  -H 'Expect: 100-continue' -H "X-Hub-Signature-256: sha256=$(sign "$file")")
check "a push from a file, after 100 Continue" "$answer" "$triggered"

answer=$(send --data-binary @"$file" -H 'Content-Type: application/json' -H 'Transfer-Encoding: chunked' \
  -H "X-Hub-Signature-256: sha256=$(sign "$file")")
check "a push in chunks" "$answer" "$triggered"

form=$(printf 'payload=%s' '%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D')
answer=$(send --data-binary "$form" -H "X-Hub-Signature-256: sha256=$(printf %s "$form" | sign)")
check "a form, curl's own content type" "$answer" "$triggered"

answer=$(send --data-binary "$body" -H 'Content-Type: application/json')
check "without a signature" "$answer" '\{"error":"bad_signature","message":"[^"]+"\} 401'

echo "curl: $passed passed, $failed failed"
[ "$failed" = 0 ]
