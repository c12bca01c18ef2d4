# 060_secrets: no secret reaches a table that is shown, an answer, a
# notification, an error or the log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use PostgreSQL::Test::Utils;
use Test::More;

# What the senders' headers hold, and the secrets of definitions.
my %header_secret = (
	'Authorization' => 'Bearer CANARY-authorization',
	'Proxy-Authorization' => 'Basic CANARY-proxy',
	'Cookie' => 'session=CANARY-cookie',
	'X-Gitlab-Token' => 'CANARY-gitlab');
my $secret = 'CANARY-webhook-secret';
my $wrong = 'CANARY-refused-secret';
my $oauth = 'CANARY-oauth-token';

my $node = start_receivers('secrets', conf => "log_min_messages = debug5\nlog_error_verbosity = verbose\n"
	  . "log_min_error_statement = panic\nlog_parameter_max_length_on_error = -1\n");

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# log_statement = all (of the test framework) logs the statement of each client:
# that is the server's, and put_webhook's own text. What is not a receiver's
# line, and quotes a statement of ours, is left out.
sub own_lines
{
	my ($log) = @_;
	my @lines;
	my $skipping = 0;

	foreach my $line (split /\n/, $log)
	{
		$skipping = $line =~ /(?:LOG|STATEMENT|DEBUG):  (?:\w{5}: )?(?:statement: |execute |parse |bind )?\s*(?:SELECT cp_webhook\.|\\set)/
		  if $line =~ /^\d{4}-\d\d-\d\d /;
		push @lines, $line unless $skipping;
	}
	return join "\n", @lines;
}

