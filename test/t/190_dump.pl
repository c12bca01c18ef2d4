# A dump of a database restores, without an error, to the same rows and the
# same URLs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('source');
my $secret = q{s3cr't "with" \\ all & sorts $of$ things};
my $body = '{"ref":"refs/heads/main","text":"\u00fc \\\\ \" \t"}';

# ---- what is dumped ----

create_pipeline($node, 'shop', Branch => 'main', OAuthToken => 'hidden');
update_pipeline($node, 'shop', Branch => 'release', OAuthToken => '****');
update_pipeline($node, 'shop', Branch => 'main', OAuthToken => '****');
create_pipeline($node, 'pipeline');
my %paths = (
	signed => put_webhook($node, 'signed', pipeline => 'shop', secret => $secret,
		filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]),
	open  => put_webhook($node, 'open'),
	range => put_webhook($node, 'range', range => '127.0.0.0/8'));
my $arn = call($node, 'list_webhooks', {})->{webhooks}[0]{arn};
call($node, 'tag_resource', { resourceArn => $arn, tags => [ { key => 'team', value => "a\tb" }, { key => 'ü', value => '' } ] });
my @executions = map {
	post($node, $paths{signed}, $body, secret => $secret, id => "dumped-$_")->{json}{pipelineExecutionId}
} 1 .. 20;
is(scalar(grep { defined } @executions), 20, 'deliveries have been recorded');
is(post($node, $paths{signed}, $body, secret => $secret, id => 'dumped-1')->{json}{status}, 'duplicate', 'and a duplicate');
is(post($node, $paths{signed}, '{"ref":"x"}', secret => $secret)->{json}{status}, 'ignored', 'one that is ignored');
is(post($node, $paths{signed}, $body, secret => 'wrong')->{status}, 401, 'and one that is rejected');
call($node, 'start_pipeline_execution', { name => 'shop', clientRequestToken => 'once' });

# Partitions of days past, as the receivers make them.
foreach my $days (1 .. 3)
{
	my ($name, $from, $to) = split /\|/, $node->safe_psql('postgres', qq{
		SELECT 'deliveries_' || to_char(day, 'YYYYMMDD'),
		       cp_webhook.uuid_at(day AT TIME ZONE 'UTC'), cp_webhook.uuid_at((day + interval '1 day') AT TIME ZONE 'UTC')
		  FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') - interval '$days days' AS day) d});

	$node->safe_psql('postgres', qq{
		CREATE TABLE cp_webhook.$name (LIKE cp_webhook.deliveries INCLUDING STORAGE INCLUDING COMPRESSION);
		CREATE UNIQUE INDEX ${name}_id ON cp_webhook.$name (id);
		CREATE INDEX ${name}_webhook ON cp_webhook.$name (webhook_id, id);
		ALTER TABLE cp_webhook.deliveries ATTACH PARTITION cp_webhook.$name FOR VALUES FROM ('$from') TO ('$to');
		INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, payload, webhook_id)
		SELECT cp_webhook.uuid_at(t), t, w.name, 'ignored', 200, '{}', jsonb_build_object('n', n, 'text', repeat('x', 5000)), w.id
		  FROM generate_series(1, 50) n,
		       LATERAL (SELECT now() - interval '$days days' - n * interval '1 millisecond') a (t),
		       cp_webhook.webhook_definitions w
		 WHERE w.name = 'open' AND cp_webhook.uuid_at(t) BETWEEN '$from' AND '$to'});
}
poll('the counters are written', sub {
	$node->safe_psql('postgres', q{SELECT coalesce(sum(triggered), 0) FROM cp_webhook.webhooks}) == 20;
});

# ---- what is compared ----

sub contents
{
	my ($server) = @_;
	my @tables = split /\n/, $server->safe_psql('postgres', q{
		SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cp_webhook'::regnamespace
		   AND c.relkind IN ('r', 'p') ORDER BY 1});

	return join '', map {
		$server->safe_psql('postgres', qq{
			SELECT '$_: ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '')
			  FROM cp_webhook."$_" t}) . "\n"
	} @tables;
}

sub structure
{
	my ($server) = @_;

	return $server->safe_psql('postgres', q{
		SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), pg_get_indexdef(i.indexrelid), i.indisvalid,
		       i.indisunique, a.attcompression
		  FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid
		  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'payload'
		 WHERE c.relnamespace = 'cp_webhook'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1, 4});
}

