# Secrets at rest: sealed in tables and dumps, opened by the receivers, rotated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Digest::SHA qw(hmac_sha256_hex);
use Lifecycle;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'plain-text-of-the-secret';
my $oauth = 'plain-text-of-the-oauth-token';
my $node = start_receivers('main', conf => "log_statement = none\n", settings => { workers => 1 });
my $file = $node->basedir . '/keys';

sub key_line
{
	my ($name, $byte) = @_;
	return "$name " . encode_base64(chr($byte) x 32, '') . "\n";
}

sub write_keys
{
	my (@lines) = @_;

	unlink $file;
	umask 077;
	append_to_file($file, join '', @lines);
	return;
}

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub error_of
{
	my ($query) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query");
	return $error;
}

sub status_of
{
	my ($path, $id) = @_;
	return try_post($node, $path, '{"a": 1}', id => $id, secret => $secret)->{status};
}

my $pipeline = q({"pipeline": {"name": "pipeline", "roleArn": "arn:aws:iam::000000000000:role/r", "stages": [
	{"name": "Source", "actions": [{"name": "Source", "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"},
		"configuration": {"Owner": "o", "Repo": "r", "Branch": "main", "OAuthToken": "%s"}, "outputArtifacts": [{"name": "a"}]}]},
	{"name": "Build", "actions": [{"name": "Build", "actionTypeId": {"category": "Build", "owner": "Custom", "provider": "b", "version": "1"}, "inputArtifacts": [{"name": "a"}]}]}]}});

