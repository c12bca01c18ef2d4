-- json_path(text): what a filter's path means.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS cp_webhook;

-- What a path selects in a document: the translation, and the values in
-- jsonb's order; or the error, without what the server's own parser says: that
-- differs from version to version.
CREATE FUNCTION pg_temp.try(path text, document jsonb DEFAULT NULL, OUT translation text, OUT selected jsonb, OUT problem text)
LANGUAGE plpgsql AS $$
BEGIN
  translation := cp_webhook.json_path(path);
  selected := (SELECT coalesce(jsonb_agg(v ORDER BY v), '[]') FROM jsonb_path_query(document, translation::jsonpath, '{}', true) v);
EXCEPTION WHEN OTHERS THEN
  problem := regexp_replace(SQLERRM, '^InvalidWebhookFilterPatternException', SQLSTATE);
  problem := regexp_replace(problem, '(, for a jsonpath of PostgreSQL, )(?!its ).*', '\1...');
END
$$;

-- The same on a row of documents, without the translation.
CREATE FUNCTION pg_temp.among(path text, documents jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(problem, selected::text) FROM pg_temp.try(path, documents)
$$;

-- ---------------------------------------------------------------------------
-- Segments and selectors
-- ---------------------------------------------------------------------------
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
\set document '\'{"ref": "refs/heads/main", "n": 1, "": 0, "é": 2, "a b": {"c\\"d": 3, "x-y": 4}, "list": [10, [11, 12], {"id": 13}, "s"], "commits": [{"id": "a1", "files": ["x", "y"]}, {"id": "b2", "files": []}, {"id": 3}], "nil": null}\'::jsonb'

SELECT p.path, t.* FROM (VALUES
  (1, '$'), (2, '$.ref'), (3, '$[''ref'']'), (4, '$["ref"]'), (5, '$ [ ''ref'' ]'), (6, '$.é'), (7, '$[""]'),
  (8, '$[''a b''][''c"d'']'), (9, '$["a b"]["c\"d"]'), (10, '$["\u0061 b"].x-y'), (11, '$.absent'), (12, '$.ref.deeper'), (13, '$.list.id'),
  (14, '$.commits.id'), (15, '$.nil'), (16, '$.nil.x'),
  (20, '$.list[0]'), (21, '$.list[-1]'), (22, '$.list[-4]'), (23, '$.list[-5]'), (24, '$.list[4]'), (25, '$.ref[0]'), (26, '$[0]'),
  (27, '$.list[9007199254740991]'), (28, '$.list[-9007199254740991]'), (29, '$.list[1][1]'),
  (30, '$.commits[*].id'), (31, '$.commits.*.id'), (32, '$.*.id'), (33, '$["a b"].*'), (34, '$.ref.*'), (35, '$.list[*]'),
  (40, '$.list[0,2]'), (41, '$.list[0,0]'), (42, '$.list[-1,0:2]'), (43, '$["ref","n"]'), (44, '$.list["a","b"]'), (45, '$["ref","absent"]'),
  (46, '$.commits[*]["id","files"]'),
  (50, '$..id'), (51, '$..["id","n"]'), (52, '$..[0]'), (53, '$.commits..*'), (54, '$..files[0]'), (55, '$.list..[-1]'), (56, '$..[1:]'),
  (57, '$.commits..[?@.id]'), (58, '$..absent'),
  (60, '$.list[1:3]'), (61, '$.list[:2]'), (62, '$.list[2:]'), (63, '$.list[-2:]'), (64, '$.list[:-2]'), (65, '$.list[::]'), (66, '$.list[3:1]'),
  (67, '$.list[0:4:2]'), (68, '$.list[1:113667776004:113667776004]'), (69, '$.list[::-1]'), (70, '$.list[2:0:-1]'), (71, '$.list[-3::2]'),
  (72, '$.list[3::-2]'), (73, '$.list[0:4:0]'), (74, '$.ref[0:1]'), (75, '$.list[ 1 : 3 : 1 ]')
) AS p (number, path), LATERAL pg_temp.try(p.path, :document) t ORDER BY p.number;

-- Surrogate pairs, and escapes.
SELECT pg_temp.try('$["\uD83D\uDE00\/\b\f\n\r\t\\"]', jsonb_build_object(E'😀/\b\f\n\r\t\\', 1));
SELECT pg_temp.try($$$['\'"']$$, '{"''\"": 1}');

-- Slices: all small ones on all small arrays, against the RFC's algorithm.
CREATE FUNCTION pg_temp.slice(size int, first int, past int, step int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  found int[] := '{}';
  lower int;
  upper int;
  i int;
BEGIN
  IF step = 0 THEN
    RETURN '[]';
  END IF;
  first := coalesce(first, CASE WHEN step > 0 THEN 0 ELSE size - 1 END);
  past := coalesce(past, CASE WHEN step > 0 THEN size ELSE - size - 1 END);
  IF first < 0 THEN first := size + first; END IF;
  IF past < 0 THEN past := size + past; END IF;
  IF step > 0 THEN
    lower := least(greatest(first, 0), size);
    upper := least(greatest(past, 0), size);
    i := lower;
    WHILE i < upper LOOP found := found || i; i := i + step; END LOOP;
  ELSE
    upper := least(greatest(first, -1), size - 1);
    lower := least(greatest(past, -1), size - 1);
    i := upper;
    WHILE lower < i LOOP found := found || i; i := i + step; END LOOP;
  END IF;
  RETURN (SELECT coalesce(jsonb_agg(f ORDER BY f), '[]') FROM unnest(found) f);
END
$$;
CREATE TEMPORARY TABLE slices AS
SELECT first, past, step, format('$[%s:%s:%s]', first, past, step) AS path, NULL::jsonpath AS translation
FROM (SELECT n FROM generate_series(-6, 6) n UNION ALL SELECT NULL) f (first), (SELECT n FROM generate_series(-6, 6) n UNION ALL SELECT NULL) p (past),
     unnest('{-4,-3,-2,-1,0,1,2,3,4}'::int[]) step;
UPDATE slices SET translation = (SELECT t.translation FROM pg_temp.try(path) t)::jsonpath;
SELECT count(*) AS slices, count(*) FILTER (WHERE translation IS NULL) AS refused FROM slices;
SELECT count(*) AS compared, count(*) FILTER (WHERE selected <> pg_temp.slice(size, first, past, step)) AS different
FROM (SELECT *, (SELECT coalesce(jsonb_agg(v ORDER BY v), '[]')
                 FROM jsonb_path_query((SELECT coalesce(jsonb_agg(g), '[]') FROM generate_series(0, size - 1) g), translation) v) AS selected
      FROM slices, generate_series(0, 5) size WHERE translation IS NOT NULL) s;
-- Only steps through any number of elements are refused.
SELECT string_agg(path, ' ' ORDER BY path COLLATE "C") FROM slices WHERE translation IS NULL AND abs(step) = 2 AND coalesce(first, 0) IN (-1, 0, 1) AND coalesce(past, 1) IN (-1, 0, 1);
SELECT pg_temp.among('$[0:64:1]', '[1]'), pg_temp.among('$[0:128:2]', '[1]'), pg_temp.among('$[0:129:2]', '[1]');

-- ---------------------------------------------------------------------------
-- Filters
-- ---------------------------------------------------------------------------
\set items '\'[{"a": 1, "b": 2}, {"a": "x", "b": "y"}, {"a": null}, {"a": true, "b": false}, {"a": [1, 2]}, {"a": {"k": 1}}, {"b": 1}, 7, "x", []]\'::jsonb'
SELECT p.path, t.* FROM (VALUES
  (1, '$[?@.a]'), (2, '$[?(@.a)]'), (3, '$[?!@.a]'), (4, '$[?@]'), (5, '$[?$[0].a]'), (6, '$[?$[0].c]'), (7, '$[?@.a[0]]'), (8, '$[?@.*]'), (9, '$[?@..k]'),
  (10, '$[?@.a == 1]'), (11, '$[?(@.a == ''x'')]'), (12, '$[?@.a == "x"]'), (13, '$[?@.a == null]'), (14, '$[?@.a == true]'), (15, '$[?@ == 7]'),
  (16, '$[?@.a != 1]'), (17, '$[?@.a != null]'), (18, '$[?1 == @.a]'), (19, '$[?@.a == 1.0]'), (20, '$[?@.a == 10e-1]'),
  (21, '$[?@.a < 2]'), (22, '$[?2 > @.a]'), (23, '$[?@.a >= ''x'']'), (24, '$[?@.a < true]'), (25, '$[?@.a <= true]'), (26, '$[?@.a <= null]'), (27, '$[?@.a < null]'),
  (28, '$[?@.b < @.a]'), (29, '$[?@.a > @.b]'), (30, '$[?@.a == @.a]'), (31, '$[?@.a != @[''a'']]'), (32, '$[?@.a <= @.a]'), (33, '$[?@.b == $[0].b]'),
  (34, '$[?1 == 1]'), (35, '$[?''a'' < "b"]'), (36, '$[?1 != ''1'']'), (37, '$[?true <= true]'), (38, '$[?null == false]'),
  (40, '$[?@.a && @.b]'), (41, '$[?@.a == 1 || @.b == 1]'), (42, '$[?!(@.a == 1)]'), (43, '$[?!(@.a == 1 || @.a == null) && @.a]'), (44, '$[?(@.a == 1 || @.b == 1) && @.b]'),
  (45, '$[?@.a == 1 || @.b == 1 && @.c]'), (46, '$[?!(!(@.a == 1))]'), (47, '$[?@.a == 1 && @.b == 2 && !@.c]'),
  (50, '$[?@.a[?@ > 1]]'), (51, '$[?@[''a'', 0]]'), (52, '$[?@[?@ == 1, ?@ == ''y'']]'), (53, '$[?!@[''a'', ''a'']]'), (54, '$[?@ .a [0] == 1]')
) AS p (number, path), LATERAL pg_temp.try(p.path, :items) t ORDER BY p.number;

-- Every comparison of any two values, against the RFC's table. What a document
-- decides is an error where two arrays or two objects meet, nothing else is.
CREATE TEMPORARY TABLE vals (number int GENERATED ALWAYS AS IDENTITY, val jsonb);
INSERT INTO vals (val) VALUES (NULL), ('null'), ('true'), ('false'), ('0'), ('1'), ('1.0'), ('-1.5'), ('1e2'), ('""'), ('"a"'), ('"b"'), ('"1"'), ('"Z"'), ('"é"'), ('"😀"'), ('"true"'),
  ('[]'), ('[1]'), ('[2]'), ('[1,2]'), ('{}'), ('{"x":1}'), ('{"x":2}'), ('{"x":1,"y":2}');
CREATE FUNCTION pg_temp.less(a jsonb, b jsonb) RETURNS boolean LANGUAGE sql AS $$
  SELECT coalesce(CASE WHEN jsonb_typeof(a) = 'number' AND jsonb_typeof(b) = 'number' THEN a::numeric < b::numeric
                       WHEN jsonb_typeof(a) = 'string' AND jsonb_typeof(b) = 'string' THEN (a #>> '{}') < (b #>> '{}') COLLATE "C" END, false)
$$;
CREATE FUNCTION pg_temp.compares(a jsonb, sign text, b jsonb) RETURNS boolean LANGUAGE sql AS $$
  SELECT CASE sign WHEN '==' THEN a IS NOT DISTINCT FROM b WHEN '!=' THEN a IS DISTINCT FROM b
                   WHEN '<' THEN pg_temp.less(a, b) WHEN '>' THEN pg_temp.less(b, a)
                   WHEN '<=' THEN pg_temp.less(a, b) OR a IS NOT DISTINCT FROM b
                   ELSE pg_temp.less(b, a) OR a IS NOT DISTINCT FROM b END
$$;
CREATE FUNCTION pg_temp.holds(path text, document jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN jsonb_path_exists(document, cp_webhook.json_path(path), '{}', true);
EXCEPTION WHEN undefined_object THEN
  RETURN 'error';
END
$$;
CREATE TEMPORARY TABLE comparisons AS
SELECT a.val AS a, sign, b.val AS b, pg_temp.compares(a.val, sign, b.val)::text AS expected,
       pg_temp.holds(format('$[?@.a %s @.b]', sign), jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('q', 1)) ||
         CASE WHEN a.val IS NULL THEN '{}' ELSE jsonb_build_object('a', a.val) END || CASE WHEN b.val IS NULL THEN '{}' ELSE jsonb_build_object('b', b.val) END)) AS paths,
       CASE WHEN b.val IS NOT NULL AND jsonb_typeof(b.val) NOT IN ('array', 'object') THEN
         pg_temp.holds(format('$[?@.a %s %s]', sign, b.val), jsonb_build_array(CASE WHEN a.val IS NULL THEN '{}' ELSE jsonb_build_object('a', a.val) END)) END AS literal,
       CASE WHEN b.val IS NOT NULL AND jsonb_typeof(b.val) NOT IN ('array', 'object') THEN
         pg_temp.holds(format('$[?!(@.a %s %s)]', sign, b.val), jsonb_build_array(CASE WHEN a.val IS NULL THEN '{}' ELSE jsonb_build_object('a', a.val) END)) END AS negated
FROM vals a, vals b, unnest('{==,!=,<,<=,>,>=}'::text[]) sign;
SELECT count(*) AS comparisons, count(*) FILTER (WHERE paths = 'error') AS errors, count(*) FILTER (WHERE paths NOT IN (expected, 'error')) AS different,
       count(literal) AS literals, count(*) FILTER (WHERE literal <> expected) AS different_literals, count(*) FILTER (WHERE negated <> (NOT expected::boolean)::text) AS different_negated
FROM comparisons;
SELECT DISTINCT jsonb_typeof(a), jsonb_typeof(b) FROM comparisons WHERE paths = 'error' ORDER BY 1, 2;

-- ---------------------------------------------------------------------------
-- Functions
-- ---------------------------------------------------------------------------
\set values '\'["", "a", "ab", "é😀", "a\\nb", [], [1], [1, 2], [1, 2, 3], {}, {"k": 1}, {"k": 1, "l": 2}, 5, null]\'::jsonb'
SELECT p.path, t.* FROM (VALUES
  (1, '$[?length(@) == 0]'), (2, '$[?length(@) == 1]'), (3, '$[?length(@) >= 2]'), (4, '$[?length(@) < 2]'), (5, '$[?length(@) > 1.5]'), (6, '$[?length(@) != 0]'), (7, '$[?0 < length(@)]'),
  (8, '$[?length(@) == ''a'']'), (9, '$[?length("é😀") == 2]'), (10, '$[?length(1) == 1]'), (11, '$[?length(@) == length(1)]'), (12, '$[?length(value(@)) < 1]'), (13, '$[?length(@) < 0]'),
  (14, '$[?length(@) == 2]'), (15, '$[?length(@) == 0.5]'), (16, '$[?length(length(@)) == 1]'),
  (20, '$[?count(@) == 1]'), (21, '$[?count(@.x) == 0]'), (22, '$[?count(@.*) == 1]'), (23, '$[?count(@.*) == 0]'), (24, '$[?count(@..*) > 0]'), (25, '$[?count(@.k) > 1]'), (26, '$[?count(@.*) < 2]'),
  (27, '$[?count(@[1:]) >= 1]'), (28, '$[?count(@.x) == true]'),
  (30, '$[?value(@) == 5]'), (31, '$[?value(@.k) == 1]'), (32, '$[?value($[1]) == @]')
) AS p (number, path), LATERAL pg_temp.try(p.path, :values) t ORDER BY p.number;

-- length() and count() with every sign and number.
CREATE TEMPORARY TABLE lengths AS
SELECT v.value, CASE jsonb_typeof(v.value) WHEN 'string' THEN char_length(v.value #>> '{}') WHEN 'array' THEN jsonb_array_length(v.value)
                WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(v.value)) END AS length
FROM jsonb_array_elements('["", "a", "ab", "abc", "abcd", "é😀", [], [1], [1,2], [1,2,3], [[],[],[],[]], {}, {"a":1}, {"a":1,"b":2}, {"a":1,"b":2,"c":3}, {"a":1,"b":2,"c":3,"d":4}, 3, null, true]') v;
CREATE TEMPORARY TABLE compared_lengths AS
SELECT value, sign, number, pg_temp.compares(to_jsonb(length), sign, to_jsonb(number))::text AS expected,
       pg_temp.holds(format('$[?length(@) %s %s]', sign, number), jsonb_build_array(value)) AS held,
       pg_temp.compares(to_jsonb(CASE WHEN jsonb_typeof(value) IN ('array', 'object') THEN length ELSE 0 END), sign, to_jsonb(number))::text AS expected_count,
       pg_temp.holds(format('$[?count(@.*) %s %s]', sign, number), jsonb_build_array(value)) AS counted
FROM lengths, unnest('{==,!=,<,<=,>,>=}'::text[]) sign, unnest('{-1,0,0.5,1,1.5,2,2.5,3,4}'::numeric[]) number;
SELECT count(*) AS compared, count(*) FILTER (WHERE held = 'error') AS errors, count(*) FILTER (WHERE held NOT IN (expected, 'error')) AS different,
       count(*) FILTER (WHERE counted = 'error') AS count_errors, count(*) FILTER (WHERE counted NOT IN (expected_count, 'error')) AS different_counts
FROM compared_lengths;
SELECT DISTINCT jsonb_typeof(value) FROM compared_lengths WHERE 'error' IN (held, counted);
SELECT pg_temp.among('$[?length(@) == 300]', jsonb_build_array(repeat('x', 299), repeat('y', 300), repeat('z', 301))) = jsonb_build_array(repeat('y', 300))::text AS long_string;
SELECT pg_temp.among('$[?length(@) <= 600]', jsonb_build_array(repeat('x', 600), repeat('y', 601))) = jsonb_build_array(repeat('x', 600))::text AS longer_string;
SELECT pg_temp.among('$[?length(@) < 1001]', '[]'), pg_temp.among('$[?length(@) < 1002]', '[]');

-- match() and search().
\set texts '\'["a", "b", "ab", "ba", "aab", "a.b", "a\\nb", "a\\rb", "\\n", "é", "😀", "1", "-", "]", "^", "$", "A", "", "a b", "{2}", "\\\\", "\\u2028", 1, null, ["a"]]\'::jsonb'
SELECT p.path, t.* FROM (VALUES
  (1, '$[?match(@, ''a'')]'), (2, '$[?search(@, ''a'')]'), (3, '$[?!match(@, ''a.*'')]'), (4, '$[?match(@, ".")]'), (5, '$[?match(@, ''a.b'')]'), (6, '$[?match(@, ''a[.]b'')]'),
  (7, '$[?match(@, ''a\\.b'')]'), (8, '$[?match(@, ''[ab]+'')]'), (9, '$[?match(@, ''[^ab]'')]'), (10, '$[?match(@, ''a|b'')]'), (11, '$[?match(@, ''(a|b){2,3}'')]'), (12, '$[?match(@, ''a?b*'')]'),
  (13, '$[?match(@, ''[a-c-]'')]'), (14, '$[?match(@, ''[-1]'')]'), (15, '$[?match(@, ''[\\]\\-]'')]'), (16, '$[?match(@, ''\\^|[$]'')]'), (17, '$[?match(@, ''^a|b$'')]'), (18, '$[?search(@, ''^a'')]'), (19, '$[?search(@, ''b$'')]'),
  (20, '$[?match(@, ''[é-😀]'')]'), (21, '$[?match(@, '''')]'), (22, '$[?match(@, ''a{2}b'')]'), (23, '$[?match(@, ''a{1,}b'')]'), (24, '$[?match(@, ''\\{2\\}'')]'), (25, '$[?match(@, ''\\\\'')]'), (26, '$[?match(@, ''a\\nb'')]'),
  (27, '$[?match(@, 1)]'), (28, '$[?match(1, ''1'')]'), (29, '$[?match("ab", "a.")]'), (30, '$[?search(value(@), ''b'')]'), (31, '$[?match(@, ''()|b'')]'), (32, '$[?match(@, "a\u0020b")]')
) AS p (number, path), LATERAL pg_temp.try(p.path, :texts) t ORDER BY p.number;

-- ---------------------------------------------------------------------------
-- Java JsonPath's operators and functions
-- ---------------------------------------------------------------------------
\set items '\'[{"t": "fix"}, {"t": "Fix it"}, {"t": "feat"}, {"t": ["fix", "x"]}, {"t": ["x", "y"]}, {"t": []}, {"t": ""}, {"t": "1"}, {"t": 1}, {"t": true}, {"t": null}, {"t": {}}, {"t": {"k": 1}}, {"t": "😀"}, {"t": [3, 5]}, {"u": 1}]\'::jsonb'
SELECT p.path, t.* FROM (VALUES
  (1, '$[?(@.t in [''fix'', ''feat''])]'), (2, '$[?(@.t nin [''fix'', ''feat''])]'), (3, '$[?(@.t IN [1])]'), (4, '$[?(@.t in [true, null])]'), (5, '$[?(@.t in [])]'), (6, '$[?(@.t in ["1"])]'),
  (7, '$[?(''x'' in @.t)]'), (8, '$[?(''x'' nin @.t)]'), (9, '$[?(@.t contains ''fix'')]'), (10, '$[?(@.t contains ''i'')]'), (11, '$[?(@.t contains 3)]'), (17, '$[?(@.t contains 7)]'), (12, '$[?(@.t contains '''')]'), (13, '$[?(@.t contains ''.'')]'),
  (14, '$[?(@.t anyof [''fix'', ''y''])]'), (15, '$[?(@.t noneof [''fix'', ''y''])]'), (16, '$[?(@.t subsetof [''x'', ''y'', ''z''])]'),
  (20, '$[?(@.t size 4)]'), (21, '$[?(@.t size 0)]'), (22, '$[?(@.t size 3)]'), (23, '$[?(@.t empty true)]'), (24, '$[?(@.t empty false)]'), (25, '$[?(@.t size -1)]'),
  (30, '$[?(@.t =~ /fix/)]'), (31, '$[?(@.t =~ /fix.*/i)]'), (32, '$[?(@.t =~ /f\w+/)]'), (33, '$[?(@.t =~ /(?:fix|feat)/)]'), (34, '$[?(@.t =~ /^[a-z]+$/)]'), (35, '$[?(@.t =~ /F.x\s.*?/)]'), (36, '$[?(@.t =~ /t[^a]*/)]'), (37, '$[?(@.t =~ /f[^E]{2}t?/i)]'), (38, '$[?(@.t =~ /[a-z]+/)]'),
  (40, '$[?(@.t.length() == 2)]'), (41, '$[?(@.t.length() > 0)]'), (42, '$[?(@.t.max() > 4)]'), (43, '$[?(@.t.max() == 5)]'), (44, '$[?(@.t.max() < 5)]'), (45, '$[?(@.t.min() >= 3)]'), (46, '$[?(@.t.min() < 3)]'), (47, '$[?(3 == @.t.min())]'), (48, '$[?(@.t.max() <= 5)]')
) AS p (number, path), LATERAL pg_temp.try(p.path, :items) t ORDER BY p.number;
SELECT pg_temp.try('$.a.length()', '{"a": [1, 2, 3]}');
SELECT pg_temp.try('$.length()', '[1, 2]');
SELECT pg_temp.try('$.a.length()', '{"a": "abc"}');
SELECT pg_temp.try('$.a.length()', '{"a": {"b": 1}}');
SELECT pg_temp.try('$.a.length', '{"a": {"length": 5}}');

-- ---------------------------------------------------------------------------
-- What a document decides: an error, also from the operators
-- ---------------------------------------------------------------------------
SELECT pg_temp.among('$[?@.a == @.b]', '[{"a": {"x": 1}, "b": {"x": 1}}]');
SELECT pg_temp.among('$[?@.a == @.b]', '[{"a": [1], "b": [1]}]');
SELECT pg_temp.among('$[?@.a == @.b]', '[{"a": {"x": 1}, "b": [1]}, {"a": 1, "b": 1}, {}]');
SELECT pg_temp.among('$[?length(@) > 2]', '["abc", [1, 2, 3], 5]');
SELECT pg_temp.among('$[?length(@) > 2]', '["abc", {"a": 1}]');
SELECT pg_temp.among('$[?(@.t size 2)]', '[{"t": "😀"}]'), pg_temp.among('$[?(@.t size 1)]', '[{"t": "😀"}]'), pg_temp.among('$[?(@.t size 3)]', '[{"t": "😀"}, {"t": 1}, {"t": "abc"}]');
SELECT pg_temp.among('$[?(@.t contains 1)]', '[{"t": ["1.0"]}]'), pg_temp.among('$[?(@.t contains 1)]', '[{"t": [5, 1.0, "x", null]}]');
-- Without variables too it is an error, though not the same one in every version:
-- to some an unknown variable is null then.
CREATE FUNCTION pg_temp.without_variables(path text, document jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN document @? cp_webhook.json_path(path)::jsonpath;
EXCEPTION WHEN undefined_object OR feature_not_supported THEN
  RETURN 'refused';
END
$$;
SELECT pg_temp.without_variables('$[?@.a == @.b]', '[{"a": 1, "b": 1}]'), pg_temp.without_variables('$[?@.a == @.b]', '[{"a": [1], "b": [1]}]');

-- ---------------------------------------------------------------------------
-- What is no JSONPath, but a jsonpath of PostgreSQL
-- ---------------------------------------------------------------------------
SELECT p.path, t.* FROM (VALUES
  (1, 'strict $.ref'), (2, 'lax $.commits.id'), (3, '$.commits[*] ? (@.id starts with "a")'), (4, '$.n == 1'), (5, '$.commits.size()'), (6, '$.commits[last]'), (7, '$."a b"."x-y"'), (8, '$.commits[0 to 1].id'),
  (9, '$.**.id'), (10, 'exists($.ref)'), (11, '$.n + 1'), (12, '$.ref like_regex "MAIN$" flag "i"'), (13, '$.list.type()'), (14, ' $.ref ')
) AS p (number, path), LATERAL pg_temp.try(p.path, :document) t ORDER BY p.number;
SELECT cp_webhook.json_path('$headers."x-github-event"'), cp_webhook.json_path('$query.env == $headers.env');

-- The same text, two meanings: JSONPath's wins.
SELECT pg_temp.among('$.commits.id', '{"commits": [{"id": 1}]}'), pg_temp.among('lax $.commits.id', '{"commits": [{"id": 1}]}');
SELECT pg_temp.among('$.a[0]', '{"a": 1}'), pg_temp.among('$.*', '[{"a": 1}]'), pg_temp.among('$.a-1', '{"a": 3, "a-1": 4}'), pg_temp.among('$.a - 1', '{"a": 3, "a-1": 4}');

-- ---------------------------------------------------------------------------
-- Neither
-- ---------------------------------------------------------------------------
SELECT p.path, t.problem FROM (VALUES
  (1, ''), (2, 'ref'), (3, '$.'), (4, '$..'), (5, '$.é.'), (6, '$['), (7, '$[]'), (8, '$[1'), (9, '$[01]'), (10, '$[1,]'), (11, '$[''a'), (12, '$[''a\x'']'), (13, '$["\ud800"]'), (14, '$["\udc00"]'), (15, '$["\u12"]'), (16, '$[1:2:3:4]'),
  (17, '$[9007199254740992:]'), (18, '$[?]'), (19, '$[?@.a ==]'), (20, '$[?@.a = 1]'), (21, '$[?1]'), (22, '$[?@.a == 01]'), (23, '$[?@.* == 1]'), (24, '$[?@..a == 1]'), (25, '$[?(@.a]'), (26, '$[?!!@.a]'), (27, '$[?!@.a == 1]'),
  (28, '$[?length(@.a)]'), (29, '$[?length(@.*) == 1]'), (30, '$[?count(1) == 1]'), (31, '$[?match(@.a)]'), (32, '$[?match(@.a, "a") == true]'), (33, '$[?nope(@) == 1]'), (34, '$[?@.a == tru]'), (35, '$[?(@.t =~ /a)]'), (36, '$.a[?@.b].'),
  (37, '$unknown.x'), (38, '$.a == $unknown'), (39, '$.a ? (@ like_regex "(")'), (40, '$.a ? (@ like_regex "((a{9}){9}){9}")'), (41, 'é$'), (42, '$[?count(@.*.length()) == 1]'), (43, '$[?value(@.a.max()) == 1]'), (44, '$[?length(@.length()) == 1]')
) AS p (number, path), LATERAL pg_temp.try(p.path) t ORDER BY p.number;

-- A JSONPath without an exact translation is refused by name.
SELECT p.path, t.problem FROM (VALUES
  (1, '$[''a'', 0]'), (2, '$[*, 0]'), (3, '$[?@.a, ?@.b]'), (4, '$[''a'', ''a'']'), (5, '$[::2]'), (6, '$[1::3]'), (7, '$[:-1:2]'), (8, '$[?count(@..a) > 1]'), (9, '$[?value(@.*) == 1]'), (10, '$[?length(@.a) == length(@.b)]'), (11, '$[?length(@.a) == @.b]'),
  (12, '$[?match(@.a, $.p)]'), (13, '$[?match(@.a, ''\\p{Lu}'')]'), (14, '$[?match(@.a, ''a{256}'')]'), (15, '$[?match(@.a, ''(a{50}){11}'')]'), (16, '$[?match(@.a, ''[a'')]'), (17, '$[?match(@.a, ''a**'')]'), (18, '$[?match(@.a, ''\\d'')]'), (19, '$[?match(@.a, ''a^b'')]'),
  (20, '$.a.keys()'), (21, '$.a.min()'), (22, '$.a.max()'), (23, '$.a.sum()'), (24, '$.a[*].length()'), (25, '$[?(@.a == [1])]'), (26, '$[?(@.a in $.list)]'), (27, '$[?(@.a in [[1]])]'), (28, '$[?(@.a in [1.5])]'), (29, '$[?(@.a in ["+1"])]'), (30, '$[?(@.a contains ''1'')]'), (31, '$[?(@.a size 251)]'),
  (32, '$[?(@.a =~ /\d+/)]'), (33, '$[?(@.a =~ /.*/)]'), (34, '$[?(@.a =~ /\bfix/)]'), (35, '$[?(@.a =~ /(?=a)b/)]'), (36, '$[?(@.a =~ /a/m)]'), (37, '$[?(@.a =~ /a++/)]'), (38, '$[?(@.a =~ /(a)\1/)]'), (39, '$["\u0000"]'), (40, '$[?@.a == 1e999]'),
  (41, '$[?(@.a.length() == @.b)]'), (42, '$[?(@.*.length() > 1)]'), (43, '$[?(@.a.keys())]'), (44, '$[?(@.a == @.a.length())]'), (45, '$[?(@.a.length() == @.a.length())]'), (46, '$[?(@.a.length())]'), (47, '$[?(@.a.length() in [1])]'), (48, '$[?(@.a.max() == @.a)]')
) AS p (number, path), LATERAL pg_temp.try(p.path) t ORDER BY p.number;
\set VERBOSITY default
SELECT cp_webhook.json_path('$.a[');
SELECT cp_webhook.json_path('$[?(@.a =~ /\d+/)]');
SELECT cp_webhook.json_path('$.' || repeat('x', 300) || '.');
\set VERBOSITY terse

-- ---------------------------------------------------------------------------
-- Bounds, each from both sides
-- ---------------------------------------------------------------------------
SELECT length(cp_webhook.json_path('$.' || repeat('a', 9998))::text);
SELECT left(problem, 40), right(problem, 60) FROM pg_temp.try('$.' || repeat('a', 9999));
SELECT left(problem, 40), right(problem, 60) FROM pg_temp.try('lax $.' || repeat('a', 9999));
SELECT cp_webhook.json_path('$[?' || repeat('(', 99) || '@' || repeat(')', 99) || ']');
SELECT right(problem, 50) FROM pg_temp.try('$[?' || repeat('(', 100) || '@' || repeat(')', 100) || ']');
SELECT count(*) FROM pg_temp.try('$' || repeat('[?@', 49) || repeat(']', 49)) WHERE problem IS NULL;
SELECT right(problem, 50) FROM pg_temp.try('$' || repeat('[?@', 101) || repeat(']', 101));
SELECT right(problem, 50) FROM pg_temp.try('$[?' || repeat('@.a==@.b||', 400) || '@]');
SELECT length(cp_webhook.json_path('$[?' || repeat('@||', 3000) || '@]')::text) > 0 AS long_chain;
SELECT problem IS NULL OR problem LIKE 'CP003%' AS deep_jsonpath FROM pg_temp.try(repeat('!(', 3000) || '$ == 1' || repeat(')', 3000));

-- ---------------------------------------------------------------------------
-- In put_webhook, and who may call it
-- ---------------------------------------------------------------------------
SELECT cp_webhook.json_path(NULL) IS NULL AS strict;
SELECT provolatile, proisstrict, proparallel, has_function_privilege('public', oid, 'EXECUTE') AS everybody FROM pg_proc WHERE oid = 'cp_webhook.json_path(text)'::regprocedure;
SELECT obj_description('cp_webhook.json_path(text)'::regprocedure, 'pg_proc');
\set VERBOSITY default
SELECT cp_webhook.put_webhook('{"webhook": {"name": "paths", "targetPipeline": "none", "targetAction": "Source", "authentication": "UNAUTHENTICATED", "authenticationConfiguration": {},
  "filters": [{"jsonPath": "$.commits[?(@.id == ''a'')]"}, {"jsonPath": "$.a["}, {"jsonPath": "$[::2]"}, {"jsonPath": "$headers.host"}, {"jsonPath": "$nobody"}]}}');
