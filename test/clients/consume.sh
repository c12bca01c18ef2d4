#!/bin/sh
# Does the work of executions with psql alone, each exactly once: claim, work
# and end are one transaction. psql can't wait for a notification: it looks
# again after a second.
worker=$(hostname)-$$
while :; do
  found=$(psql -XqAt -v ON_ERROR_STOP=1 -v worker="$worker" <<'SQL'
BEGIN;
SELECT id, nonce FROM (VALUES (1)) one LEFT JOIN cp_webhook.claim_executions(:'worker') ON true \gset
\if :{?id}
  INSERT INTO work_done (execution, worker) VALUES (:'id', :'worker');
  SELECT cp_webhook.complete_execution(:'id', :'nonce') \g /dev/null
  \echo found
\endif
COMMIT;
SQL
  )
  [ -n "$found" ] || sleep 1
done
