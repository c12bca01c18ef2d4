# 300_tls: HTTPS: certificates, their files, and changing them while it runs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use File::Copy qw(copy);
use IO::Socket::IP;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
my $cert_file = "$directory/served.crt";
my $key_file = "$directory/served.key";

# Runs a program; its exit status, output and errors.
sub run_program
{
	my ($command, $input) = @_;
	my ($out, $err) = ('', '');

	$input //= '';
	IPC::Run::run($command, '<', \$input, '>', \$out, '2>', \$err, IPC::Run::timeout($CpWebhook::timeout));
	return ($? >> 8, $out, $err);
}

sub openssl
{
	my @arguments = @_;
	my ($status, $out, $err) = run_program([ 'openssl', @arguments ]);

	die "openssl @arguments: $err" if $status;
	return $out;
}

sub write_file
{
	my ($name, $text, $mode) = @_;

	unlink $name;
	open my $file, '>', $name or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
	chmod $mode // 0600, $name;
	return;
}

# ---------------------------------------------------------------------------
# Certificates: a root, an intermediate, and servers' own. NAME.key, NAME.crt
# (alone) and NAME.pem (with the intermediate).
# ---------------------------------------------------------------------------

sub make_certificate
{
	my ($name, %options) = @_;
	my $path = "$directory/$name";
	my @key = $options{rsa} ? ('-newkey', 'rsa:2048') : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
	my @issuer = $options{issuer}
	  ? ('-CA', "$directory/$options{issuer}.crt", '-CAkey', "$directory/$options{issuer}.key", '-CAcreateserial')
	  : ('-signkey', "$path.key");

	openssl('req', '-new', '-nodes', @key, '-subj', "/CN=$name", '-keyout', "$path.key", '-out', "$path.csr");
	write_file("$path.ext", $options{ca}
		? "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n"
		: "basicConstraints=critical,CA:false\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n");
	openssl('x509', '-req', '-in', "$path.csr", @issuer, '-days', $options{days} // 365, '-extfile', "$path.ext", '-out', "$path.crt");
	write_file("$path.pem", join '', map { slurp_file($_) } "$path.crt", "$directory/inner.crt")
	  unless $options{ca};
	return;
}

make_certificate('root', ca => 1);
make_certificate('inner', ca => 1, issuer => 'root');
make_certificate('one', issuer => 'inner', days => 90);
make_certificate('two', issuer => 'inner', days => 30);
make_certificate('rsa', issuer => 'inner', days => 40, rsa => 1);
make_certificate('expired', issuer => 'inner', days => 0);

sub fingerprint_of
{
	my ($name) = @_;
	return openssl('x509', '-in', "$directory/$name.crt", '-noout', '-fingerprint', '-sha256');
}

sub expiry_of
{
	my ($name) = @_;
	return openssl('x509', '-in', "$directory/$name.crt", '-noout', '-enddate') =~ s/^notAfter=|\n//gr;
}

my %fingerprint = map { $_ => fingerprint_of($_) } qw(one two rsa expired);
my %expiry = map { $_ => expiry_of($_) } qw(one two rsa expired);

# Puts the pair of that name where the settings point to.
sub install
{
	my ($name, %options) = @_;

	foreach my $file ([ "$name.pem", $cert_file ], [ "$name.key", $key_file ])
	{
		-d $file->[1] ? rmdir $file->[1] : unlink $file->[1];
		copy("$directory/$file->[0]", $file->[1]) or die "$file->[0]: $!";
		chmod 0600, $file->[1];
	}
	return;
}

# ---------------------------------------------------------------------------
# Clients
# ---------------------------------------------------------------------------

my $node;
my $workers = 2;

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# The server's certificate as a new connection sees it; '' when there is none.
sub served_fingerprint
{
	my (undef, $out) = run_program([ 'openssl', 's_client', '-connect', '127.0.0.1:' . port_of($node) ]);

	return '' unless $out =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/s;
	(undef, $out) = run_program([ 'openssl', 'x509', '-noout', '-fingerprint', '-sha256' ], "$1\n");
	return $out;
}

# curl; its exit status, the answer's status and body, its complaint.
sub curl
{
	my ($url, @arguments) = @_;
	my ($status, $out, $err) = run_program([ 'curl', '-sS', '--noproxy', '*', '--max-time', 20,
			'--cacert', "$directory/root.crt", '-w', '\n%{http_code}', @arguments, $url ]);
	my ($body, $code) = $out =~ /^(.*)\n(\d+)$/s;

	return ($status, $code, $body, $err);
}

sub https_url
{
	my ($path, $host) = @_;
	return 'https://' . ($host // 'localhost') . ':' . port_of($node) . $path;
}

sub curl_is_served
{
	my ($what, @arguments) = @_;
	my ($status, $code, $body, $err) = curl(https_url('/healthz'), @arguments);

	is("$status $code", '0 200', $what) or diag($err);
	return;
}

# A connection that stays: openssl s_client with our bytes in and out.
sub connect_with_tls
{
	my %connection = (in => '', out => '', err => '');

	$connection{run} = IPC::Run::start([ 'openssl', 's_client', '-quiet', '-connect', '127.0.0.1:' . port_of($node),
			'-CAfile', "$directory/root.crt", '-verify_return_error' ],
		'<', \$connection{in}, '>', \$connection{out}, '2>', \$connection{err},
		IPC::Run::timeout($CpWebhook::timeout * 3));
	return \%connection;
}

sub request_with_tls
{
	my ($connection, @request) = @_;

	$connection->{out} = '';
	$connection->{in} = request_text(@request);
	while ($connection->{run}->pumpable)
	{
		return $1 if $connection->{out} =~ m{^HTTP/1\.1 (\d+) .*\r\n\r\n.*\}$}s;
		$connection->{run}->pump;
	}
	return "closed: $connection->{err}";
}

# Waits until every receiver has said something new of its certificate.
sub wait_for_certificate
{
	my ($name) = @_;

	poll("the receivers serve $name", sub {
		value("SELECT count(*) FROM cp_webhook.stats() WHERE certificate_expires_at = '$expiry{$name}'") == $workers;
	});
	return;
}

sub wait_for_error
{
	my ($since) = @_;

	poll('the receivers complain', sub {
		value("SELECT count(*) FROM cp_webhook.stats() WHERE last_error_at > '$since'") == $workers;
	});
	return value('SELECT last_error FROM cp_webhook.stats() ORDER BY last_error_at DESC LIMIT 1');
}

sub now { return value('SELECT clock_timestamp()'); }

# Whether anything listens.
sub is_listening
{
	return defined IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => port_of($node));
}

