# pg_upgrade keeps all of it: deliveries in their partitions, executions,
# counters, sealed secrets, keys, positions; and the same URLs answer.
#
# From another version where CPW_OLD_PG_CONFIG names its pg_config (test/matrix
# does that, and has installed the extension there); else from this version to
# itself, which pg_upgrade does by the same steps.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 's3cr\'t of "before"';
my $body = '{"ref":"refs/heads/main","text":"\u00fc"}';
my $directory = PostgreSQL::Test::Utils::tempdir();
my ($new_bin) = run_command([ $ENV{PG_CONFIG} || 'pg_config', '--bindir' ]);
my ($old_bin) = $ENV{CPW_OLD_PG_CONFIG} ? run_command([ $ENV{CPW_OLD_PG_CONFIG}, '--bindir' ]) : $new_bin;
my %old_install = $ENV{CPW_OLD_PG_CONFIG} ? (install_path => $old_bin =~ s{/bin$}{}r) : ();

my $key_file = "$directory/keys";
open my $keys, '>', $key_file or die "$key_file: $!\n";
chmod 0600, $key_file;
print $keys 'first ' . encode_base64('0123456789abcdef' x 2, '') . "\n";
close $keys;

# Since 18 initdb takes another default for the checksums.
my %options = (settings => { secret_key_file => $key_file }, initdb => ['--data-checksums']);
my $old = start_receivers('old', %options, %old_install);
my $port = port_of($old);
note 'from ' . $old->safe_psql('postgres', 'SHOW server_version');

# ---- what there is ----

create_pipeline($old, 'shop', Branch => 'main', OAuthToken => 'hidden');
create_pipeline($old, 'pipeline');
my $path = put_webhook($old, 'signed', pipeline => 'shop', secret => $secret,
	filters => [ { jsonPath => '$.ref', matchEquals => 'refs/heads/{Branch}' } ]);
