# Dumps of a database that takes deliveries meanwhile, in each way that pg_dump
# has: each is of one moment, restores without an error to the rows of that
# moment, and serves when the database is given the receivers' name.
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
my $directory = PostgreSQL::Test::Utils::tempdir();
my $body = '{"ref":"refs/heads/main"}';

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $signed = put_webhook($node, 'signed', secret => 's3cret');
my $load = start_load($node, $path, clients => 3);
poll('deliveries come', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.deliveries') > 100 });

# What is in a database, of one snapshot.
sub contents
{
	my ($query) = @_;

	return join '', map {
		"$_: " . $query->("SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM cp_webhook.$_ t") . "\n"
	} qw(access_keys deliveries delivery_keys executions pipeline_definitions pipeline_versions resource_tags webhook_counters webhook_definitions);
}

# ---- the dumps, while deliveries come ----

# Of tables of extensions pg_dump does not tell a parallel pg_restore which has
# to wait for which, so that it fails at a foreign key, sometimes.
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'cp_webhook'::regnamespace}), '0',
	'no table refers to another');

my %contents;
my %ways = (
	plain => { dumps => [ [ '-f', 'plain.sql' ] ] },
	custom => { dumps => [ [ '-Fc', '-f', 'custom' ] ] },
	directory => { dumps => [ [ '-Fd', '-j', '2', '-f', 'directory' ] ], restore => [ '-j', '4' ] },
	clean => { dumps => [ [ '--clean', '--if-exists', '-f', 'clean.sql' ] ] },
	custom_clean => { dumps => [ [ '-Fc', '-f', 'custom_clean' ] ], restore => [ '--clean', '--if-exists' ] },
	parts => { dumps => [ [ '--schema-only', '-f', 'schema.sql' ], [ '--data-only', '-f', 'data.sql' ] ] },
	custom_parts => { dumps => [ [ '-Fc', '--schema-only', '-f', 'custom_schema' ], [ '-Fc', '--data-only', '-f', 'custom_data' ] ] });

foreach my $way (sort keys %ways)
{
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.deliveries');

	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
	my $snapshot = $session->query_safe('SELECT pg_export_snapshot()');
	foreach my $dump (@{ $ways{$way}{dumps} })
	{
		my @arguments = map { my $n = $_; $dump->[ $n - 1 ] eq '-f' ? "$directory/$dump->[$n]" : $dump->[$n] } 0 .. $#$dump;
		my (undef, $errors) = run_command([ 'pg_dump', '--no-sync', "--snapshot=$snapshot", @arguments, $node->connstr('postgres') ]);

		is($errors, '', "$way: pg_dump says nothing");
	}
	$contents{$way} = contents(sub { $session->query_safe($_[0]) });
	$session->query_safe('COMMIT');
	$session->quit;
	poll('deliveries come all the time', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.deliveries') > $before + 20 });
	pass("$way: deliveries are taken meanwhile");
}
my %acked = finish_load($load);
cmp_ok(scalar keys %acked, '>', 100, scalar(keys %acked) . ' were acked');
isnt($contents{plain}, $contents{parts}, 'two dumps are not of the same moment');
$node->stop;

# ---- each restored beside, then given the name ----

my $target = start_receivers('target', extension => 0, settings => { database => 'serving' }, start => 0);
$target->start;

sub restored
{
	my ($way, $database) = @_;
	my $name = "$way";

	foreach my $dump (@{ $ways{$way}{dumps} })
	{
		my ($file) = map { "$directory/$_" } $dump->[-1];
		my @program = $file =~ /\.sql$/ ? ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d')
		  : ('pg_restore', '--exit-on-error', @{ $ways{$way}{restore} || [] }, $file, '-d');
		my (undef, $errors) = run_command([ @program, $target->connstr($database) ]);

		# That the receivers look elsewhere is what CREATE EXTENSION says there.
		$errors =~ s/^.*WARNING:  the receivers work in database "serving", not in this one\n.*HINT: [^\n]*(?:\n|\z)//mg;
		$errors =~ s/^Command was: CREATE EXTENSION.*\n+//mg;
		$errors =~ s/^(?:psql:\S* )?NOTICE: [^\n]*does not exist, skipping\n//mg;
		is($errors, '', "$way: nothing is said");
	}
	return;
}

foreach my $way (sort keys %ways)
{
	$target->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
	if ($way =~ /clean/)
	{
		# Over what another dump has left.
		$target->safe_psql('restored', q{CREATE EXTENSION cp_webhook; INSERT INTO cp_webhook.resource_tags VALUES ('webhook', 'x', 'y', 'z')});
	}
	restored($way, 'restored');
	is(contents(sub { $target->safe_psql('restored', $_[0]) }), $contents{$way}, "$way: the rows of that moment are there");
	is($target->safe_psql('restored', q{
		SELECT count(*) FROM cp_webhook.deliveries d WHERE outcome = 'triggered' AND NOT EXISTS (
		  SELECT FROM cp_webhook.executions e JOIN cp_webhook.delivery_keys k ON k.execution = e.id
		   WHERE e.delivery = d.id AND k.webhook_id = d.webhook_id AND k.key = d.provider_delivery_id)}), '0',
		"$way: each delivery has its execution and its key");

	$target->safe_psql('postgres', 'DROP DATABASE IF EXISTS serving WITH (FORCE)');
	$target->safe_psql('postgres', 'ALTER DATABASE restored RENAME TO serving');
	$target->restart;
	poll("$way: it serves", sub { try_get($target, '/healthz')->{status} == 200 });
	my ($id, $execution) = split /\|/, $target->safe_psql('serving', 'SELECT key, execution FROM cp_webhook.delivery_keys ORDER BY execution LIMIT 1');
	is(post($target, $path, $body, id => $id)->{json}{pipelineExecutionId}, $execution, "$way: what triggered before is known");
	is(post($target, $signed, $body, secret => 's3cret', id => 'new')->{json}{status}, 'triggered', "$way: a new one triggers");
	is(post($target, $signed, $body, secret => 'wrong')->{status}, 401, "$way: with the secret only");
}
$target->stop;

done_testing();