# ---------------------------------------------------------------------------
note 'HTTPS';

install('one');
$node = start_receivers('tls',
	settings => { workers => $workers, ssl_cert_file => $cert_file, ssl_key_file => $key_file, max_body_size => '4MB' });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'push', secret => 's3cret');

is(value('SELECT url FROM cp_webhook.webhooks'), https_url($path), 'the URL of a webhook begins with https');
curl_is_served('TLS 1.2', '--tlsv1.2', '--tls-max', '1.2');
curl_is_served('TLS 1.3', '--tlsv1.3');
foreach my $version ('1.1', '1.0')
{
	my ($status, $code, undef, $err) = curl(https_url('/healthz'), "--tlsv$version", '--tls-max', $version,
		'--ciphers', 'DEFAULT@SECLEVEL=0');

	is("$status $code", '35 000', "TLS $version is refused");
	unlike($err, qr/no protocols available|unsupported protocol|cipher/, "by the server, not by curl's own settings");
}
is(served_fingerprint(), $fingerprint{one}, 'its certificate is that of the file');
my ($status, $out, $err) = run_program([ 'openssl', 's_client', '-connect', '127.0.0.1:' . port_of($node), '-showcerts',
		'-CAfile', "$directory/root.crt", '-verify_return_error', '-verify_hostname', 'localhost' ]);
