#!/usr/bin/env bash
# load.sh: consumers under load, killed again and again: each execution is
# completed exactly once, and those of a QUEUED pipeline in order. The server is
# the caller's (PGHOST ...).
#
#   SIZE=2000   executions of each of two pipelines
#   CONSUMERS="python1 python2 node1 node2 psql1"   who consumes
#   PAUSE=0.2   seconds between two kills
set -eu
here=$(cd "$(dirname "$0")" && pwd)
size=${SIZE:-2000}
pause=${PAUSE:-0.2}
passed=0
failed=0
kills=0
declare -A consumers=()

ask() {
  psql -XqAt -v ON_ERROR_STOP=1 "$@"
}

check() {
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'not ok: %s: %s, expected %s\n' "$1" "$2" "$3"
  fi
}

# consume SLOT: starts the consumer of that slot.
consume() {
  case $1 in
    python*) "$here/consume.py" load_queued >/dev/null 2>&1 & ;;
    node*) LEASE='2 seconds' node "$here/consume.mjs" load_parallel >/dev/null 2>&1 & ;;
    psql*) "$here/consume.sh" >/dev/null 2>&1 & ;;
  esac
  consumers[$1]=$!
}

# end_consumer SLOT: without a word, as a crash would.
end_consumer() {
  kill -KILL "${consumers[$1]}" 2>/dev/null || true
  wait "${consumers[$1]}" 2>/dev/null || true
}

at_exit() {
  local slot
  for slot in "${!consumers[@]}"; do
    end_consumer "$slot"
  done
}
trap at_exit EXIT

ask <<'SQL'
CREATE TABLE IF NOT EXISTS work_done (n bigserial, execution uuid NOT NULL, worker text NOT NULL);
TRUNCATE work_done;
CREATE TABLE completions (execution uuid);
CREATE FUNCTION note_completion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.completions VALUES (NEW.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER note_completion AFTER UPDATE ON cp_webhook.executions FOR EACH ROW
  WHEN (NEW.status = 'Succeeded' AND OLD.status <> 'Succeeded' AND NEW.pipeline LIKE 'load\_%') EXECUTE FUNCTION note_completion();
SELECT cp_webhook.create_pipeline(jsonb_build_object('pipeline', jsonb_build_object('name', 'load_' || lower(mode), 'executionMode', mode,
  'stages', '[{"name": "Source", "actions": [{"name": "Hook", "actionTypeId": {"category": "Source", "owner": "Custom", "provider": "Hook", "version": "1"}}]},
              {"name": "Build", "actions": [{"name": "Make", "actionTypeId": {"category": "Build", "owner": "Custom", "provider": "Make", "version": "1"}}]}]'::jsonb)))
  FROM unnest('{QUEUED,PARALLEL}'::text[]) mode \g /dev/null
SQL

# start NUMBER: executions of each pipeline, a few a transaction.
start() {
  ask -v size="$1" <<'SQL'
SELECT format('DO $do$ BEGIN FOR i IN 1 .. %s LOOP
  PERFORM cp_webhook.start_pipeline_execution(jsonb_build_object(%L, name)) FROM unnest(%L::text[]) name;
  IF i %% 5 = 0 THEN COMMIT; END IF; END LOOP; END $do$', :size, 'name', '{load_queued,load_parallel}') \gexec
SQL
}

# Some before, whose order is that of their ids; the others while they consume,
# from four sessions, whose transactions may end in another order.
part=$((size / 5))
start "$part"
last=$(ask -c "SELECT id FROM cp_webhook.executions ORDER BY id DESC LIMIT 1")

read -ra slots <<<"${CONSUMERS:-python1 python2 node1 node2 psql1}"
for slot in "${slots[@]}"; do
  consume "$slot"
done

starters=()
for session in 1 2 3 4; do
  start "$part" &
  starters+=($!)
done

left() {
  ask -c "SELECT count(*) FROM cp_webhook.executions WHERE pipeline LIKE 'load\_%' AND status = 'InProgress'"
}

began=$SECONDS
while [ "$(left)" != 0 ] || [ -n "$(jobs -rp | grep -xF "$(printf '%s\n' "${starters[@]}")")" ]; do
  if [ $((SECONDS - began)) -gt "$((240 + size / 20))" ]; then
    break
  fi
  slot=${slots[RANDOM % ${#slots[@]}]}
  end_consumer "$slot"
  consume "$slot"
  kills=$((kills + 1))
  sleep "$pause"
done
wait "${starters[@]}" || true
seconds=$((SECONDS - began))

total=$((10 * part))
check "all have succeeded" "$(ask -c "SELECT count(*) FROM cp_webhook.executions WHERE pipeline LIKE 'load\_%' AND status = 'Succeeded'")" "$total"
check "each was completed exactly once" "$(ask -c 'SELECT count(*) || $$ of $$ || count(DISTINCT execution) FROM completions')" "$total of $total"
check "work in the claim's transaction was done exactly once" "$(ask -c 'SELECT count(*) - count(DISTINCT execution) FROM work_done')" 0
check "of the QUEUED ones all of it" "$(ask -c "SELECT count(*) FROM work_done w JOIN cp_webhook.executions e ON e.id = w.execution WHERE e.pipeline = 'load_queued'")" "$((total / 2))"
check "the QUEUED ones from before were done in their order" "$(ask -c "
  SELECT count(*) FROM (SELECT execution, lead(execution) OVER (ORDER BY n) AS next FROM work_done d JOIN cp_webhook.executions e ON e.id = d.execution
                         WHERE e.pipeline = 'load_queued' AND d.execution <= '$last') o WHERE next < execution")" 0
# What was started out of order (an older id committed later) is no fault.
check "no QUEUED one was overtaken" "$(ask -c "
  SELECT count(*) FROM (SELECT e.id, e.started_at, lead(e.id) OVER w AS next, lead(e.created_at) OVER w AS next_created
                          FROM work_done d JOIN cp_webhook.executions e ON e.id = d.execution
                         WHERE e.pipeline = 'load_queued' WINDOW w AS (ORDER BY d.n)) o
   WHERE o.next < o.id AND o.next_created < o.started_at - interval '1 second'")" 0
check "none ran while another did" "$(ask -c "
  SELECT count(*) FROM (SELECT e.started_at, lag(e.ended_at) OVER (ORDER BY d.n) AS ended_before
                          FROM work_done d JOIN cp_webhook.executions e ON e.id = d.execution WHERE e.pipeline = 'load_queued') o
   WHERE o.started_at < o.ended_before")" 0
check "consumers were killed" "$([ "$kills" -gt 0 ] && echo yes)" yes
echo "load: $total executions, $kills kills, $seconds s, $(ask -c "SELECT count(*) FILTER (WHERE attempts > 1) FROM cp_webhook.executions WHERE pipeline LIKE 'load\_%'") claimed more than once"
ask -c 'DROP TRIGGER note_completion ON cp_webhook.executions' -c 'DROP FUNCTION note_completion' -c 'DROP TABLE completions'
echo "load: $passed passed, $failed failed"
[ "$failed" = 0 ]
