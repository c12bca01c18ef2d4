-- time.sql: the time of json_path() for each of the texts, in milliseconds.
SET client_min_messages = warning;
\pset tuples_only on
ALTER TABLE texts ADD milliseconds numeric, ADD outcome text;

-- Twice a text: the lesser time counts. A regular expression that has been
-- compiled is kept by the server, so that a like_regex counts at its first.
CREATE FUNCTION take_time(path text, OUT milliseconds numeric, OUT outcome text) LANGUAGE plpgsql AS $$
DECLARE
  start timestamptz;
  again numeric;
BEGIN
  FOR i IN 1 .. CASE WHEN path ~ 'like_regex|match|search|=~|length|size' THEN 1 ELSE 2 END LOOP
    start := clock_timestamp();
    BEGIN
      PERFORM cp_webhook.json_path(path);
      outcome := 'compiled';
    EXCEPTION WHEN SQLSTATE 'CP003' THEN
      outcome := 'refused';
    END;
    again := 1000 * extract(epoch FROM clock_timestamp() - start);
    milliseconds := least(milliseconds, again);
  END LOOP;
END
$$;

UPDATE texts t SET (milliseconds, outcome) = (SELECT x.milliseconds, x.outcome FROM take_time(t.path) x);

-- Those that were slow, in new sessions, whose servers have compiled nothing.
\c
CREATE TEMPORARY TABLE again AS
SELECT path, (take_time(path)).milliseconds FROM texts WHERE milliseconds > 10;
UPDATE texts t SET milliseconds = least(t.milliseconds, a.milliseconds) FROM again a WHERE a.path = t.path;
\c
CREATE TEMPORARY TABLE again AS
SELECT path, (take_time(path)).milliseconds FROM texts WHERE milliseconds > 10;
UPDATE texts t SET milliseconds = least(t.milliseconds, a.milliseconds) FROM again a WHERE a.path = t.path;
\c
CREATE TEMPORARY TABLE again AS
SELECT path, (take_time(path)).milliseconds FROM texts WHERE milliseconds > 10;
UPDATE texts t SET milliseconds = least(t.milliseconds, a.milliseconds) FROM again a WHERE a.path = t.path;

SELECT format('%s ms  %s  %s', round(milliseconds, 2), outcome, path) FROM texts ORDER BY milliseconds DESC LIMIT 10;
SELECT format('%s texts, %s compiled, %s refused; median %s ms, the slowest %s ms', count(*),
              count(*) FILTER (WHERE outcome = 'compiled'), count(*) FILTER (WHERE outcome = 'refused'),
              round((percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds))::numeric, 3), round(max(milliseconds), 2))
FROM texts;
SELECT max(milliseconds) > 10 AS slow FROM texts \gset
\if :slow
DO $$ BEGIN RAISE 'a text takes over 10 ms'; END $$;
\endif