is($status, 0, 'the chain is verified with the root alone') or diag($err);
is(scalar(() = $out =~ /BEGIN CERTIFICATE/g), 2, 'it has two certificates');
like($out, qr/Verify return code: 0 \(ok\)/, 'and is right');

my $answer;
my $body = '{"ref":"refs/heads/main"}';
my @signed = ('-H', 'Content-Type: application/json');
(undef, $status, $answer) = curl(https_url($path), @signed, '-H', 'X-Hub-Signature-256: ' . sign('s3cret', $body), '--data-binary', $body);
is($status, 200, 'a signed POST');
is(json_of($answer)->{status}, 'triggered', 'triggers');
is(value("SELECT outcome || ' ' || (payload ->> 'ref') FROM cp_webhook.deliveries"), 'triggered refs/heads/main', 'and is recorded');
(undef, $status) = curl(https_url($path), @signed, '-H', 'X-Hub-Signature-256: ' . sign('other', $body), '--data-binary', $body);
is($status, 401, 'one that is signed with another secret');

# Larger than a record of TLS, and than what a connection buffers.
foreach my $length (16383, 16384, 16385, 70_000, 3_000_000)
{
	my $large = '"' . 'x' x ($length - 2) . '"';

	write_file("$directory/body", $large);
	foreach my $expect ('Expect:', 'Expect: 100-continue')
	{
		(undef, $status, $answer, $err) = curl(https_url($path), @signed, '-H', $expect,
			'-H', 'X-Hub-Signature-256: ' . sign('s3cret', $large), '--data-binary', "\@$directory/body");
		is($status, 200, "a body of $length bytes, $expect") or diag($err);
	}
}

# ---------------------------------------------------------------------------
note 'what is no TLS';

my $connection = connect_to($node);
$connection->send_text(request_text(POST => $path, body => $body, secret => 's3cret'));
unlike($connection->wait_for_end, qr/HTTP/, 'plain HTTP is closed without an answer');
foreach my $bytes ("\x16\x03\x01\xff\xff", "\0" x 100, "\x16\x03\x01\x00\x05hello", 'x' x 70_000)
{
	$connection = connect_to($node);
	$connection->send_text($bytes);
	$connection->finish_sending;
	unlike($connection->wait_for_end, qr/HTTP/, length($bytes) . ' odd bytes are closed');
}
set_settings($node, request_timeout => '300ms');
$connection = connect_to($node);
is($connection->wait_for_end, '', 'a handshake that never begins ends at request_timeout');
$connection = connect_to($node);
$connection->send_text("\x16\x03\x01\x02\x00\x01");
$connection->wait_for_end;
pass('so does one that never goes on');
set_settings($node, request_timeout => undef);
curl_is_served('afterwards it serves');

# ---------------------------------------------------------------------------
note 'another pair by reload';

my $kept = connect_with_tls();
is(request_with_tls($kept, GET => '/healthz'), 200, 'a connection with the first certificate');
is(value('SELECT DISTINCT certificate_days FROM cp_webhook.stats()'), 89, 'the days until the first expires');
is(value("SELECT count(*) FROM cp_webhook.stats() WHERE certificate_expires_at = '$expiry{one}'"), $workers, 'and when it does');
install('rsa');
is(served_fingerprint(), $fingerprint{one}, 'files alone change nothing');
$node->reload;
wait_for_certificate('rsa');
is(served_fingerprint(), $fingerprint{rsa}, 'a new handshake sees the new certificate');
is(value('SELECT DISTINCT certificate_days FROM cp_webhook.stats()'), 39, 'the days until it expires');
curl_is_served('RSA, TLS 1.2', '--tlsv1.2', '--tls-max', '1.2');
curl_is_served('RSA, TLS 1.3', '--tlsv1.3');
is(request_with_tls($kept, POST => $path, body => $body, secret => 's3cret'), 200, 'the connection with the old one goes on');

