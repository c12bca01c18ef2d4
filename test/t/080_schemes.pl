# Every sender's scheme on a server: what it signs is taken, what is changed is
# not; its event and its id; rotation, the replay window, ranges, handshakes.

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(hmac_sha1_base64 hmac_sha256 hmac_sha256_hex hmac_sha512_hex hmac_sha256_base64 sha256_hex);
use FindBin;
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;

my $FORM = 'application/x-www-form-urlencoded';
my $PUBLIC_URL = 'https://hooks.example.com';
my $KEY = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my $node = start_receivers('schemes', settings => {
	workers => 1, public_url => $PUBLIC_URL, trusted_proxies => '127.0.0.1',
	rejections_per_minute => 100000 });

create_pipeline($node, 'pipeline', Branch => 'main');

# An ed25519 key: RFC 8032, 7.1, TEST 1.
my $directory = PostgreSQL::Test::Utils::tempdir();
my $public_key = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
my $files = 0;

sub write_file
{
	my ($bytes) = @_;
	my $path = "$directory/" . $files++;

	open my $file, '>:raw', $path or die $!;
	print $file $bytes;
	close $file;
	return $path;
}

my $private_key = write_file(pack 'H*', '302e020100300506032b657004220420'
	  . '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');

sub ed25519
{
	my ($message) = @_;
	my ($in, $out) = (write_file($message), "$directory/signature");

	system('openssl', 'pkeyutl', '-sign', '-inkey', $private_key, '-keyform', 'DER', '-rawin',
		'-in', $in, '-out', $out) == 0 or die "openssl failed\n";
	return slurp_file($out);
}

# hmac_..._base64 leaves its padding out.
sub padded
{
	my ($base64) = @_;
	return $base64 . '=' x (-length($base64) % 4);
}