sub dump_of
{
	my ($server) = @_;
	my ($text, $errors) = run_command([ 'pg_dump', '--no-sync', $server->connstr('postgres') ]);

	# A key of the dump's own, in some versions.
	$text =~ s/^\\(un)?restrict .*$//mg;
	return ($text, $errors);
}

my ($dump, $errors) = dump_of($node);
is($errors, '', 'pg_dump says nothing');
my $contents = contents($node);
my $structure = structure($node);
note($contents);
is(scalar(() = $contents =~ /^deliveries_\d{8}: (?!0)/mg), 4, 'there are partitions of several days, with rows');
my $archive = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '--no-sync', '-Fc', '-f', $archive, $node->connstr('postgres') ], 'pg_dump -Fc');

sub check_restored
{
	my ($what, $target) = @_;

	is(contents($target), $contents, "$what: all rows are there");
	is(structure($target), $structure, "$what: so are partitions and their indexes");
	my ($again) = dump_of($target);
	ok($again eq $dump, "$what: a dump of it is the same")
	  or do
	{
		my @old = split /\n/, $dump;
		my %old = map { $_ => 1 } @old;
		diag(join "\n", (grep { !$old{$_} } split /\n/, $again)[ 0 .. 9 ]) if @old;
	};
	is(try_get($target, '/healthz')->{status}, 200, "$what: it serves");
	my $answer = post($target, $paths{signed}, $body, secret => $secret, id => 'dumped-7');
	is($answer->{json}{status}, 'duplicate', "$what: the URL and the secret are the same, and what triggered there is known");
	is($answer->{json}{pipelineExecutionId}, $executions[6], "$what: with its execution");
	is(post($target, $paths{signed}, $body, secret => $secret, id => 'new')->{json}{status}, 'triggered', "$what: a new one triggers");
	is(post($target, $paths{signed}, $body, secret => 'wrong')->{status}, 401, "$what: a wrong secret does not");
	is(post($target, $paths{open}, '{}')->{json}{status}, 'triggered', "$what: another URL");
	is(post($target, $paths{range}, '{}')->{json}{status}, 'triggered', "$what: and a third");
	is($target->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.webhooks WHERE last_triggered > now() - interval '1 minute'}), '3',
		"$what: the view goes on");
	is_deeply(call($target, 'list_tags_for_resource', { resourceArn => $arn })->{tags},
		call($node, 'list_tags_for_resource', { resourceArn => $arn })->{tags}, "$what: tags");
	is_deeply(call($target, 'get_pipeline', { name => 'shop', version => 2 })->{pipeline},
		call($node, 'get_pipeline', { name => 'shop', version => 2 })->{pipeline}, "$what: an older version of a pipeline");

	# A definition that is changed is seen: the triggers are there.
	put_webhook($target, 'signed', pipeline => 'shop', secret => 'another');
	is(post($target, $paths{signed}, $body, secret => $secret)->{status}, 401, "$what: a put is live at once");
	$target->stop;
	return;
}

# ---- pg_restore -1 ----

my $custom = start_receivers('custom', extension => 0);
my ($out, $restore_errors) = run_command([ 'pg_restore', '-1', '--exit-on-error', '-d', $custom->connstr('postgres'), $archive ]);
is($restore_errors, '', 'pg_restore -1 says nothing');
check_restored('pg_restore -1', $custom);

# ---- psql ----

my $plain = start_receivers('plain', extension => 0);
my $file = PostgreSQL::Test::Utils::tempdir() . '/plain.sql';
$node->command_ok([ 'pg_dump', '--no-sync', '-f', $file, $node->connstr('postgres') ], 'pg_dump to a script');
($out, $restore_errors) = run_command([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $plain->connstr('postgres'), '-f', $file ]);
is($restore_errors, '', 'psql of a plain dump says nothing');
check_restored('a plain dump', $plain);
$node->stop;

done_testing();
