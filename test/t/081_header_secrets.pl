# Secrets that senders put into headers, bodies and queries are in no table, no
# view, no log, no dump, no file of the server and no answer.

use strict;
use warnings FATAL => 'all';

use File::Find;
use FindBin;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;

my $node = start_receivers('header_secrets',
	settings => { workers => 1, rejections_per_minute => 100000, max_header_size => '4kB' },
	conf => "log_min_messages = debug2\nlog_connections = on\n");

create_pipeline($node, 'pipeline', Branch => 'main');

# What is right is stored as a definition's secret: it may be in that table
# alone. What is wrong may be nowhere.
my @right = map { "planted-right-$_" } 1 .. 9;
my @wrong = map { "planted-wrong-$_" } 1 .. 40;
my $next = 0;
my @filters = ({ jsonPath => '$headers."x-our-key"', matchEquals => 'nothing' });
my %paths = (
	gitlab => put_webhook($node, 'gitlab', authentication => 'GITLAB_TOKEN', configuration => { SecretToken => $right[0] }),
	bearer => put_webhook($node, 'bearer', authentication => 'BEARER', configuration => { SecretToken => $right[1] }),
	basic => put_webhook($node, 'basic', authentication => 'BASIC', configuration => { SecretToken => $right[2], UserName => 'u' }),
	api_key => put_webhook($node, 'api_key', authentication => 'API_KEY', filters => \@filters,
		configuration => { SecretToken => $right[3], HeaderName => 'X-Our-Key' }),
	api_key_prefixed => put_webhook($node, 'api_key_prefixed', authentication => 'API_KEY',
		configuration => { SecretToken => $right[4], HeaderName => 'X-Their-Key', Prefix => 'Key ' }),
	graph => put_webhook($node, 'graph', authentication => 'MICROSOFT_GRAPH', configuration => { SecretToken => $right[5] }),
	meta => put_webhook($node, 'meta', authentication => 'META', configuration => { SecretToken => 'x', VerifyToken => $right[6] }),
	previous => put_webhook($node, 'previous', authentication => 'GITLAB_TOKEN', configuration => { SecretToken => 'current',
			PreviousSecretToken => $right[7], PreviousSecretTokenExpires => '2999-01-01T00:00:00Z' }),
	open => put_webhook($node, 'open'),
	github => put_webhook($node, 'github', secret => 'github'));
my $position = log_position($node);
my @answers;

sub wrong
{
	return $wrong[ $next++ ] // die "more planted secrets are needed\n";
}

