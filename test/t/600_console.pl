# The console's door: links, sessions, cookies, headers, who may come from where.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Console;
use CpWebhook;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $node = start_api('console', settings => { workers => 1 });
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

sub verdict
{
	my ($answer) = @_;
	return join ' ', $answer->{status}, $answer->{json}{error} // ();
}

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub set_and_reload
{
	my ($name, $value) = @_;
	sql("ALTER SYSTEM SET cp_webhook.$name = '$value'");
	$node->reload;
	return;
}

# ---- off ----

is(verdict(get_api($node, '/console/')), '404 not_found', 'off by default');
is(verdict(console_get($node, undef, 'me')), '404 not_found', 'and all that is below');
my ($status, undef, $errors) = $node->psql('postgres', '\set VERBOSITY verbose' . "\nSELECT cp_webhook.console_url()");
like($errors, qr/55000: the console is off.*cp_webhook\.console is off.*HINT: /s, 'there are no links either');
set_and_reload(console => 'on');
poll('a reload turns it on', sub { get_api($node, '/console/')->{status} == 200 });

# ---- the page ----

my $answer = get_api($node, '/console/');
is($answer->{headers}{'content-type'}, 'text/html; charset=utf-8', 'the page is HTML');
is($answer->{headers}{'content-security-policy'},
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
	'nothing inline, nothing from elsewhere');