sub put
{
	my ($name, $authentication, $configuration, $filters) = @_;
	sql(qq(SELECT cp_webhook.put_webhook('{"webhook": {"name": "$name", "targetPipeline": "pipeline", "targetAction": "Source",
		"filters": [$filters], "authentication": "$authentication", "authenticationConfiguration": $configuration}}')));
	my $url = sql("SELECT url FROM cp_webhook.webhooks WHERE name = '$name'");
	return $url =~ s{^\w+://[^/]+}{}r;
}

# A delivery to "rotated", signed with a secret: status, and which secret that was.
my ($old, $new) = map { "plain-text-of-the-$_-secret" } qw(old new);
my $rotated;

sub signed_with
{
	my ($with, $id) = @_;
	my $body = '{"a": 1}';
	my $answer = try_post($node, $rotated, $body,
		headers => [ 'X-Hub-Signature', 'sha256=' . hmac_sha256_hex($body, $with), 'X-Request-UUID', $id ]);

	return "$answer->{status} " . sql("SELECT coalesce(string_agg(signature, ','), 'none') FROM cp_webhook.deliveries WHERE provider_delivery_id = '$id'");
}

sub subscribe
{
	my ($path) = @_;
	my $answer = try_get($node, "$path?hub.mode=subscribe&hub.challenge=17&hub.verify_token=plain-text-of-the-verify-token");

	return $answer->{status} == 200 ? "200 $answer->{body}" : $answer->{status};
}

sub api_key
{
	my ($path, $key) = @_;
	return try_post($node, $path, '{"a": 1}', headers => [ 'X-Our-Key', $key ])->{status};
}

sub prefixes
{
	return sql("SELECT string_agg(concat_ws(' ', name, substring(secret FROM '^cpw1:\\w+:'), substring(previous_secret FROM '^cpw1:\\w+:'),"
		  . " substring(verify_token FROM '^cpw1:\\w+:')), ', ' ORDER BY name) FROM cp_webhook.webhook_definitions WHERE name IN ('rotated', 'meta')");
}

sub all_that_is_stored
{
	my ($out) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--inserts', 'postgres' ]);
	return $out;
}

# ---- without keys ----

sql("SELECT cp_webhook.create_pipeline('" . sprintf($pipeline, $oauth) . "')");
my $path = put('signed', 'GITHUB_HMAC', qq({"SecretToken": "$secret"}), '{"jsonPath": "$.a"}');
my $with_token = put('with-token', 'UNAUTHENTICATED', '{}', '{"jsonPath": "$.token", "matchEquals": "{OAuthToken}"}');
is(status_of($path, 'plain'), 200, 'without a key file secrets are stored as they are, and work');
like(all_that_is_stored(), qr/\Q$secret\E/, 'a dump holds them');

# ---- with one ----

write_keys("# keys\n", "\n", key_line('first', 1));
set_settings($node, secret_key_file => $file);
is(status_of($path, 'not-yet'), 200, 'what was stored before still works');
like(all_that_is_stored(), qr/\Q$secret\E/, 'and is still as it was');
is(sql('SELECT cp_webhook.rotate_secret_key()'), 2, 'rotate_secret_key() seals a webhook and a version of a pipeline');
unlike(all_that_is_stored(), qr/plain-text-of/, 'a dump holds no secret any more');
like(all_that_is_stored(), qr/'cpw1:first:/, 'but what only the key opens');
is(sql('SELECT cp_webhook.rotate_secret_key()'), 0, 'there is nothing more to seal');
is(status_of($path, 'sealed'), 200, 'the receiver opens it');
is(try_post($node, $with_token, qq({"token": "$oauth"}))->{json}{status}, 'triggered', 'and what a placeholder stands for');
is(try_post($node, $with_token, '{"token": "cpw1:first:"}')->{json}{status}, 'ignored', 'by what it is');
sql(qq(SELECT cp_webhook.put_webhook('{"webhook": {"name": "signed", "targetPipeline": "pipeline", "targetAction": "Source",
	"filters": [{"jsonPath": "\$.a"}], "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "****"}}}')));
is(status_of($path, 'kept'), 200, '**** keeps a sealed secret');
sql("SELECT cp_webhook.update_pipeline('" . sprintf($pipeline, '****') . "')");
is(try_post($node, $with_token, qq({"token": "$oauth"}))->{json}{status}, 'triggered', 'and that of a pipeline');
like(sql("SELECT cp_webhook.get_pipeline('{\"name\": \"pipeline\"}')"), qr/"OAuthToken": "\*{4}"/, 'which is shown as ****');
my $copy = sql("SELECT secret FROM cp_webhook.webhook_definitions WHERE name = 'signed'");
my $other = put('other', 'GITHUB_HMAC', '{"SecretToken": "something else"}', '{"jsonPath": "$.a"}');
sql("UPDATE cp_webhook.webhook_definitions SET secret = '$copy' WHERE name = 'other'");
is(status_of($other, 'moved'), 503, 'a sealed secret that was moved to another webhook does not open there');
sql(q(SELECT cp_webhook.delete_webhook('{"name": "other"}')));

# ---- the secrets of other schemes, each in a place of its own ----

$rotated = put('rotated', 'BITBUCKET_HMAC', qq({"SecretToken": "$old"}), '');
put('rotated', 'BITBUCKET_HMAC', qq({"SecretToken": "$new", "KeepPreviousSecretFor": "1 day"}), '');
my $meta = put('meta', 'META', '{"SecretToken": "plain-text-of-the-app-secret", "VerifyToken": "plain-text-of-the-verify-token"}', '');
my $keyed = put('keyed', 'API_KEY', '{"HeaderName": "X-Our-Key", "SecretToken": "plain-text-of-the-api-key"}', '');
is(signed_with($new, 'r1'), '200 current', 'a new secret is accepted');
is(signed_with($old, 'r2'), '200 previous', 'and the old one, which is kept beside it');
is(signed_with('another', 'r3'), '401 none', 'and no other');
is(subscribe($meta), '200 17', 'VerifyToken is compared');
is(api_key($keyed, 'plain-text-of-the-api-key'), 200, 'an API key is accepted');
is(prefixes(), 'meta cpw1:first: cpw1:first:, rotated cpw1:first: cpw1:first:', 'all of them are sealed');
unlike(all_that_is_stored(), qr/plain-text-of-the-(?!oauth)/, 'and in no dump');
put('rotated', 'BITBUCKET_HMAC', '{"SecretToken": "****", "KeepPreviousSecretFor": "1 day"}', '');
is(signed_with($new, 'r4'), '200 current', '**** keeps the secret');
is(signed_with($old, 'r5'), '200 previous', 'and the one before it');
my $dry = q(SELECT cp_webhook.test_webhook('{"definition": {"name": "rotated", "targetPipeline": "pipeline", "targetAction": "Source", "filters": [],
	"authentication": "BITBUCKET_HMAC", "authenticationConfiguration": {"SecretToken": "****"}}, "body": "{}",
	"headers": {"Content-Type": "application/json", "X-Hub-Signature": "sha256=%s"}}') ->> 'outcome');
is(sql(sprintf $dry, hmac_sha256_hex('{}', $new)), 'triggered', 'a dry run opens what **** stands for');
is(sql(sprintf $dry, hmac_sha256_hex('{}', $old)), 'rejected', 'and nothing else');

my %stored;
@stored{qw(secret previous_secret)} = split /\|/, sql("SELECT secret, previous_secret FROM cp_webhook.webhook_definitions WHERE name = 'rotated'");
foreach my $column (sort keys %stored)
{
	my ($other) = grep { $_ ne $column } keys %stored;

	sql("UPDATE cp_webhook.webhook_definitions SET $column = '$stored{$other}' WHERE name = 'rotated'");
	is(signed_with($new, "new $column"), '503 none', "$column sealed for another member: none is authenticated by the new secret");
	is(signed_with($old, "old $column"), '503 none', 'nor by the old one');
	sql("UPDATE cp_webhook.webhook_definitions SET $column = '$stored{$column}' WHERE name = 'rotated'");
	is(signed_with($new, "new $column again"), '200 current', 'as it was, it opens');
}
my $verify = sql("SELECT verify_token FROM cp_webhook.webhook_definitions WHERE name = 'meta'");
sql("UPDATE cp_webhook.webhook_definitions SET verify_token = secret WHERE name = 'meta'");
is(subscribe($meta), 503, 'no handshake without its secret');
sql("UPDATE cp_webhook.webhook_definitions SET verify_token = '$verify' WHERE name = 'meta'");
is(subscribe($meta), '200 17', 'with it there is');

# ---- another key ----

write_keys(key_line('second', 2), key_line('first', 1));
is(status_of($path, 'old key'), 200, 'the old key still opens');
is(sql('SELECT cp_webhook.rotate_secret_key()'), 6, 'rotation: four webhooks and two versions of the pipeline');
write_keys(key_line('second', 2));
is(status_of($path, 'new key'), 200, 'the old key is no longer needed');
like(sql("SELECT secret FROM cp_webhook.webhook_definitions WHERE name = 'signed'"), qr/^cpw1:second:/, 'the new one seals');
is(prefixes(), 'meta cpw1:second: cpw1:second:, rotated cpw1:second: cpw1:second:', 'all the secrets of a webhook');
is(signed_with($new, 'second new'), '200 current', 'they open');
is(signed_with($old, 'second old'), '200 previous', 'each of them');
is(subscribe($meta), '200 17', 'the verify token too');
is(api_key($keyed, 'plain-text-of-the-api-key'), 200, 'and the API key');

# ---- a replica, or a restored dump: with the key it works, without it does not ----

my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', $dump, 'postgres' ], 'a dump');
sql('DROP EXTENSION cp_webhook');
$node->command_ok([ 'pg_restore', '-h', $node->host, '-p', $node->port, '-1', '-d', 'postgres', $dump ], 'restored');
is(status_of($path, 'restored'), 200, 'with the key the same URL answers');

my $position = log_position($node);
write_keys(key_line('third', 3));
$node->reload;
my $tries = 0;
poll('without it: 503', sub { status_of($path, 'losing ' . ++$tries) == 503 });
is(status_of($path, 'lost'), 503, 'for all that come');
is(signed_with($new, 'lost new'), '503 none', 'by any scheme');
is(signed_with($old, 'lost old'), '503 none', 'and any secret');
is(subscribe($meta), 503, 'for handshakes');
is(api_key($keyed, $_), 503, 'for API keys') foreach 'plain-text-of-the-api-key', '';
my $shown = sql(q(SELECT cp_webhook.test_webhook('{"name": "keyed", "body": "{}", "headers": {"Content-Type": "application/json", "X-Our-Key": "plain-text-of-the-api-key"}}')));
like($shown, qr/"outcome": "unavailable"/, 'a dry run says so');
unlike($shown, qr/plain-text-of/, 'without the key that came');
like(log_since($node, $position), qr/could not open the secrets of webhook "signed", its deliveries get 503: the secret is sealed with key "second"[^\n]*the file has no such key/, 'and the log says why');
like(error_of('SELECT cp_webhook.rotate_secret_key()'), qr/F0000.*second/s, 'rotation says which key is missing');
like(error_of(qq(SELECT cp_webhook.put_webhook('{"webhook": {"name": "rotated", "targetPipeline": "pipeline", "targetAction": "Source", "filters": [],
	"authentication": "BITBUCKET_HMAC", "authenticationConfiguration": {"SecretToken": "x", "KeepPreviousSecretFor": "1 day"}}}'))),
	qr/F0000.*second/s, 'a secret that does not open cannot be kept');
is(sql("SELECT count(*) FROM cp_webhook.deliveries WHERE provider_delivery_id = 'lost'"), 0, 'nothing is recorded of it, the sender tries again');
$path = put('signed', 'GITHUB_HMAC', qq({"SecretToken": "$secret"}), '{"jsonPath": "$.a"}');
is(status_of($path, 'replaced'), 200, 'a secret whose key is lost can be put again');
my @wrong = (
	[ 'no file', sub { unlink $file }, qr/No such file/ ],
	[ 'an empty one', sub { write_keys('') }, qr/empty/ ],
	[ 'no key in it', sub { write_keys("# none\n") }, qr/it has no key/ ],
	[ 'a key that is too short', sub { write_keys("k AAAA\n") }, qr/line 1: behind its name a key is 32 bytes as base64/ ],
	[ 'a key twice', sub { write_keys(key_line('k', 1), key_line('k', 2)) }, qr/line 2: there is a key "k" before/ ],
	[ 'a file that others may read', sub { write_keys(key_line('k', 1)); chmod 0644, $file }, qr/others than its owner may read it/ ],
);
foreach my $case (@wrong)
{
	my ($what, $make, $message) = @$case;

	$make->();
	my $error = error_of(qq(SELECT cp_webhook.put_webhook('{"webhook": {"name": "fails", "targetPipeline": "pipeline", "targetAction": "Source",
		"filters": [{"jsonPath": "\$.a"}], "authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "$secret"}}}')));
	like($error, $message, "$what: put_webhook says so");
	like($error, qr/F0000/, "$what: as config_file_error");
	unlike($error, qr/\Q$secret\E/, "$what: without the secret");
}
is(sql("SELECT count(*) FROM cp_webhook.webhooks WHERE name = 'fails'"), 0, 'none of them is stored');

# ---- away from it ----

write_keys(key_line('third', 3), key_line('second', 2));
set_settings($node, secret_key_file => $file);
is(sql('SELECT cp_webhook.rotate_secret_key()'), 5, 'all under the third');
is(signed_with($new, 'third new'), '200 current', 'all is as before');
is(signed_with($old, 'third old'), '200 previous', 'for all secrets');
is(subscribe($meta), '200 17', 'and handshakes');

# ---- an operation that fails before it has begun ----

my $version = sql(q(SELECT extversion FROM pg_extension WHERE extname = 'cp_webhook'));
sql(q(UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'cp_webhook'));
like(error_of(qq(SELECT cp_webhook.put_webhook('{"webhook": {"name": "early", "targetPipeline": "pipeline", "targetAction": "Source", "filters": [],
	"authentication": "GITHUB_HMAC", "authenticationConfiguration": {"SecretToken": "plain-text-of-an-early-one"}}}'))),
	qr/55000.*is of version 0\.9/s, 'an operation of another version is refused');
sql(qq(UPDATE pg_extension SET extversion = '$version' WHERE extname = 'cp_webhook'));
# The refusal quotes what the client's encoding has not.
like(error_of(q(SET client_encoding = LATIN1; SELECT cp_webhook.put_webhook('{"webhook": {"name": "caf\u00e9 \ud83d\ude00",
	"authenticationConfiguration": {"SecretToken": "plain-text-of-a-smile"}}}'))),
	qr/CP001: ValidationException: .*Value 'caf\xe9 \\U0001F600' at 'webhook.name'/, 'a refusal is told in the client\'s encoding');
unlike(slurp_file($node->logfile), qr/plain-text-of|AQEBAQ|AgICAg|AwMDAw/, 'no secret and no key is in the log');
$node->stop;

done_testing();
