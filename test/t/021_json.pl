# 021_json: bodies become the jsonb that the server's own input makes of them,
# or are refused where it refuses them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Encode qw(decode);
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{CPW_FUZZ_SEED} // 1;
my $number = $ENV{CPW_FUZZ_BODIES} // 3000;
my $node = start_receivers('json', settings => { rejections_per_minute => 1000000, lock_timeout => '30s', batch_timeout => '30s' });

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'open');

srand $seed;
note("seed $seed");

sub one_of
{
	return $_[ rand @_ ];
}

# ---- what is JSON ----

sub random_string
{
	my @pieces = ('a', 'ref', 'refs/heads/main', ' ', 'x' x 40, '\\n', '\\"', '\\\\', '\\/', '\\b\\f\\r\\t', '\\u0041', '\\u00e9',
		'\\u20ac', '\\ud83d\\ude00', "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", '{', ']', ':', ',', '$', '\\\\u0041');

	return '"' . join('', map { one_of(@pieces) } 1 .. rand 5) . '"';
}

sub random_number
{
	return one_of(0, -0, '-0', 1, -12, '1.50', '1e5', '1E+2', '25e-3', '0.000', '123456789012345678901234567890.5', '1e400', '-1.5E-10');
}

sub random_space
{
	return one_of('', '', '', ' ', "\n", "\t", "\r\n  ");
}

sub random_list
{
	my ($open, $close, $item) = @_;

	return $open . random_space() . join(random_space() . ',' . random_space(), map { $item->() } 1 .. rand 6) . random_space() . $close;
}

sub random_json
{
	my ($depth) = @_;
	my $kind = $depth <= 0 ? 0 : int rand 4;
	my $inner = sub { random_json($depth - 1) };

	return one_of(random_string(), random_number(), 'true', 'false', 'null') if $kind < 2;
	return random_list('[', ']', $inner) if $kind == 2;
	# Few names, so that some come twice.
	return random_list('{', '}', sub { one_of('"a"', '"b"', '"\\u0061"', '"aa"', random_string()) . random_space() . ':' . random_space() . $inner->() });
}

# ---- and what is nearly JSON ----

sub mutate
{
	my ($json) = @_;

	foreach (1 .. 1 + rand 2)
	{
		my $place = int rand length($json) + 1;
		my $what = one_of('', '', '{', '}', '[', ']', ',', ':', '"', '\\', 'u', '\\u', '\\u0000', '\\ud800', '\\udc00', '\\x', 'true', 'nul', '-', '.', 'e',
			'0', '7', "\x01", "\n", "\x1f", '/**/', "\xc3\xa9", '+', 'NaN', '\'');

		substr($json, $place, rand 2 < 1 ? 0 : 1) = $what if $place < length $json;
		$json .= $what if $place == length $json;
	}
	return $json;
}

my @bodies = ('{}', '[]', '[[]]', '{"a":{}}', '""', '"a"', '1', 'null', ' {"a" : 1} ', '{"a":1}{', '{"a":1,}', '[1,]', '[,]', '{,}', '{"a"}', '{"a":}',
	'{a:1}', '{"a":1 "b":2}', '[1 2]', '[', '{', '{"a"', '{"a":', '{"a":1', '["', '["a', '["\\', '["\\u', '["\\u00', '["\\ud83d"]', '["\\ud83d\\u0041"]',
	'["\\ude00"]', '["\\u0000"]', '["\\z"]', '[01]', '[1.]', '[.5]', '[-]', '[1e]', '[1e999999]', '[tru]', '[truee]', '[nulls]', "[\"a\nb\"]", "[\"a\tb\"]",
	"\xef\xbb\xbf{}", '{"a":1,"a":2}', '{"b":1,"aa":2,"a":3}', '{"a":1,"\\u0061":2}', '{"":0}', ('[' x 500) . (']' x 500), ('{"a":' x 300) . '1' . ('}' x 300),
	'{"a":"' . ('x' x 70000) . '"}', '["' . ('\\n' x 20000) . '"]', '[' . join(',', 1 .. 5000) . ']');

push @bodies, random_json(5) while @bodies < $number / 2;
push @bodies, mutate(random_json(4)) while @bodies < $number;
# Neither is a matter of JSON: an empty body, and one that is not UTF-8.
@bodies = grep { length && eval { decode('UTF-8', my $copy = $_, Encode::FB_CROAK); 1 } } @bodies;

# ---- the same bodies to both ----

my $sql = "CREATE TABLE bodies (id text, body text);\n" . join '', map { "INSERT INTO bodies VALUES ('$_', \$body\$$bodies[$_]\$body\$);\n" } 0 .. $#bodies;
$node->safe_psql('postgres', $sql . <<'SQL');
CREATE FUNCTION jsonb_or_null(body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN body::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
	RETURN NULL;
END
$$;
SQL
post($node, $path, $bodies[$_], id => $_) foreach 0 .. $#bodies;

my $compared = <<'SQL';
(SELECT b.body, jsonb_or_null(b.body) AS wanted, d.payload::text AS found, d.http_status
 FROM bodies b LEFT JOIN cp_webhook.deliveries d ON d.provider_delivery_id = b.id) c
SQL
is($node->safe_psql('postgres', "SELECT count(*) FROM $compared WHERE http_status IS NULL"), 0, 'each body is recorded');
is($node->safe_psql('postgres', "SELECT left(body, 200), left(wanted, 200), left(found, 200) FROM $compared WHERE wanted IS DISTINCT FROM found"),
	'', 'what is stored is what the server makes of it');
is($node->safe_psql('postgres', "SELECT left(body, 200), http_status FROM $compared WHERE http_status <> CASE WHEN wanted IS NULL THEN 400 ELSE 200 END"),
	'', 'what it refuses is refused');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM $compared WHERE wanted LIKE '%\\\\%'"), '>', $number / 20, 'many had escapes');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM $compared WHERE wanted IS NULL"), '>', $number / 5, 'many were refused');

# A body of very many escapes takes no more memory than another.
is(post($node, $path, '[' . join(',', ('"\\n"') x 400000) . ']')->{status}, 200, '400,000 strings with an escape each');
is(post($node, $path, '[' . join(',', ('{"a":1}') x 120000))->{status}, 400, '120,000 objects, and then no end');
my @peaks = map { slurp_file("/proc/$_/status") =~ /^VmHWM:\s+(\d+)/m } worker_pids($node);
# Under a sanitizer memory means little.
cmp_ok($_, '<', ($ENV{ASAN_OPTIONS} // '') eq '' ? 200000 : 2000000, 'its peak, in kilobytes') foreach @peaks;

done_testing();