is($answer->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($answer->{headers}{'referrer-policy'}, 'no-referrer', 'no referrer');
is($answer->{headers}{'x-frame-options'}, 'DENY', 'no frames');
is($answer->{headers}{'cross-origin-resource-policy'}, 'same-origin', 'no use by others');
unlike($answer->{body}, qr/<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=|https?:/, 'no inline script or style, no other host');
my @files = $answer->{body} =~ /(?:src|href)="([\w.]+)"/g;
cmp_ok(scalar @files, '>=', 3, 'its files');
foreach my $file (@files)
{
	is(get_api($node, "/console/$file")->{status}, 200, "$file is there");
}
is(get_api($node, '/console/app.js')->{headers}{'content-type'}, 'text/javascript; charset=utf-8', 'scripts are scripts');
is(get_api($node, '/console')->{headers}{location}, 'console/', 'the folder without its slash: a relative redirect');
foreach my $path (qw(/console/none /console/../api.c /console/app.js/ /console/api/ /console/api/none /console/api/me/x /consoles/))
{
	is(verdict(get_api($node, $path)), '404 not_found', "nothing at $path");
}
is(verdict(console_post($node, undef, '', {}, path => '/console/')), '405 use_get', 'the page takes no POST');

# ---- links ----

sql('CREATE ROLE viewer; GRANT USAGE ON SCHEMA cp_webhook TO viewer; GRANT EXECUTE ON FUNCTION cp_webhook.console_url() TO viewer');
my $token = console_token($node, 'viewer');
is(sql("SELECT encode(hash, 'hex'), is_link, role FROM cp_webhook.console_sessions"),
	sha256_hex($token) . '|t|viewer', 'a link is stored as a hash, with the calling role');
like(sql('SELECT cp_webhook.console_url()'), qr{^http://localhost:\d+/console/#}, 'a link says where');
sql("DELETE FROM cp_webhook.console_sessions WHERE role = '$superuser'::regrole");

is(verdict(console_get($node, undef, 'me')), '401 no_session', 'without a session nothing');
is(verdict(console_post($node, undef, 'session', { token => 'x' x 43 })), '401 no_session', 'a foreign token');
is(verdict(console_post($node, undef, 'session', {})), '401 no_session', 'no token');
is(verdict(console_post($node, undef, 'session', { token => [ $token ] })), '401 no_session', 'an odd one');
is(verdict(console_post($node, undef, 'session', '[')), '400 bad_request', 'no JSON');
is(verdict(console_post($node, undef, 'session', '[]')), '400 bad_request', 'no object');
is(verdict(console_post($node, undef, 'session', undef)), '400 bad_request', 'no body');
is(verdict(console_get($node, undef, 'session', query => "token=$token")), '405 use_post', 'a GET spends no link');

$answer = console_post($node, undef, 'session', { token => $token });
is($answer->{status}, 200, 'a link opens the console');
like($answer->{headers}{'set-cookie'}, qr/^cp_webhook_console_\d+=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict$/, 'by a cookie');
is($answer->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
my ($session) = $answer->{headers}{'set-cookie'} =~ /^([^;]+)/;
my $after = console_post($node, undef, 'session', { token => $token });
is(verdict($after), '401 no_session', 'once');
ok(!exists $after->{headers}{'set-cookie'}, 'a spent link gives no cookie');
is(console_get($node, $session, 'me')->{json}{role}, 'viewer', 'the session is the role');
is(console_get($node, "a=b; $session; c=d", 'me')->{status}, 200, 'among other cookies');
(my $forged = $session) =~ s/.$/$session =~ m{A$} ? 'B' : 'A'/e;
is(verdict(console_get($node, $forged, 'me')), '401 no_session', 'a forged cookie');
is(verdict(console_get($node, $session =~ s/=.*/=$token/r, 'me')), '401 no_session', 'a token is no cookie');
my ($secret) = $session =~ /=(.*)/;
is(verdict(console_post($node, undef, 'session', { token => $secret })), '401 no_session', 'nor a cookie a token');
is(sql("SELECT count(*) FROM cp_webhook.console_sessions WHERE encode(hash, 'hex') = '" . sha256_hex($secret) . "' AND NOT is_link"), 1,
	'a session is stored as a hash');

# Two that use a link at once: one session.
my $shared = console_token($node, 'viewer');
my @connections = map { connect_to($node, port => api_port_of($node)) } 1 .. 4;
$_->send_text(request_text('POST', '/console/api/session', body => qq({"token":"$shared"}), type => undef,
	headers => [ 'Content-Type' => 'application/json', 'X-CP-Webhook-Console' => 1 ])) foreach @connections;
is(join(' ', sort map { $_->read_answer->{status} } @connections), '200 401 401 401', 'a link is spent once, also at once');

# ---- lifetimes and ends ----

$token = console_token($node, 'viewer');
sql("UPDATE cp_webhook.console_sessions SET expires_at = now() - interval '1 second' WHERE is_link");
is(verdict(console_post($node, undef, 'session', { token => $token })), '401 no_session', 'a link that was not used in time');
is(sql("SELECT count(*) FROM cp_webhook.console_sessions WHERE NOT is_link AND expires_at BETWEEN now() + interval '11 hours' AND now() + interval '12 hours'"), 2,
	'sessions last for console_session_lifetime');
set_and_reload(console_link_lifetime => '5min');
sql('SELECT cp_webhook.console_url()');
is(sql("SELECT count(*) FROM cp_webhook.console_sessions WHERE is_link AND expires_at BETWEEN now() + interval '4 minutes' AND now() + interval '5 minutes'"), 1,
	'links for console_link_lifetime');

my $expiring = open_console($node, 'viewer');
is(console_get($node, $expiring, 'me')->{status}, 200, 'a session');
sql('UPDATE cp_webhook.console_sessions SET expires_at = clock_timestamp() WHERE hash = sha256(\'' . ($expiring =~ /=(.*)/)[0] . '\')');
is(verdict(console_get($node, $expiring, 'me')), '401 no_session', 'that has expired');

my $leaving = open_console($node, 'viewer');
$answer = console_post($node, $leaving, 'sign_out', {});
is($answer->{status}, 200, 'signing out');
like($answer->{headers}{'set-cookie'}, qr/=; HttpOnly; SameSite=Strict; Max-Age=0$/, 'takes the cookie');
is(verdict(console_get($node, $leaving, 'me')), '401 no_session', 'and ends the session');
is(verdict(console_post($node, $leaving, 'sign_out', {})), '401 no_session', 'once');
is(console_get($node, $session, 'me')->{status}, 200, 'not another one');

sql('CREATE ROLE other; GRANT USAGE ON SCHEMA cp_webhook TO other; GRANT EXECUTE ON FUNCTION cp_webhook.console_url(), cp_webhook.end_console_sessions() TO other');
my $other = open_console($node, 'other');
is(sql('SET ROLE other; SELECT cp_webhook.end_console_sessions()'), 1, 'a role ends its sessions');
is(verdict(console_get($node, $other, 'me')), '401 no_session', 'at once');
is(console_get($node, $session, 'me')->{status}, 200, 'not those of others');
$other = open_console($node, 'other');
sql('REVOKE ALL ON SCHEMA cp_webhook FROM other; REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cp_webhook FROM other; DROP ROLE other');
is(verdict(console_get($node, $other, 'me')), '401 no_session', 'a dropped role\'s sessions are over');
$token = console_token($node, 'viewer');
cmp_ok(sql('SELECT cp_webhook.end_console_sessions()'), '>=', 3, 'a superuser ends all');
is(verdict(console_get($node, $session, 'me')), '401 no_session', 'sessions');
is(verdict(console_post($node, undef, 'session', { token => $token })), '401 no_session', 'and links');

($status, undef, $errors) = $node->psql('postgres', 'CREATE ROLE nobody; SET ROLE nobody; SELECT cp_webhook.console_url()');
like($errors, qr/permission denied/, 'who may not gets no link');

# ---- who asks ----

$session = open_console($node, 'viewer');
is(verdict(console_get($node, $session, 'me', headers => { 'Sec-Fetch-Site' => 'same-origin' })), '200', 'our page reads');
is(verdict(console_get($node, $session, 'me', headers => { 'Sec-Fetch-Site' => $_ })), '403 forbidden', "a $_ page does not read")
  foreach 'cross-site', 'same-site';
my $host = 'localhost:' . api_port_of($node);
my %headers = (
	'the header of our page is missing' => { 'X-CP-Webhook-Console' => undef },
	'a page of another site' => { 'Sec-Fetch-Site' => 'cross-site' },
	'a page of another port' => { 'Sec-Fetch-Site' => 'same-site', Origin => 'http://localhost:1' },
	'typed into the address' => { 'Sec-Fetch-Site' => 'none' },
	'another origin' => { Origin => 'https://evil.example' },
	'another port, an old browser' => { Origin => 'http://localhost:1' },
	'an opaque origin' => { Origin => 'null' },
);
is(verdict(console_post($node, $session, 'sign_out', {}, headers => $headers{$_})), '403 forbidden', "refused: $_") foreach sort keys %headers;
foreach my $type ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', undef)
{
	is(verdict(console_post($node, $session, 'sign_out', '{}', headers => { 'Content-Type' => $type })), '415 unsupported_media_type',
		'no form: ' . ($type // 'no type'));
}
is(verdict(console_get($node, $session, 'sign_out')), '405 use_post', 'nothing changes by GET');
is(verdict(console_post($node, $session, 'me', {})), '405 use_get', 'what reads is no POST');
$answer = console_post($node, $session, 'sign_out', {}, method => 'OPTIONS',
	headers => { Origin => 'https://evil.example', 'Access-Control-Request-Method' => 'POST' });
ok(!(grep { /^access-control/ } keys %{ $answer->{headers} }), 'no other page is allowed anything');
is(console_get($node, $session, 'me')->{status}, 200, 'the session is still there');
is(console_post($node, $session, 'sign_out', {}, headers => { 'Sec-Fetch-Site' => 'same-origin', Origin => "http://$host" })->{status}, 200, 'our page signs out');

# ---- sizes ----

$session = open_console($node, $superuser);
my $padding = 1024 * 1024 - length '{"x":""}';
is(verdict(console_post($node, $session, 'test', '{"x":"' . 'x' x $padding . '"}')), '400 ValidationException', 'a request of 1 MB');
is(verdict(console_post($node, $session, 'test', '{"x":"' . 'x' x ($padding + 1) . '"}')), '413 body_too_large', 'one of a byte more');
is(verdict(console_post($node, $session, 'test', '[' x 100_000)), '400 bad_request', 'a deep one');

# ---- behind a proxy ----

my $plain = console_post($node, undef, 'session', { token => console_token($node, 'viewer') }, headers => { 'X-Forwarded-Proto' => 'https' });
unlike($plain->{headers}{'set-cookie'}, qr/Secure/, 'X-Forwarded-Proto of anybody counts for nothing');
set_and_reload(trusted_proxies => '127.0.0.1, ::1');
set_and_reload(console_public_url => 'https://ops.example/hooks/');
is((sql('SELECT cp_webhook.console_url()') =~ /^([^#]*)/)[0], 'https://ops.example/hooks/console/', 'a link through the proxy');
poll('a trusted proxy says that it is TLS', sub {
	console_post($node, undef, 'session', { token => console_token($node, 'viewer') }, headers => { 'X-Forwarded-Proto' => 'https' })
	  ->{headers}{'set-cookie'} =~ /; Secure$/;
});
$session = open_console($node, 'viewer');
is(verdict(console_post($node, $session, 'sign_out', {}, headers => { Origin => 'https://ops.example' })), '200', 'the proxy\'s origin is ours');

# ---- off again ----

$session = open_console($node, 'viewer');
set_and_reload(console => 'off');
poll('off ends it', sub { console_get($node, $session, 'me')->{status} == 404 });

# ---- dumps and crashes ----

set_and_reload(console => 'on');
poll('on again', sub { console_get($node, $session, 'me')->{status} == 200 });
unlike(slurp_dump(), qr/\Q@{[sha256_hex(($session =~ m{=(.*)})[0])]}\E/, 'a dump has no session');
$node->stop('immediate');
$node->start;
wait_until_api_listens($node);
is(verdict(console_get($node, $session, 'me')), '401 no_session', 'a crash ends all sessions');

sub slurp_dump
{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

	$node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr('postgres') ], 'a dump');
	return slurp_file($file);
}

$node->stop;
done_testing();