install('expired');
$node->reload;
wait_for_certificate('expired');
is(value('SELECT DISTINCT certificate_days FROM cp_webhook.stats()'), -1, 'an expired one is served, with days below 0');
isnt((curl(https_url('/healthz')))[0], 0, 'and refused by clients');

# ---------------------------------------------------------------------------
note 'requests during reloads';

my $before = value('SELECT count(*) FROM cp_webhook.deliveries');
my ($codes, $nothing) = ('', '');
# The codes go to stderr, which is not buffered; so do complaints.
my $loop = IPC::Run::start([ 'curl', '-sS', '--noproxy', '*', '--insecure', '--no-sessionid', '-H', 'Connection: close',
		'-o', '/dev/null', '-w', '%{stderr}%{http_code}\n', @signed, '-H', 'X-Hub-Signature-256: ' . sign('s3cret', $body),
		'--data-binary', $body, https_url($path, '127.0.0.1') . '?[1-1000000]' ],
	'<', \$nothing, '2>', \$codes, IPC::Run::timeout($CpWebhook::timeout));
my $right = 0;
my $went_on = 0;
foreach my $reload (1 .. 20)
{
	my $name = $reload % 2 ? 'one' : 'two';
	my $seen = length $codes;

	install($name);
	$node->reload;
	wait_for_certificate($name);
	$loop->pump until length $codes > $seen + 20;
	$right++ if served_fingerprint() eq $fingerprint{$name};
	$went_on++ if request_with_tls($kept, GET => '/healthz') eq 200;
}
$loop->signal('TERM');
eval { $loop->finish };
is($right, 20, 'after each of 20 reloads a handshake sees the new certificate');
is($went_on, 20, 'and a connection from before goes on');
my $answered = () = $codes =~ /^200$/mg;
cmp_ok($answered, '>=', 100, "$answered requests with a handshake each meanwhile");
is($codes =~ s/^200\n//mgr, '', 'no connection was refused, no request dropped');
my $recorded = value('SELECT count(*) FROM cp_webhook.deliveries') - $before;
ok($recorded == $answered || $recorded == $answered + 1, 'each that was answered is recorded, once');

# ---------------------------------------------------------------------------
note 'a broken pair by reload';

my $own_key = slurp_file("$directory/one.key");
my $encrypted = "$directory/encrypted.key";
my $log_start = 0;
openssl('pkcs8', '-topk8', '-in', "$directory/one.key", '-out', $encrypted, '-passout', 'pass:secret');
openssl('x509', '-in', "$directory/one.crt", '-outform', 'DER', '-out', "$directory/one.der");

install('one');
$node->reload;
wait_for_certificate('one');
foreach my $case (
	[ 'a key that the group may read', sub { chmod 0640, $key_file }, qr/others than its owner may read/, qr/private key file "\Q$key_file\E" has group or world access/ ],
	[ 'a key that the world may read', sub { chmod 0604, $key_file }, qr/others than its owner may read/, qr/has group or world access/ ],
	[ 'no key', sub { unlink $key_file }, qr/served\.key.*not there/, qr/could not access private key file "\Q$key_file\E": No such file/ ],
	[ 'no certificate', sub { unlink $cert_file }, qr/served\.crt": No such file/ ],
	[ 'an empty certificate', sub { write_file($cert_file, '') }, qr/served\.crt": empty/ ],
	[ 'an empty key', sub { write_file($key_file, '') }, qr/served\.key": empty/ ],
	[ 'a certificate that nobody may read', sub { chmod 0, $cert_file }, qr/served\.crt": Permission denied/ ],
	[ 'a directory', sub { unlink $cert_file; mkdir $cert_file }, qr/served\.crt": Is a directory/ ],
	[ 'a very large file', sub { write_file($cert_file, 'x' x (1024 * 1024)) }, qr/served\.crt": larger than/ ],
	[ 'a certificate that is garbage', sub { write_file($cert_file, "garbage\n" x 100) }, qr/certificate cannot be read/ ],
	[ 'a certificate cut short', sub { write_file($cert_file, substr slurp_file("$directory/one.pem"), 0, 300) }, qr/certificate cannot be read/ ],
	[ 'a certificate in DER', sub { write_file($cert_file, slurp_file("$directory/one.der")) }, qr/certificate cannot be read/ ],
	[ 'a key in the place of the certificate', sub { write_file($cert_file, $own_key) }, qr/certificate cannot be read/ ],
	[ 'a chain that is too long', sub { write_file($cert_file, slurp_file("$directory/one.pem") x 6) }, qr/more than 10 certificates/ ],
	[ 'a key that is garbage', sub { write_file($key_file, "garbage\n" x 100) }, qr/private key cannot be read/ ],
	[ 'a key cut short', sub { write_file($key_file, substr $own_key, 0, length($own_key) - 80) }, qr/private key cannot be read/ ],
	[ 'an encrypted key', sub { write_file($key_file, slurp_file($encrypted)) }, qr/private key cannot be read/ ],
	[ 'a certificate in the place of the key', sub { write_file($key_file, slurp_file("$directory/one.crt")) }, qr/private key cannot be read/ ],
	[ 'the key of another', sub { write_file($key_file, slurp_file("$directory/two.key")) }, qr/private key is not that of the certificate/ ],
	[ 'the key of another kind', sub { write_file($key_file, slurp_file("$directory/rsa.key")) }, qr/private key is not that of the certificate/ ],
	[ 'the certificates in the wrong order', sub { write_file($cert_file, join '', map { slurp_file("$directory/$_.crt") } qw(inner one)) }, qr/private key is not that of the certificate/ ])
{
	my ($what, $break, $error, $log) = @$case;
	my $position = log_position($node);
	my $since = now();
	my $logged;

	$break->();
	$node->reload;
	like(wait_for_error($since), $error, "$what: stats() says it");
	$logged = log_since($node, $position);
	like($logged, $error, "$what: so does the log");
	like($logged, $log, "$what: in the server's words") if $log;
	like($logged, qr/DETAIL:  The certificate that was loaded before is still served/, "$what: and what is served");
	is(served_fingerprint(), $fingerprint{one}, "$what: the old one is served");
	install('one');
}
foreach my $setting (qw(ssl_cert_file ssl_key_file))
{
	my $since = now();

	value("ALTER SYSTEM SET cp_webhook.$setting = ''");
	$node->reload;
	like(wait_for_error($since), qr/go together/, "without $setting: stats() says it");
	is(served_fingerprint(), $fingerprint{one}, "without $setting: the old one is served");
	value("ALTER SYSTEM RESET cp_webhook.$setting");
}
is(request_with_tls($kept, GET => '/healthz'), 200, 'a connection from before all this goes on');
install('two');
$node->reload;
wait_for_certificate('two');
is(served_fingerprint(), $fingerprint{two}, 'the next that is right is served');

# ---------------------------------------------------------------------------
note 'one receiver anew, and other limits';

chmod 0644, $key_file;
value("SELECT pg_terminate_backend(pid) FROM cp_webhook.stats() WHERE worker = 0");
poll('the new receiver complains', sub {
	value("SELECT count(*) FROM cp_webhook.stats() WHERE worker = 0 AND pid IS NOT NULL AND listening IS NULL AND last_error IS NOT NULL") == 1;
});
curl_is_served('the other one serves all that comes', '--tlsv1.2') foreach 1 .. 4;
chmod 0600, $key_file;
wait_until_listening($node);
wait_for_certificate('two');
curl_is_served('repaired, both do') foreach 1 .. 4;

$kept->{run}->kill_kill;
$kept = connect_with_tls();
is(request_with_tls($kept, GET => '/healthz'), 200, 'a connection');
set_settings($node, max_header_size => '8kB');
curl_is_served('with another max_header_size there is TLS');
is(request_with_tls($kept, GET => '/healthz'), 200, 'and the connection goes on');
set_settings($node, max_header_size => undef);

# ---------------------------------------------------------------------------
note 'off and on';

my $position = log_position($node);
set_settings($node, ssl_cert_file => '', ssl_key_file => '');
is(post($node, $path, $body, secret => 's3cret')->{json}{status}, 'triggered', 'without both it is plain HTTP');
is(served_fingerprint(), '', 'and no TLS');
is(request_with_tls($kept, GET => '/healthz'), 200, 'a connection with TLS goes on');
is(value('SELECT count(*) FROM cp_webhook.stats() WHERE certificate_expires_at IS NULL AND certificate_days IS NULL'),
	$workers, 'there is no certificate to expire');
like(value('SELECT url FROM cp_webhook.webhooks'), qr{^http://}, 'URLs begin with http');
my $plain = connect_to($node);
is($plain->request(GET => '/healthz')->{status}, 200, 'a plain connection');

chmod 0644, $key_file;
my $since = now();
$position = log_position($node);
value("ALTER SYSTEM RESET cp_webhook.ssl_cert_file; ALTER SYSTEM RESET cp_webhook.ssl_key_file");
$node->reload;
like(wait_for_error($since), qr/others than its owner/, 'on again, but broken');
unlike(log_since($node, $position), qr/loaded before is still served|Nothing is served/, 'the log does not promise what is not so');
like(log_since($node, $position), qr/DETAIL:  Plain HTTP is still served/, 'it says what is served');
is(post($node, $path, $body, secret => 's3cret')->{status}, 200, 'plain HTTP, as before');
is(served_fingerprint(), '', 'no certificate of the past');

chmod 0600, $key_file;
$node->reload;
wait_for_certificate('two');
is(served_fingerprint(), $fingerprint{two}, 'repaired, there is TLS');
is($plain->request(GET => '/healthz')->{status}, 200, 'the plain connection goes on');
is(connect_to($node)->request(GET => '/healthz'), undef, 'a new one is not answered');
$plain->close;
$kept->{run}->kill_kill;

# ---------------------------------------------------------------------------
note 'a broken pair at the start';

foreach my $repair ('by a reload', 'by itself')
{
	install('one');
	chmod 0644, $key_file;
	$node->stop;
	$position = log_position($node);
	$node->start;
	poll('the receivers complain', sub { value('SELECT count(*) FROM cp_webhook.stats() WHERE last_error IS NOT NULL') == $workers });
	ok(!is_listening(), "$repair: nothing listens");
	like(value('SELECT DISTINCT last_error FROM cp_webhook.stats()'), qr/others than its owner may read/, "$repair: stats() says why");
	is(value('SELECT count(*) FROM cp_webhook.stats() WHERE listening IS NULL AND certificate_days IS NULL'), $workers,
		"$repair: no receiver says that it listens");
	like(log_since($node, $position), qr/has group or world access.*DETAIL:  Nothing is served until/s, "$repair: the log says why");
	chmod 0600, $key_file;
	$node->reload if $repair eq 'by a reload';
	wait_until_listening($node);
	is(served_fingerprint(), $fingerprint{one}, "$repair: it serves when that is repaired");
}

# ---------------------------------------------------------------------------
# Whatever went wrong: no line of a key is in the log.
my $log = slurp_file($node->logfile);
foreach my $key (map { "$directory/$_.key" } qw(one two rsa encrypted))
{
	is(scalar(grep { length > 20 && index($log, $_) >= 0 } grep { !/-----/ } split /\n/, slurp_file($key)), 0,
		"$key is not in the log");
}
unlike($log, qr/PRIVATE KEY/, 'nor is a part of one');
is(scalar worker_pids($node), $workers, 'the receivers are there');
unlike($log, qr/was terminated by signal|PANIC|TRAP/, 'nothing died');
$node->stop;
done_testing();