my $open = put_webhook($old, 'open');
my @executions = map {
	post($old, $path, $body, secret => $secret, id => "before-$_")->{json}{pipelineExecutionId}
} 1 .. 200;
is(scalar(grep { defined } @executions), 200, 'deliveries have been recorded');
is(post($old, $path, $body, secret => $secret, id => 'before-1')->{json}{status}, 'duplicate', 'and a duplicate');
is(post($old, $path, '{"ref":"x"}', secret => $secret)->{json}{status}, 'ignored', 'one that is ignored');
is(post($old, $path, $body, secret => 'wrong')->{status}, 401, 'and one that is rejected');
post($old, $open, '{"large":"' . 'x' x 100_000 . '"}');
foreach my $days (1 .. 3)
{
	my ($name, $from, $to) = split /\|/, $old->safe_psql('postgres', qq{
		SELECT 'deliveries_' || to_char(day, 'YYYYMMDD'),
		       cp_webhook.uuid_at(day AT TIME ZONE 'UTC'), cp_webhook.uuid_at((day + interval '1 day') AT TIME ZONE 'UTC')
		  FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') - interval '$days days' AS day) d});

	$old->safe_psql('postgres', qq{
		CREATE TABLE cp_webhook.$name (LIKE cp_webhook.deliveries INCLUDING STORAGE INCLUDING COMPRESSION);
		CREATE UNIQUE INDEX ${name}_id ON cp_webhook.$name (id);
		CREATE INDEX ${name}_webhook ON cp_webhook.$name (webhook_id, id);
		ALTER TABLE cp_webhook.deliveries ATTACH PARTITION cp_webhook.$name FOR VALUES FROM ('$from') TO ('$to');
		INSERT INTO cp_webhook.deliveries (id, received_at, webhook, outcome, http_status, headers, payload, webhook_id)
		SELECT cp_webhook.uuid_at(t), t, w.name, 'ignored', 200, '{}', jsonb_build_object('n', n), w.id
		  FROM generate_series(1, 50) n, LATERAL (SELECT now() - interval '$days days' - n * interval '1 millisecond') a (t),
		       cp_webhook.webhook_definitions w WHERE w.name = 'open'});
}
my @claimed = map { [ split /\|/ ] } split /\n/, $old->safe_psql('postgres',
	q{SELECT id, nonce FROM cp_webhook.claim_executions('before', ARRAY['pipeline'], 2, '1 hour')});
is(scalar @claimed, 1, 'an execution is claimed');
$old->safe_psql('postgres', q{CREATE ROLE deployer NOLOGIN; GRANT cp_webhook_admin TO deployer; SELECT cp_webhook.create_access_key('deployer')});
my $sealed = $old->safe_psql('postgres', q{SELECT secret FROM cp_webhook.webhook_definitions WHERE name = 'signed'});
unlike($sealed, qr/s3cr/, 'secrets are sealed');
poll('the counters are written', sub {
	$old->safe_psql('postgres', q{SELECT sum(triggered) FROM cp_webhook.webhooks}) == 201;
});
poll('all is settled for who reads in order', sub {
	$old->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.executions_after(NULL, NULL, 1000)') == 201;
});
my $position = $old->safe_psql('postgres', 'SELECT "position" FROM cp_webhook.executions_after(NULL, NULL, 1000) OFFSET 200');

sub contents
{
	my ($node) = @_;
	my @tables = split /\n/, $node->safe_psql('postgres', q{
		SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cp_webhook'::regnamespace AND c.relkind = 'r' ORDER BY 1});

	return join '', map {
		$node->safe_psql('postgres', qq{
			SELECT '$_: ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM cp_webhook."$_" t}) . "\n"
	} @tables;
}

sub structure
{
	my ($node) = @_;

	return $node->safe_psql('postgres', q{
		SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisunique,
		       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
		       (SELECT c.oid = ANY (extconfig) FROM pg_extension WHERE extname = 'cp_webhook')
		  FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid
		 WHERE c.relnamespace = 'cp_webhook'::regnamespace AND c.relkind IN ('r', 'p', 'v') ORDER BY 1, 4});
}

my $contents = contents($old);
my $structure = structure($old);
cmp_ok(scalar(() = $contents =~ /^deliveries_\d{8}: (?!0)/mg), '>=', 4, 'there are partitions of several days, with rows');
$old->stop;

# ---- the upgrade ----

# pg_upgrade loads the libraries by their names in $libdir: what lies elsewhere
# it finds by a setting of Debian's, which 18 has no more.
if ($ENV{TEMP_CONFIG} && slurp_file($ENV{TEMP_CONFIG}) =~ /^extension_control_path/m)
{
	note 'installed elsewhere: no pg_upgrade';
	done_testing();
	exit;
}

my $new = start_receivers('new', %options, settings => { %{ $options{settings} }, port => $port }, start => 0);
chdir $directory or die "$directory: $!\n";
foreach my $only ([ '--check' ], [])
{
	my ($out, $errors) = run_command([ "$new_bin/pg_upgrade", '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old_bin, '-B', $new_bin,
			'-s', $new->host, '-p', $old->port, '-P', $new->port, @$only ]);

	is($? >> 8, 0, "pg_upgrade @$only") or diag("$out\n$errors\n", map { slurp_file($_) } glob $new->data_dir . '/pg_upgrade_output.d/*/*.txt');
}
unlike(join('', map { slurp_file($_) } glob $new->data_dir . '/pg_upgrade_output.d/*/log/*.log'), qr/cp_webhook listens/, 'no receiver listened meanwhile');
# Before anything is written there.
$new->append_conf('postgresql.conf', "cp_webhook.database = 'elsewhere'\n");
$new->start;
note 'to ' . $new->safe_psql('postgres', 'SHOW server_version');
is(contents($new), $contents, 'all rows are there');
is(structure($new), $structure, 'so are partitions, indexes, and what belongs to the extension');
$new->append_conf('postgresql.conf', "cp_webhook.database = 'postgres'\n");
$new->restart;
wait_until_listening($new);

# ---- it goes on ----

is(try_get($new, '/healthz')->{status}, 200, 'it serves');
my $answer = post($new, $path, $body, secret => $secret, id => 'before-7');
is($answer->{json}{status}, 'duplicate', 'the URL and the sealed secret are the same, and what triggered before is known');
is($answer->{json}{pipelineExecutionId}, $executions[6], 'with its execution');
is(post($new, $path, $body, secret => 'wrong')->{status}, 401, 'a wrong secret is wrong');
$answer = post($new, $path, $body, secret => $secret, id => 'after');
is($answer->{json}{status}, 'triggered', 'a new delivery triggers');
poll('it is settled', sub {
	$new->safe_psql('postgres', qq{SELECT execution_id FROM cp_webhook.executions_after('$position')}) eq $answer->{json}{pipelineExecutionId};
});
pass('who reads from the position of before gets that one, and no other');
is($new->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.executions_after(NULL, NULL, 1000)'), '202', 'who reads from the start gets all');
is($new->safe_psql('postgres', qq{SELECT cp_webhook.complete_execution('$claimed[0][0]', '$claimed[0][1]')}), '', 'a claim of before ends');
is($new->safe_psql('postgres', q{SELECT id FROM cp_webhook.claim_executions('after', ARRAY['shop'])}), $answer->{json}{pipelineExecutionId},
	'the newest execution is claimed: the pipeline has its mode');
is($new->safe_psql('postgres', q{SELECT status, count(*) FROM cp_webhook.executions WHERE pipeline = 'shop' GROUP BY 1 ORDER BY 1}),
	"InProgress|1\nSuperseded|200", 'and supersedes those of before');
is($new->safe_psql('postgres', q{SELECT count(*) FROM cp_webhook.list_access_keys() WHERE role = 'deployer'}), '1', 'access keys are of their roles');
put_webhook($new, 'signed', pipeline => 'shop', secret => 'another');
is(post($new, $path, $body, secret => 'another')->{json}{status}, 'triggered', 'a put is live at once');
poll('the counters go on', sub {
	$new->safe_psql('postgres', q{SELECT triggered FROM cp_webhook.webhooks WHERE name = 'signed'}) == 202;
});
like($new->safe_psql('postgres', q{SELECT cp_webhook.redeliver(id) FROM cp_webhook.deliveries WHERE provider_delivery_id = 'before-9'}),
	qr/^[-0-9a-f]{36}$/, 'a delivery of before is redelivered');
unlike(log_since($new, 0), qr/PANIC|terminated by signal|TRAP/, 'nothing died');
$new->stop;

done_testing();