sub has_no_canary
{
	my ($text, $what) = @_;
	my @found = $text =~ /^(.*CANARY.*)$/mg;

	is(scalar @found, 0, $what) or diag("found: " . join "\n", @found[ 0 .. ($#found > 4 ? 4 : $#found) ]);
	return;
}

call($node, 'create_pipeline', { pipeline => { name => 'pipeline', stages => [
	{ name => 'Source', actions => [ { name => 'Source',
		actionTypeId => { category => 'Source', owner => 'ThirdParty', provider => 'GitHub', version => '1' },
		configuration => { Branch => 'main', OAuthToken => $oauth } } ] },
	{ name => 'Build', actions => [ { name => 'Build',
		actionTypeId => { category => 'Build', owner => 'AWS', provider => 'CodeBuild', version => '1' } } ] } ] } });
my @filters = ({ jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' });
my $path = put_webhook($node, 'push', secret => $secret, filters => [@filters]);

# A filter that compares with a secret of the pipeline, on a secret header.
my $probe = put_webhook($node, 'probe', filters => [ { jsonPath => '$.token', matchEquals => '{OAuthToken}' } ]);
my $headers = put_webhook($node, 'headers', filters => [ { jsonPath => '$headers.authorization', matchEquals => 'x' } ]);
my $listener = listen_for_notifications($node);

# ---------------------------------------------------------------------------
note 'deliveries';

my @headers = map { ($_, $header_secret{$_}) } sort keys %header_secret;
my @answers;
push @answers, post($node, $path, '{"ref":"refs/heads/main"}', secret => $secret, id => 1, headers => [@headers]);
is($answers[-1]{json}{status}, 'triggered', 'one that triggers');
push @answers, post($node, $path, '{"ref":"refs/heads/main"}', secret => $secret, id => 1, headers => [@headers]);
is($answers[-1]{json}{status}, 'duplicate', 'a duplicate');
push @answers, post($node, $path, '{"ref":"x"}', secret => $secret, headers => [@headers]);
is($answers[-1]{json}{status}, 'ignored', 'an ignored one');
push @answers, post($node, $path, '{}', secret => 'other', headers => [@headers]);
is($answers[-1]{status}, 401, 'a badly signed one');
push @answers, post($node, $path, '{', secret => $secret, headers => [@headers]);
is($answers[-1]{status}, 400, 'no JSON');
push @answers, post($node, $path, '{}', secret => $secret, type => 'text/plain', headers => [@headers]);
is($answers[-1]{status}, 415, 'not its type');
push @answers, post($node, $path, '{}', secret => $secret, headers => [ @headers, @headers ]);
is($answers[-1]{json}{status}, 'ignored', 'secret headers that come twice');
push @answers, post($node, $path, '{}', secret => $secret, headers => [ uc $headers[0], $headers[1] ]);
is($answers[-1]{json}{status}, 'ignored', 'names in capitals');
push @answers, post($node, $headers, '{}', headers => [@headers]);
is($answers[-1]{json}{status}, 'ignored', 'a filter on a secret header');
push @answers, post($node, $probe, '{"token":"guess"}');
is($answers[-1]{json}{status}, 'ignored', 'a filter with a secret of the pipeline');
push @answers, post($node, $path, '[' x 100_000, secret => $secret, headers => [@headers]);
is($answers[-1]{status}, 400, 'a hostile body');
push @answers, post($node, '/trigger/' . 'x' x 43, '{}', headers => [@headers]);
push @answers, connect_to($node)->request(DELETE => $path, headers => [@headers]);

# Errors while a batch is recorded may show rows.
value(q{
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION refuse();});
push @answers, post($node, $path, '{"ref":"refs/heads/main","x":"CANARY-body"}', secret => $secret, headers => [@headers]);
is($answers[-1]{status}, 503, 'a batch that fails');
value(q{DROP FUNCTION refuse CASCADE;
ALTER TABLE cp_webhook.deliveries ADD CONSTRAINT no_body CHECK (payload ->> 'x' NOT LIKE '%-body') NOT VALID;});
push @answers, post($node, $path, '{"ref":"refs/heads/main","x":"CANARY-body"}', secret => $secret, headers => [@headers]);
is($answers[-1]{status}, 503, 'a row that violates a constraint');
value('ALTER TABLE cp_webhook.deliveries DROP CONSTRAINT no_body');

has_no_canary(join("\n", map { join "\n", $_->{body}, %{ $_->{headers} } } @answers), 'no answer shows a secret');
my ($notification) = take_notifications($listener, 1);
has_no_canary(join("\n", map { $_ // '' } %$notification), 'nor does the notification');
$listener->quit;
is(value("SELECT count(*) FROM cp_webhook.deliveries WHERE headers ->> 'authorization' = '****'") > 5, 1, 'stored headers are masked');
is(value("SELECT headers ->> 'cookie' FROM cp_webhook.deliveries WHERE provider_delivery_id = '1' LIMIT 1"), '****', 'the cookie, too');

# Where secrets are by right: two tables of definitions, as they were put. Each
# other table, and each view, is free of them.
foreach my $relation (split /\n/, value("SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'cp_webhook'::regnamespace"
		  . " AND c.relkind IN ('r', 'p', 'v') AND c.relname NOT IN ('webhook_definitions', 'pipeline_versions') ORDER BY 1"))
{
	has_no_canary(value("SELECT t::text FROM $relation t"), "$relation holds no secret");
}
my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '--file', $dump, $node->connstr('postgres') ], 'pg_dump');
my $text = slurp_file($dump);
$text =~ s/^(COPY cp_webhook\.(?:webhook_definitions|pipeline_versions) .*?^\\\.$)//msg;
has_no_canary($text, 'nor does a dump, but for the two tables of definitions');
like(slurp_file($dump), qr/\Q$secret\E/, 'which hold the secret, so that a restored webhook works');

# ---------------------------------------------------------------------------
note 'what the functions show';

foreach my $call ([ 'list_webhooks', {} ], [ 'get_pipeline', { name => 'pipeline' } ], [ 'list_pipelines', {} ],
	[ 'list_pipeline_executions', { pipelineName => 'pipeline' } ],
	[ 'get_pipeline_execution', { pipelineName => 'pipeline', pipelineExecutionId => $answers[0]{json}{pipelineExecutionId} } ])
{
	my ($function, $request) = @$call;

	has_no_canary(JSON::PP->new->encode(call($node, $function, $request)), "$function shows none");
}
foreach my $id (split /\n/, value('SELECT id FROM cp_webhook.deliveries'))
{
	has_no_canary(JSON::PP->new->encode(call($node, 'test_webhook', { deliveryId => $id, name => $_ })), "test_webhook shows none of a recorded one")
	  foreach ('push', 'probe', 'headers');
}
has_no_canary(JSON::PP->new->encode(call($node, 'test_webhook', $_)), 'nor of one that is described') foreach (
	{ name => 'headers', body => {}, headers => {@headers} },
	{ name => 'push', body => '{}', headers => { @headers, 'x-hub-signature-256' => sign($secret, '{}') } },
	{ name => 'probe', body => { token => $oauth } },
	{ name => 'push', since => '1 hour' },
	{ definition => webhook_request('push', secret => $wrong, filters => [ { jsonPath => '$', matchEquals => '{OAuthToken}' } ])->{webhook},
		body => qq("$oauth"), headers => { 'content-type' => 'application/json' } });
has_no_canary((try_call($node, 'test_webhook', $_) =~ /^(.*?)(?:^LINE|\z)/ms)[0], 'nor does an error of it') foreach (
	{ name => 'push', body => {}, headers => { Authorization => [$wrong] } },
	{ name => 'push', body => {}, headers => $wrong },
	{ name => 'push', body => {}, query => { x => $wrong } },
	{ name => 'push', body => $wrong, since => $wrong, query => $wrong },
	{ name => 'push', body => {}, secret => $wrong },
	{ definition => { %{ webhook_request('push', secret => $wrong)->{webhook} }, targetPipeline => 'nowhere' }, body => $wrong });
my $shown = call($node, 'put_webhook', webhook_request('push', secret => $secret, filters => [@filters]));
is($shown->{webhook}{definition}{authenticationConfiguration}{SecretToken}, '****', 'put_webhook answers ****');
call($node, 'put_webhook', webhook_request('push', secret => '****', filters => [@filters]));
is(post($node, $path, '{}', secret => $secret)->{json}{status}, 'ignored', 'and **** put back keeps the secret');

# ---------------------------------------------------------------------------
note 'errors of a bad definition';

my $position = log_position($node);
my %good = %{ webhook_request('bad', secret => $wrong)->{webhook} };
foreach my $case (
	[ 'a secret that is too long', authenticationConfiguration => { SecretToken => $wrong x 10 } ],
	[ 'a secret that is no text', authenticationConfiguration => { SecretToken => [$wrong] } ],
	[ 'a secret that is an object', authenticationConfiguration => { SecretToken => { a => $wrong } } ],
	[ 'the wrong authentication', authentication => 'UNAUTHENTICATED' ],
	[ 'IP with a secret', authentication => 'IP' ],
	[ 'an unknown authentication', authentication => 'HMAC' ],
	[ 'both', authenticationConfiguration => { SecretToken => $wrong, AllowedIPRange => '10.0.0.0/8' } ],
	[ 'an unknown pipeline', targetPipeline => 'nowhere' ],
	[ 'an unknown action', targetAction => 'nowhere' ],
	[ 'a bad path', filters => [ { jsonPath => '$.[' } ] ],
	[ 'a key that is not there', filters => [ { jsonPath => '$.a', matchEquals => '{Nothing}' } ] ],
	[ 'a bad name', name => 'a b' ],
	[ 'an unknown member beside it', secretToken => 'x' ],
	[ 'a misspelt secret', authenticationConfiguration => { SecretTokn => $wrong } ],
	[ 'a secret in the wrong place', SecretToken => $wrong ])
{
	my ($what, %change) = @$case;
	my $error = try_call($node, 'put_webhook', { webhook => { %good, %change } });
	my ($message) = $error =~ /^(.*?)(?:^LINE|\z)/ms;

	like($error, qr/ERROR:  CP0\d\d: \w+Exception/, "$what is refused");
	has_no_canary($message, "$what: the error shows no secret");
}
is(value("SELECT count(*) FROM cp_webhook.webhooks WHERE name = 'bad'"), 0, 'none was stored');
my $bad_pipeline = { pipeline => { name => 'bad', stages => [ { name => 'Source', actions => [ { name => 'Source',
	actionTypeId => { category => 'Source', owner => 'ThirdParty', provider => 'GitHub', version => '1' },
	configuration => { OAuthToken => $wrong x 100, Secret => [$wrong] } } ] } ] } };
my $error = try_call($node, 'create_pipeline', $bad_pipeline);
like($error, qr/CP0\d\d: \w+Exception/, 'a bad pipeline is refused');
has_no_canary($error, 'its error shows no secret');

# ---------------------------------------------------------------------------
note 'the log';

my $log = log_since($node, 0);
like($log, qr/could not record a batch of 1 deliveries/, 'the log, at DEBUG5, tells of the failed batches');
like($log, qr/\] cp_webhook receiver DEBUG:  /, 'and the receivers write to it');
has_no_canary(join("\n", grep { /\] cp_webhook receiver / } split /\n/, $log), 'no line of a receiver holds a secret');
has_no_canary(own_lines($log), 'nor does any other line but the statements that hold them');

done_testing();