sub send_to
{
	my ($name, $headers, $body) = @_;
	my $answer = post($node, $paths{$name}, $body // '{"a":1}', headers => $headers);

	push @answers, $answer;
	return "$answer->{status}" . ($answer->{json}{status} ? " $answer->{json}{status}" : '');
}

is(send_to('gitlab', [ 'X-Gitlab-Token', $right[0] ]), '200 triggered', 'X-Gitlab-Token');
is(send_to('previous', [ 'X-Gitlab-Token', $right[7] ]), '200 triggered', 'the one before');
is(send_to('bearer', [ 'Authorization', "Bearer $right[1]" ]), '200 triggered', 'a bearer token');
is(send_to('basic', [ 'Authorization', 'Basic ' . encode_base64("u:$right[2]", '') ]), '200 triggered', 'a password');
is(send_to('api_key', [ 'X-Our-Key', $right[3] ]), '200 ignored', 'an API key, on which a filter looks');
is(send_to('api_key_prefixed', [ 'X-Their-Key', "Key $right[4]" ]), '200 triggered', 'one behind a prefix');
is(send_to('graph', [], qq({"value":[{"clientState":"$right[5]"}]})), '200 triggered', 'clientState');
push @answers, connect_to($node)->request(
	GET => "$paths{meta}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=$right[6]");
is($answers[-1]{status}, 200, "Meta's verification");

# Wrong ones, and those on a webhook that does not ask for them.
is(send_to('gitlab', [ 'X-Gitlab-Token', wrong() ]), '401', 'a wrong X-Gitlab-Token');
is(send_to('gitlab', [ 'X-Gitlab-Token', wrong(), 'X-Gitlab-Token', wrong() ]), '401', 'two of them');
is(send_to('bearer', [ 'Authorization', 'Bearer ' . wrong() ]), '401', 'a wrong bearer token');
is(send_to('bearer', [ 'Authorization', wrong() ]), '401', 'one that is none');
is(send_to('basic', [ 'Authorization', 'Basic ' . encode_base64('u:' . wrong(), '') ]), '401', 'a wrong password');
is(send_to('basic', [ 'Authorization', 'Basic ' . wrong() ]), '401', 'what is no base64');
is(send_to('api_key', [ 'X-Our-Key', wrong() ]), '401', 'a wrong API key');
is(send_to('api_key', [ 'X-Our-Key', wrong(), 'X-Our-Key', wrong() ]), '401', 'two of them');
is(send_to('api_key_prefixed', [ 'X-Their-Key', wrong() ]), '401', 'one without its prefix');
is(send_to('graph', [], '{"value":[{"clientState":"' . wrong() . '"}]}'), '401', 'a wrong clientState');
push @answers, connect_to($node)->request(
	GET => "$paths{meta}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=" . wrong());
is($answers[-1]{status}, 401, 'a wrong verify token');
foreach my $header ('Authorization', 'Proxy-Authorization', 'Cookie', 'X-Gitlab-Token', 'X-Api-Key', 'Api-Key', 'ApiKey',
	'X-Auth-Token', 'X-Access-Token')
{
	is(send_to('open', [ $header, wrong() ]), '200 triggered', "$header on a webhook that does not ask for it");
	is(send_to('github', [ $header, wrong() ]), '401', "$header on one that refuses");
}
is(send_to('gitlab', [ 'X-Gitlab-Token', wrong(), 'X-Large', 'x' x 5000 ]), '431', 'beside headers that are too large');
# libmicrohttpd refuses it by itself from 1.0 on.
like(send_to('gitlab', [ 'X-Gitlab-Token', wrong(), 'Transfer-Encoding', 'gzip' ]), qr{^(?:400|501)$}, 'beside what is malformed');
$paths{nowhere} = '/trigger/' . 'A' x 43;
is(send_to('nowhere', [ 'X-Gitlab-Token', wrong() ]), '404', 'on no webhook');

# What a dry run says.
my $dry = call($node, 'test_webhook', { name => 'api_key', headers => { 'X-Our-Key' => $right[3], 'Content-Type' => 'application/json' },
		body => '{"a":1}' });
is($dry->{outcome}, 'ignored', 'a dry run');
unlike(JSON::PP->new->encode($dry), qr/planted/, 'shows no key');

# ---- where they are not ----

my $log = join '', grep { !/statement: / } split /^/, log_since($node, $position);
my $everything = join '|', map { quotemeta } @wrong, @right, map { encode_base64("u:$_", '') } @wrong, @right;
unlike($log, qr/$everything/, 'the log');
unlike(join("\n", map { join ' ', $_->{body}, %{ $_->{headers} } } @answers), qr/$everything/, 'the answers');
foreach my $object (qw(webhooks trigger_events deliveries executions delivery_keys webhook_counters stats()))
{
	unlike($node->safe_psql('postgres', "SELECT t::text FROM cp_webhook.$object t"), qr/$everything/, $object);
}
unlike($node->safe_psql('postgres', 'SELECT cp_webhook.list_webhooks()'), qr/$everything/, 'list_webhooks');
is($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE headers::text LIKE '%****%'") > 20, 1,
	'they were there, and are masked');

$node->safe_psql('postgres', 'CHECKPOINT');
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
my $wrong = join '|', map { quotemeta } @wrong, map { encode_base64("u:$_", '') } @wrong;
unlike(slurp_file($dump), qr/$wrong/, 'the dump has none that is wrong');
$node->command_ok([ 'pg_dump', '-f', $dump, '--exclude-table-data=cp_webhook.webhook_definitions', '-d',
		$node->connstr('postgres') ], 'pg_dump without the definitions');
unlike(slurp_file($dump), qr/$everything/, 'has none at all');

# All files of the server but its log: heaps, indexes, the WAL.
$node->stop;
my @found;
my $searched = 0;
find({ no_chdir => 1, wanted => sub {
	return unless -f $_;
	$searched++;
	push @found, $_ if slurp_file($_) =~ /$wrong/;
} }, $node->data_dir);
is("@found", '', 'no file of the server has one that is wrong');
cmp_ok($searched, '>', 500, 'and there were many');

done_testing();