# Webhooks, by scheme: configuration, and sign(secret, body, now) that returns
# the headers; a body; the event and the sender's id that come of it; type.
my $json_body = '{"ref":"refs/heads/main"}';
my %senders = (
	HMAC => {
		configuration => { SecretToken => 's', HeaderName => 'X-Sig', Algorithm => 'sha512', Prefix => 'sha512=',
			SignedTemplate => '{timestamp}|{id}|{url}|{body}', TimestampHeader => 'X-Time' },
		sign => sub {
			my ($secret, $body, $now, $path) = @_;
			return ('X-Sig', 'sha512=' . hmac_sha512_hex("$now|d1|$PUBLIC_URL$path|$body", $secret),
				'X-Time', $now, 'X-Request-Id', 'd1');
		},
		id => 'd1', timed => 1 },
	STANDARD_WEBHOOKS => {
		configuration => { SecretToken => "whsec_$KEY" },
		other => 'whsec_' . encode_base64('x' x 24, ''),
		sign => sub {
			my ($secret, $body, $now) = @_;
			my $key = decode_base64($secret =~ s/^whsec_//r);
			return ('webhook-id', 'msg_1', 'webhook-timestamp', $now,
				'webhook-signature', 'v1,AAAA v1,' . padded(hmac_sha256_base64("msg_1.$now.$body", $key)));
		},
		body => '{"type":"invoice.paid"}', event => 'invoice.paid', id => 'msg_1', timed => 1 },
	GITLAB_TOKEN => {
		configuration => { SecretToken => 's' },
		sign => sub { return ('X-Gitlab-Token', $_[0], 'X-Gitlab-Event', 'Push Hook', 'Idempotency-Key', 'k1') },
		event => 'Push Hook', id => 'k1', token => 1 },
	BITBUCKET_HMAC => {
		configuration => { SecretToken => 's' },
		sign => sub {
			return ('X-Hub-Signature', 'sha256=' . hmac_sha256_hex($_[1], $_[0]),
				'X-Event-Key', 'repo:push', 'X-Request-UUID', 'u1');
		},
		event => 'repo:push', id => 'u1' },
	GITEA_HMAC => {
		configuration => { SecretToken => 's' },
		sign => sub {
			return ('X-Gitea-Signature', hmac_sha256_hex($_[1], $_[0]), 'X-Gitea-Event', 'push',
				'X-GitHub-Event', 'ping', 'X-Gitea-Delivery', 'g1');
		},
		event => 'push', id => 'g1' },
	STRIPE => {
		configuration => { SecretToken => 'whsec_s' },
		sign => sub {
			return ('Stripe-Signature', "t=$_[2],v1=" . ('0' x 64) . ',v1=' . hmac_sha256_hex("$_[2].$_[1]", $_[0]) . ',v0=x',
				'X-Request-Id', 'of a proxy');
		},
		body => '{"id":"evt_1","type":"charge.paid"}', event => 'charge.paid', id => 'evt_1', timed => 1 },
	SLACK => {
		configuration => { SecretToken => 's' },
		sign => sub {
			return ('X-Slack-Signature', 'v0=' . hmac_sha256_hex("v0:$_[2]:$_[1]", $_[0]), 'X-Slack-Request-Timestamp', $_[2]);
		},
		body => '{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}',
		event => 'app_mention', id => 'Ev1', timed => 1 },
	SHOPIFY => {
		configuration => { SecretToken => 's' },
		sign => sub {
			return ('X-Shopify-Hmac-SHA256', padded(hmac_sha256_base64($_[1], $_[0])), 'X-Shopify-Topic', 'orders/create',
				'X-Shopify-Webhook-Id', 'w1');
		},
		event => 'orders/create', id => 'w1' },
	TWILIO => {
		configuration => { SecretToken => 's' },
		type => $FORM,
		sign => sub {
			my ($secret, $body, undef, $path) = @_;
			my %fields = map { /^(.*?)=(.*)$/s } split /&/, $body;
			my $text = "$PUBLIC_URL$path" . join '', map { "$_$fields{$_}" } sort keys %fields;
			return ('X-Twilio-Signature', padded(hmac_sha1_base64($text, $secret)), 'I-Twilio-Idempotency-Token', 't1');
		},
		body => 'SmsStatus=received&From=1&Body=hello', payload => { SmsStatus => 'received', From => '1', Body => 'hello' },
		event => 'received', id => 't1' },
	ZOOM => {
		configuration => { SecretToken => 's' },
		sign => sub {
			return ('x-zm-signature', 'v0=' . hmac_sha256_hex("v0:$_[2]:$_[1]", $_[0]), 'x-zm-request-timestamp', $_[2]);
		},
		body => '{"event":"meeting.started"}', event => 'meeting.started', timed => 1 },
	DISCORD => {
		configuration => { PublicKey => $public_key },
		sign => sub {
			return ('X-Signature-Ed25519', unpack('H*', ed25519("$_[2]$_[1]")), 'X-Signature-Timestamp', $_[2]);
		},
		body => '{"id":"i1","type":2,"data":{"name":"deploy"}}', event => 'deploy', id => 'i1', timed => 1,
		signature => 'public_key' },
	META => {
		configuration => { SecretToken => 's', VerifyToken => 'v' },
		sign => sub { return ('X-Hub-Signature-256', 'sha256=' . hmac_sha256_hex($_[1], $_[0])) },
		body => '{"object":"page","entry":[]}', event => 'page' },
	X => {
		configuration => { SecretToken => 's' },
		sign => sub { return ('X-Twitter-Webhooks-Signature', 'sha256=' . padded(hmac_sha256_base64($_[1], $_[0]))) },
		body => '{"for_user_id":"1","tweet_create_events":[]}', event => 'tweet_create_events' },
	MICROSOFT_GRAPH => {
		configuration => { SecretToken => 's' },
		sign => sub { return () },
		body => '{"value":[{"clientState":"s","changeType":"updated"}]}', event => 'updated',
		payload => { value => [ { clientState => '****', changeType => 'updated' } ] }, in_body => 1 },
	BEARER => {
		configuration => { SecretToken => 's' },
		sign => sub { return ('Authorization', "Bearer $_[0]") }, token => 1 },
	BASIC => {
		configuration => { SecretToken => 's', UserName => 'user' },
		sign => sub { return ('Authorization', 'Basic ' . encode_base64("user:$_[0]", '')) }, token => 1 },
	API_KEY => {
		configuration => { SecretToken => 's', HeaderName => 'X-Our-Key' },
		sign => sub { return ('X-Our-Key', $_[0]) }, token => 1, secret_header => 'x-our-key' },
);

sub rows
{
	my ($webhook) = @_;
	return json_of($node->safe_psql('postgres', "SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY id), '[]')"
		  . " FROM cp_webhook.deliveries d WHERE webhook = '$webhook'"));
}

sub deliver
{
	my ($sender, $path, %options) = @_;
	my $body = $options{body} // $sender->{body} // $json_body;
	my $now = $options{now} // time;
	my @headers = $options{headers} ? @{ $options{headers} }
	  : $sender->{sign}->($options{secret} // $sender->{configuration}{SecretToken}, $options{signed} // $body, $now, $path);

	return post($node, $path, $body, type => $options{type} // $sender->{type} // 'application/json',
		headers => [ @headers, @{ $options{more} || [] } ]);
}

foreach my $scheme (sort keys %senders)
{
	my $sender = $senders{$scheme};
	my $name = lc $scheme;
	my $path = put_webhook($node, $name, authentication => $scheme, configuration => $sender->{configuration});
	my $answer = deliver($sender, $path);

	is("$answer->{status} " . ($answer->{json}{status} // ''), '200 triggered', "$scheme: what it signs is taken");
	my ($row) = @{ rows($name) };
	is($row->{event}, $sender->{event}, "$scheme: the event");
	is($row->{provider_delivery_id}, $sender->{id}, "$scheme: the sender's id");
	is($row->{signature}, $sender->{signature} // 'current', "$scheme: what matched");
	is_deeply($row->{payload}, $sender->{payload} // json_of($sender->{body} // $json_body), "$scheme: the payload");

	# What a dry run says of it, recorded and as it came.
	my $dry = call($node, 'test_webhook', { deliveryId => $row->{id} });
	is($dry->{outcome}, 'triggered', "$scheme: a dry run of the recorded one");
	my $body = $sender->{body} // $json_body;
	foreach my $sent ($body, "$body ")
	{
		my %headers = map { "$_" } 'Content-Type', $sender->{type} // 'application/json',
		  $sender->{sign}->($sender->{configuration}{SecretToken}, $body, time, $path);
		my $wanted = $sent ne $body && !$sender->{token} && !$sender->{in_body} ? 'rejected'
		  : defined $sender->{id} ? 'duplicate' : 'triggered';

		$dry = call($node, 'test_webhook', { name => $name, headers => \%headers, body => $sent });
		is($dry->{outcome}, $wanted, "$scheme: a dry run of " . ($sent eq $body ? 'what came' : 'another body'));
		my ($step) = grep { $_->{step} eq 'authentication' } @{ $dry->{steps} };
		is($step->{verdict}, $wanted eq 'rejected' ? 'failed' : 'passed', "$scheme: and its step");
	}
	if (defined $sender->{id})
	{
		$answer = deliver($sender, $path);
		is("$answer->{status} $answer->{json}{status}", '200 duplicate', "$scheme: its id again");
	}

	# What must not pass.
	unless ($sender->{token} || $sender->{in_body})
	{
		my $changed = ($sender->{body} // $json_body) . ' ';
		is(deliver($sender, $path, body => $changed, signed => $sender->{body} // $json_body)->{status}, 401,
			"$scheme: another body");
	}
	is(deliver($sender, $path, headers => [])->{status}, $sender->{in_body} ? 200 : 401, "$scheme: no signature");
	if (defined $sender->{configuration}{SecretToken} && !$sender->{in_body})
	{
		is(deliver($sender, $path, secret => $sender->{other} // 'other')->{status}, 401, "$scheme: another secret");
	}
	elsif ($sender->{in_body})
	{
		foreach my $body ('{"value":[{"clientState":"t"}]}', '{"value":[{"clientState":"s"},{"clientState":"t"}]}',
			'{"value":[{"clientState":"s"},{}]}', '{"value":[]}', '{}', '[]', '"s"', '{"value":{"clientState":"s"}}',
			'{"value":[{"clientState":["s"]}]}')
		{
			is(deliver($sender, $path, body => $body)->{status}, 401, "$scheme: $body");
		}
	}
	if ($sender->{timed})
	{
		foreach my $offset (-1000, 1000)
		{
			is(deliver($sender, $path, now => time + $offset)->{status}, 401, "$scheme: $offset seconds away");
		}
		like(rows($name)->[-1]{reason}, qr/ToleranceSeconds/, "$scheme: and the reason says so");
		put_webhook($node, $name, authentication => $scheme,
			configuration => { %{ $sender->{configuration} }, ToleranceSeconds => '2000' });
		is(deliver($sender, $path, now => time - 1000)->{status}, 200, "$scheme: within ToleranceSeconds");
		is(deliver($sender, $path, now => time - 3000)->{status}, 401, "$scheme: and beyond it");
	}
	my @rejected = grep { $_->{outcome} eq 'rejected' } @{ rows($name) };
	is(scalar(grep { defined $_->{payload} || defined $_->{signature} } @rejected), 0, "$scheme: nothing is kept of those");
	cmp_ok(scalar(@rejected), '>', 0, "$scheme: but that they came");

	# A GET is no more than before, nor is GitHub's ping.
	my $get = connect_to($node)->request(GET => $path);
	is($get->{status}, 405, "$scheme: GET") && is($get->{headers}{allow}, 'POST', "$scheme: Allow");
	is(deliver($sender, $path, more => [ 'X-GitHub-Event', 'ping' ],
			defined $sender->{id} ? (body => ($sender->{body} // $json_body) . ($sender->{type} ? '&a=1' : ' ')) : ())
		  ->{json}{status}, defined $sender->{id} ? 'duplicate' : 'triggered', "$scheme: GitHub's ping is none of its own");
}

# ---- secrets beside each other ----

foreach my $scheme (sort grep { defined $senders{$_}{configuration}{SecretToken} && !$senders{$_}{in_body} } keys %senders)
{
	my $sender = $senders{$scheme};
	my ($old, $new) = ($sender->{configuration}{SecretToken}, $sender->{other} // 'another one');
	my %configuration = (%{ $sender->{configuration} }, SecretToken => $new, KeepPreviousSecretFor => '1 hour');
	my $name = lc $scheme . '-rotated';
	my $path = put_webhook($node, $name, authentication => $scheme, configuration => $sender->{configuration});
	my $shown;

	is(deliver($sender, $path)->{status}, 200, "$scheme: the only secret");
	$shown = call($node, 'put_webhook', webhook_request($name, authentication => $scheme, configuration => \%configuration))
	  ->{webhook}{definition}{authenticationConfiguration};
	is_deeply([ @$shown{qw(SecretToken PreviousSecretToken KeepPreviousSecretFor)} ], [ '****', '****', '1 hour' ],
		"$scheme: the old one is kept");
	like($shown->{PreviousSecretTokenExpires}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$scheme: for a while");
	is(deliver($sender, $path, secret => $old)->{status}, 200, "$scheme: it is taken");
	is(deliver($sender, $path, secret => $new)->{status}, 200, "$scheme: as is the new one");
	is(join(' ', map { $_->{signature} } @{ rows($name) }), 'current previous current', "$scheme: the rows say which");
	is(deliver($sender, $path, secret => 'a third')->{status}, 401, "$scheme: no third one is");

	# Putting the same again, or what is shown, changes nothing.
	put_webhook($node, $name, authentication => $scheme, configuration => \%configuration);
	is(deliver($sender, $path, secret => $old)->{status}, 200, "$scheme: it stays when the same is put");
	put_webhook($node, $name, authentication => $scheme, configuration => $shown);
	is(deliver($sender, $path, secret => $old)->{status}, 200, "$scheme: and when what is shown is put");

	# It ends: by its time, or because the put has none.
	put_webhook($node, $name, authentication => $scheme, configuration => { %{ $sender->{configuration} },
			SecretToken => '****', PreviousSecretToken => '****', PreviousSecretTokenExpires => '2020-01-01T00:00:00Z' });
	is(deliver($sender, $path, secret => $old)->{status}, 401, "$scheme: not when its time is over");
	put_webhook($node, $name, authentication => $scheme, configuration => { %{ $sender->{configuration} },
			SecretToken => '****', PreviousSecretToken => $old, PreviousSecretTokenExpires => '2999-12-31T00:00:00+02:00' });
	is(deliver($sender, $path, secret => $old)->{status}, 200, "$scheme: given by itself");
	put_webhook($node, $name, authentication => $scheme, configuration => { %{ $sender->{configuration} }, SecretToken => '****' });
	is(deliver($sender, $path, secret => $old)->{status}, 401, "$scheme: gone when it is not put");
}

# ---- ed25519 beside a secret ----

{
	my %configuration = (PublicKey => 'whpk_' . encode_base64(pack('H*', $public_key), ''), SecretToken => "whsec_$KEY");
	my $path = put_webhook($node, 'both', authentication => 'STANDARD_WEBHOOKS', configuration => \%configuration);
	my $now = time;
	my $signature = encode_base64(ed25519("m1.$now.{}"), '');
	my @head = ('webhook-id', 'm1', 'webhook-timestamp', $now);

	is(post($node, $path, '{}', headers => [ @head, 'webhook-signature', "v1a,$signature" ])->{status}, 200, 'v1a');
	is(rows('both')->[-1]{signature}, 'public_key', 'and the row says so');
	is(post($node, $path, '{} ', headers => [ @head, 'webhook-signature', "v1a,$signature" ])->{status}, 401, 'another body');
	delete $configuration{SecretToken};
	put_webhook($node, 'both', authentication => 'STANDARD_WEBHOOKS', configuration => \%configuration);
	is(post($node, $path, '{}', headers => [ 'webhook-id', 'm2', @head[ 2, 3 ], 'webhook-signature',
				'v1,' . padded(hmac_sha256_base64("m2.$now.{}", decode_base64($KEY))) ])->{status}, 401, 'v1 without a secret');
}

# ---- forms ----

{
	my $path = put_webhook($node, 'gitea-form', authentication => 'GITEA_HMAC', configuration => { SecretToken => 's' });
	my $json = '{"ref":"refs/heads/main"}';
	my $form = 'payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D';

	foreach my $signed ($json, $form)
	{
		is(post($node, $path, $form, type => $FORM, headers => [ 'X-Gitea-Signature', hmac_sha256_hex($signed, 's') ])->{status},
			200, "Gitea's form, signed " . ($signed eq $json ? 'as JSON' : 'as bytes'));
	}
	is(post($node, $path, $form, type => $FORM, headers => [ 'X-Gitea-Signature', '' ])->{status}, 401, 'an empty signature');
	is(post($node, $path, "$form&a=1", type => 'application/json', headers => [ 'X-Gitea-Signature', hmac_sha256_hex($json, 's') ])
		  ->{status}, 401, 'the JSON of what is no form');

	$path = put_webhook($node, 'github-form', secret => 's');
	is(post($node, $path, $form, type => $FORM, headers => [ 'X-Hub-Signature-256', 'sha256=' . hmac_sha256_hex($json, 's') ])
		  ->{status}, 401, "GitHub's form is signed as bytes alone");

	# Twilio: JSON by its hash, repeated fields, what is no form.
	$path = put_webhook($node, 'twilio-json', authentication => 'TWILIO', configuration => { SecretToken => 's' });
	my $target = "$path?bodySHA256=" . sha256_hex('{"a":1}');
	my @signature = ('X-Twilio-Signature', padded(hmac_sha1_base64("$PUBLIC_URL$target", 's')));
	is(post($node, $target, '{"a":1}', headers => \@signature)->{status}, 200, 'Twilio: JSON with bodySHA256');
	is(post($node, $target, '{"a":2}', headers => \@signature)->{status}, 401, 'and not another body');
	is(post($node, $target, '&', type => $FORM, headers => \@signature)->{status}, 401, 'nor an empty form in its place');
	@signature = ('X-Twilio-Signature', padded(hmac_sha1_base64("$PUBLIC_URL${path}A1A2Bx yC", 's')));
	is(post($node, $path, 'B=x+y&A=2&A=1&A=2&C=', type => $FORM, headers => \@signature)->{status}, 200, 'Twilio: repeated fields');
	is_deeply(rows('twilio-json')->[-1]{payload}, { A => [ '2', '1', '2' ], B => 'x y', C => '' }, 'as an object with arrays');
	@signature = ('X-Twilio-Signature', padded(hmac_sha1_base64("$PUBLIC_URL:443${path}A1", 's')));
	is(post($node, $path, 'A=1', type => $FORM, headers => [ @signature, 'X-Forwarded-Host', 'elsewhere' ])->{status}, 200,
		'Twilio: the URL with its port');
	@signature = ('X-Twilio-Signature', padded(hmac_sha1_base64("http://localhost${path}A1", 's')));
	is(post($node, $path, 'A=1', type => $FORM, headers => \@signature)->{status}, 401, 'not the Host, which anybody can send');
	foreach my $body ("A=%ff", 'A=%00', 'A=%zz')
	{
		@signature = ('X-Twilio-Signature', padded(hmac_sha1_base64("$PUBLIC_URL${path}A"
			  . ($body =~ /ff/ ? "\xff" : $body =~ /00/ ? "\0" : '%zz'), 's')));
		is(post($node, $path, $body, type => $FORM, headers => \@signature)->{status}, $body =~ /zz/ ? 401 : 400,
			"Twilio: $body is no text");
	}

	# Slack: its commands are forms, its buttons JSON in one.
	my $slack = { %{ $senders{SLACK} }, type => $FORM };
	$path = put_webhook($node, 'slack-form', authentication => 'SLACK', configuration => { SecretToken => 's' });
	is(deliver($slack, $path, body => 'command=%2Fdeploy&text=now')->{status}, 200, 'Slack: a command');
	is(rows('slack-form')->[-1]{event}, '/deploy', 'and its event');
	is(deliver($slack, $path, body => 'payload=%7B%22type%22%3A%22block_actions%22%7D')->{status}, 200, 'Slack: a button');
	is_deeply(rows('slack-form')->[-1]{payload}, { type => 'block_actions' }, 'and its payload');
}

# ---- ranges ----

{
	my $sender = $senders{SHOPIFY};
	my $path = put_webhook($node, 'ranges', authentication => 'SHOPIFY',
		configuration => { SecretToken => 's', AllowedIPRanges => [ '192.0.2.0/24', '2001:db8::/32' ] });
	my %from = ('192.0.2.9' => 200, '192.0.3.9' => 403, '2001:db8::1' => 200, '2001:db9::1' => 403, '127.0.0.1' => 403);
	my $number = 0;

	foreach my $address (sort keys %from)
	{
		is(deliver($sender, $path, more => [ 'X-Forwarded-For', $address ])->{status}, $from{$address}, "from $address");
	}
	like(rows('ranges')->[-1]{reason} // '', qr/^(|.*AllowedIPRanges.*)$/, 'the reason names the member');
	is(deliver($sender, $path, secret => 'x', more => [ 'X-Forwarded-For', '192.0.2.9' ])->{status}, 401, 'the signature counts, too');
	put_webhook($node, 'ranges', authentication => 'SHOPIFY',
		configuration => { SecretToken => 's', AllowedIPRanges => '192.0.3.0/24, 192.0.4.1' });
	is(deliver($sender, $path, more => [ 'X-Forwarded-For', '192.0.4.1' ])->{status}, 200, 'as a text with commas');
	is(deliver($sender, $path, more => [ 'X-Forwarded-For', '192.0.4.2' ])->{status}, 403, 'and not its neighbour');

	# What is no range any more, by hand, admits nobody.
	$node->safe_psql('postgres', q(UPDATE cp_webhook.webhook_definitions SET configuration = '{"AllowedIPRanges": ["no range"]}'
		WHERE name = 'ranges'));
	is(deliver($sender, $path, more => [ 'X-Forwarded-For', '192.0.4.1' ])->{status}, 403, 'a broken list admits nobody');
}

# ---- ids and events that are too long ----

{
	my $path = put_webhook($node, 'long', authentication => 'STRIPE', configuration => { SecretToken => 'whsec_s' });

	foreach my $length (255, 256)
	{
		my $text = 'x' x $length;
		my $status = $length > 255 ? 400 : 200;
		is(deliver($senders{STRIPE}, $path, body => qq({"id":"$text"}))->{status}, $status, "an id of $length bytes in the body");
		is(deliver($senders{STRIPE}, $path, body => qq({"id":"$length","type":"$text"}))->{status}, $status,
			"an event of $length bytes in the body");
	}
	foreach my $id ('null', '[]', '{}', '""', 'true')
	{
		is(deliver($senders{STRIPE}, $path, body => qq({"id":$id}))->{status}, 200, "an id that is $id");
		is(rows('long')->[-1]{provider_delivery_id}, 'of a proxy', 'is none');
		$node->safe_psql('postgres', "DELETE FROM cp_webhook.delivery_keys WHERE key = 'of a proxy'");
	}
	is(deliver($senders{STRIPE}, $path, body => '{"id":')->{status}, 400, 'broken JSON');
	is(deliver($senders{STRIPE}, $path, body => '[' x 100000)->{status}, 400, 'JSON that is nested too deeply');
}

# ---- handshakes ----

sub said
{
	my ($answer) = @_;
	return join ' ', $answer->{status}, $answer->{headers}{'content-type'} // '', $answer->{body};
}

{
	my $path = put_webhook($node, 'slack-hand', authentication => 'SLACK', configuration => { SecretToken => 's' });
	my $body = '{"type":"url_verification","challenge":"3eZbrw1aB"}';

	is(said(deliver($senders{SLACK}, $path, body => $body)), '200 text/plain 3eZbrw1aB', 'Slack: url_verification');
	is(deliver($senders{SLACK}, $path, body => $body, secret => 'x')->{status}, 401, 'not without its signature');
	is(deliver($senders{SLACK}, $path, body => $body, now => time - 900)->{status}, 401, 'nor long after');
	is(deliver($senders{SLACK}, $path, body => '{"type":"url_verification"}')->{status}, 400, 'nor without a challenge');
	my $long = 'c' x 1024;
	is(deliver($senders{SLACK}, $path, body => qq({"type":"url_verification","challenge":"$long"}))->{body}, $long, 'a long one');
	is(deliver($senders{SLACK}, $path, body => qq({"type":"url_verification","challenge":"${long}c"}))->{status}, 400, 'a longer one');
	is(join(' ', map { $_->{outcome} } @{ rows('slack-hand') }), 'pong rejected rejected rejected pong rejected', 'each has its row');
	is(deliver($senders{ZOOM}, put_webhook($node, 'zoom-other', authentication => 'ZOOM',
				configuration => { SecretToken => 's' }), body => $body)->{json}{status}, 'triggered', 'another scheme knows it not');
	is($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.executions e JOIN cp_webhook.deliveries d ON d.id = e.delivery
		WHERE d.webhook = 'slack-hand'"), 0, 'nothing has started');
}

{
	my $path = put_webhook($node, 'zoom-hand', authentication => 'ZOOM', configuration => { SecretToken => 's' });
	my $ask = sub { return qq({"event":"endpoint.url_validation","payload":{"plainToken":"$_[0]"}}) };
	my $token = 'qgg8vlvZRS6UYooatFL8Aw';

	is(said(deliver($senders{ZOOM}, $path, body => $ask->($token))), '200 application/json '
		  . qq({"plainToken":"$token","encryptedToken":") . hmac_sha256_hex($token, 's') . '"}', 'Zoom: endpoint.url_validation');
	is(deliver($senders{ZOOM}, $path, body => $ask->($token), secret => 'x')->{status}, 401, 'not without its signature');
	foreach my $other ('v0:1:{}', '', 'a b', 'x' x 129)
	{
		is(deliver($senders{ZOOM}, $path, body => $ask->($other))->{status}, 400, "not of '$other'");
	}
	is(deliver($senders{ZOOM}, $path, body => $ask->('x' x 128))->{status}, 200, 'of 128 letters');
	is(deliver($senders{ZOOM}, $path, body => '{"event":"endpoint.url_validation"}')->{status}, 400, 'nor of nothing');
}

{
	my $path = put_webhook($node, 'discord-hand', authentication => 'DISCORD', configuration => { PublicKey => $public_key });

	is(said(deliver($senders{DISCORD}, $path, body => '{"type":1}')), '200 application/json {"type":1}', 'Discord: PING');
	is(deliver($senders{DISCORD}, $path, body => '{"type":0,"version":1}')->{status}, 204, 'Discord: PING of events');
	is(rows('discord-hand')->[-1]{http_status}, 204, 'which its row says');
	is(deliver($senders{DISCORD}, $path, body => '{"type":1}', signed => '{"type":2}')->{status}, 401, 'not without its signature');
	is(deliver($senders{DISCORD}, $path, body => '{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}')->{json}{status}, 'triggered',
		'an event is none');
	is(rows('discord-hand')->[-1]{event}, 'ENTITLEMENT_CREATE', 'and has its name');
}

{
	my $path = put_webhook($node, 'bitbucket-hand', authentication => 'BITBUCKET_HMAC', configuration => { SecretToken => 's' });
	my $ping = sub {
		my ($body, $secret) = @_;
		return post($node, $path, $body, headers => [ 'X-Event-Key', 'diagnostics:ping',
				'X-Hub-Signature', 'sha256=' . hmac_sha256_hex($body, $secret) ]);
	};

	is($ping->('{"test":true}', 's')->{json}{status}, 'pong', "Bitbucket: its test of the connection");
	is($ping->('', 's')->{json}{status}, 'pong', 'without a body');
	is($ping->('', 'x')->{status}, 401, 'not without its signature');
}

{
	my $path = put_webhook($node, 'x-hand', authentication => 'X', configuration => { SecretToken => 's' });
	my $get = sub { return connect_to($node)->request(GET => "$path?crc_token=$_[0]") };

	is(said($get->('abc')), '200 application/json {"response_token":"sha256=' . padded(hmac_sha256_base64('abc', 's')) . '"}', "X: its CRC");
	is($get->(('x' x 128))->{status}, 200, 'of 128 letters');
	is($get->($_)->{status}, 400, "not of '$_'") foreach '', 'x' x 129, '%7B%22a%22%3A1%7D', 'a%20b', 'v0%3A1';

	# What it signs is never an event.
	foreach my $token ('1', 'true', 'null', '-1', '0')
	{
		my ($value) = $get->($token)->{body} =~ /"(sha256=[^"]+)"/;
		ok(defined $value, "a stranger has '$token' signed");
		is(post($node, $path, $token, headers => [ 'X-Twitter-Webhooks-Signature', $value ])->{status}, 401, 'and cannot deliver it');
	}
	is(scalar @{ rows('x-hand') }, 5, 'challenges leave no row');
	is(connect_to($node)->request(PUT => "$path?crc_token=abc")->{status}, 405, 'X: PUT');
}

{
	my $path = put_webhook($node, 'meta-hand', authentication => 'META', configuration => { SecretToken => 's', VerifyToken => 'v t' });
	my $get = sub { return connect_to($node)->request(GET => "$path?$_[0]") };

	my $answer = $get->('hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=v%20t');
	is(said($answer), '200 text/plain 1158201444', "Meta: its verification");
	is($answer->{headers}{'x-content-type-options'}, 'nosniff', 'that no browser guesses at');
	is($get->('hub.mode=subscribe&hub.challenge=1&hub.verify_token=other')->{status}, 401, 'not with another token');
	is($get->('hub.mode=subscribe&hub.challenge=1')->{status}, 401, 'nor with none');
	is($get->('hub.mode=subscribe&hub.challenge=%3Cb%3E&hub.verify_token=v%20t')->{status}, 401, 'nor of any text');
	is($get->('a=b')->{status}, 405, 'a GET that is none');
}

{
	my $path = put_webhook($node, 'graph-hand', authentication => 'MICROSOFT_GRAPH',
		configuration => { SecretToken => 's', AllowedIPRanges => '127.0.0.0/8' });
	my $ask = sub { return connect_to($node)->request(POST => "$path?validationToken=$_[0]", type => 'text/plain', body => '') };

	is(said($ask->('Validation%3a+Testing+client')), '200 text/plain Validation: Testing client', 'Graph: its validation');
	is($ask->('')->{status}, 400, 'not of nothing');
	is($ask->('%0d%0aX')->{status}, 400, 'nor of what is no text');
	is($ask->('x' x 1024)->{status}, 200, 'of 1024 letters');
	is($ask->('x' x 1025)->{status}, 400, 'not of more');
	is(connect_to($node)->request(POST => "$path?validationToken=a", body => '',
			headers => [ 'X-Forwarded-For', '192.0.2.1' ])->{status}, 403, 'nor from elsewhere');
	is(scalar @{ rows('graph-hand') }, 0, 'it leaves no row');
}

# No handshake is any other webhook's.
foreach my $scheme ('UNAUTHENTICATED', 'GITHUB_HMAC', 'SHOPIFY')
{
	my $path = put_webhook($node, "none-$scheme", authentication => $scheme,
		configuration => $scheme eq 'UNAUTHENTICATED' ? {} : { SecretToken => 's' });

	foreach my $query ('crc_token=a', 'hub.mode=subscribe&hub.challenge=1&hub.verify_token=s')
	{
		is(connect_to($node)->request(GET => "$path?$query")->{status}, 405, "$scheme: GET $query");
	}
	is(post($node, "$path?validationToken=a", '{}', headers => [
				'X-Shopify-Hmac-SHA256', padded(hmac_sha256_base64('{}', 's')), 'X-Hub-Signature-256', sign('s', '{}') ])
		  ->{json}{status}, 'triggered', "$scheme: POST validationToken");
}

# ---- a scheme that this version does not know ----

{
	my $path = put_webhook($node, 'unknown', authentication => 'SHOPIFY', configuration => { SecretToken => 's' });

	$node->safe_psql('postgres', q(UPDATE cp_webhook.webhook_definitions SET authentication = 'TOMORROW' WHERE name = 'unknown'));
	is(deliver($senders{SHOPIFY}, $path)->{status}, 401, 'an unknown scheme serves nobody');
	$node->safe_psql('postgres', q(UPDATE cp_webhook.webhook_definitions SET authentication = 'SHOPIFY', secret = NULL WHERE name = 'unknown'));
	is(deliver($senders{SHOPIFY}, $path)->{status}, 503, 'nor one without its secret');
}

done_testing();
