-- judge.sql: answers every case and says how that compares. run puts the cases
-- where they belong.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

CREATE TABLE cases (
  suite text, name text, kind text, path text, document text, results text, note text,
  verdict text, reason text, answer jsonb
);

-- Whether jsonb would lose a member.
CREATE FUNCTION repeats(value json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  CASE json_typeof(value)
    WHEN 'object' THEN
      RETURN (SELECT count(*) > count(DISTINCT key) OR bool_or(repeats(e.value)) FROM json_each(value) e);
    WHEN 'array' THEN
      RETURN (SELECT bool_or(repeats(e.value)) FROM json_array_elements(value) e);
    ELSE RETURN false;
  END CASE;
END
$$;

CREATE FUNCTION sorted(value jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(e.value ORDER BY e.value), '[]') FROM jsonb_array_elements(value) e
$$;

-- The verdict on one case: same, refused, different; or what rules it out.
CREATE PROCEDURE judge(c INOUT cases) LANGUAGE plpgsql AS $$
DECLARE
  compiled jsonpath;
  document jsonb;
BEGIN
  IF c.path LIKE '%<NUL>%' THEN
    c.verdict := 'ruled out';
    c.reason := 'no text holds U+0000';
    RETURN;
  END IF;
  BEGIN
    compiled := cp_webhook.json_path(c.path);
  EXCEPTION WHEN SQLSTATE 'CP003' THEN
    c.verdict := CASE WHEN c.path LIKE '%\\u0000%' THEN 'ruled out' ELSE 'refused' END;
    c.reason := regexp_replace(SQLERRM, '^InvalidWebhookFilterPatternException: ', '');
    RETURN;
  END;
  IF c.kind = 'invalid' THEN
    BEGIN
      c.verdict := CASE WHEN c.path::jsonpath::text = compiled::text THEN 'jsonpath' ELSE 'accepted' END;
    EXCEPTION WHEN syntax_error THEN
      c.verdict := 'accepted';
    END;
    c.reason := compiled;
    RETURN;
  END IF;
  BEGIN
    document := c.document::jsonb;
    IF repeats(c.document::json) THEN
      RAISE data_exception USING MESSAGE = 'a repeated key';
    END IF;
  EXCEPTION WHEN data_exception THEN
    c.verdict := 'ruled out';
    c.reason := SQLERRM;
    RETURN;
  END;
  BEGIN
    c.answer := sorted(jsonb_path_query_array(document, compiled, '{}', true));
  EXCEPTION WHEN undefined_object THEN
    c.verdict := 'refused';
    c.reason := SQLERRM;
    RETURN;
  END;
  c.reason := compiled;
  IF c.results IS NULL THEN
    c.verdict := 'answered';
  ELSIF EXISTS (SELECT FROM jsonb_array_elements(c.results::jsonb) r WHERE sorted(r.value) = c.answer) THEN
    c.verdict := 'same';
  ELSE
    c.verdict := 'different';
  END IF;
END
$$;

COPY cases (suite, name, kind, path, document, results, note) FROM STDIN;
-- cases
DO $$
DECLARE
  c cases;
BEGIN
  FOR c IN TABLE cases LOOP
    CALL judge(c);
    UPDATE cases SET verdict = c.verdict, reason = c.reason, answer = c.answer
    WHERE (suite, name, kind) = (c.suite, c.name, c.kind) AND path = c.path;
  END LOOP;
END
$$;

CREATE VIEW sums AS
SELECT suite, kind, count(*) AS cases, count(*) FILTER (WHERE verdict = 'same') AS same,
       count(*) FILTER (WHERE verdict = 'refused') AS refused,
       count(*) FILTER (WHERE verdict = 'different') AS different,
       count(*) FILTER (WHERE verdict = 'ruled out') AS ruled_out,
       count(*) FILTER (WHERE verdict = 'jsonpath') AS jsonpath,
       count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE verdict = 'answered') AS answered
FROM cases GROUP BY suite, kind;

\echo '== what is not the same (comparison: where Java JsonPath agrees with the consensus)'
SELECT format('%s %s: %s  %s%s%s', suite, verdict, name, path, E'\n    ' || reason,
              CASE WHEN verdict = 'different' THEN format(E'\n    %s, not %s', answer, results) END)
FROM cases
WHERE (kind = 'invalid' AND verdict <> 'refused') OR (kind IN ('valid', 'agreed') AND verdict <> 'same')
ORDER BY suite, verdict, name;

\echo '== where Java JsonPath answers otherwise than the consensus'
SELECT format('%s: %s  %s%s', verdict, name, path,
              CASE WHEN verdict = 'different' THEN format(E'\n    %s, the consensus is %s, Java JsonPath''s %s', answer, results, note) END)
FROM cases WHERE kind = 'other' AND verdict <> 'same' ORDER BY verdict, name;

\echo '== sums'
SELECT format('RFC 9535, valid: %s cases: %s same (%s %%), %s refused, %s different, %s ruled out by jsonb',
              cases, same, round(100.0 * same / cases, 1), refused, different, ruled_out)
FROM sums WHERE suite = 'rfc' AND kind = 'valid';
SELECT format('RFC 9535, invalid: %s cases: %s refused (%s %% of those that are no jsonpath), %s jsonpath, %s accepted, %s ruled out',
              cases, refused, round(100.0 * refused / (cases - jsonpath - ruled_out), 1), jsonpath, accepted, ruled_out)
FROM sums WHERE suite = 'rfc' AND kind = 'invalid';
SELECT format('comparison, %s: %s cases: %s same, %s refused, %s different, %s ruled out by jsonb, %s answered',
              CASE kind WHEN 'agreed' THEN 'Java JsonPath and the consensus agree'
                        WHEN 'other' THEN 'Java JsonPath is not of the consensus'
                        ELSE 'no consensus on a result' END,
              cases, same, refused, different, ruled_out, answered)
FROM sums WHERE suite = 'comparison' ORDER BY kind;

SELECT bool_or(CASE kind WHEN 'valid' THEN different > 0 OR same < 0.85 * cases
                         WHEN 'invalid' THEN refused < 0.9 * (cases - jsonpath - ruled_out)
                         WHEN 'agreed' THEN different > 0
                         ELSE false END) AS missed
FROM sums \gset
\if :missed
DO $$ BEGIN RAISE 'a target is missed'; END $$;
\endif
