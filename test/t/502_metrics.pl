# GET /metrics, /healthz and /readyz on the api worker's port.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $node = start_api('metrics', settings => { workers => 2 });
my $key = create_key($node, $node->safe_psql('postgres', 'SELECT current_user'));

create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', secret => 's', filters => [ { jsonPath => '$.a' } ]);
post($node, $path, '{"a":1}', secret => 's', id => 'a') foreach 1 .. 2;
post($node, $path, '{"b":1}', secret => 's');
post($node, $path, '{"a":1}', secret => 'x');
wire($node, $key, 'ListPipelines', {});
wire($node, $key, 'GetPipeline', { name => 'none' });
wire($node, $key, 'x', {}, unsigned => 1);

# A strict reader of the text format 0.0.4: family => { type, samples }, where
# samples is name and labels => value. Dies of whatever is not in order.
sub parse
{
	my ($text) = @_;
	my (%families, $family, $described);
	my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
	my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;

	die "no newline at the end\n" unless $text =~ /\n\z/;
	foreach my $line (split /\n/, $text, -1)
	{
		if ($line =~ /^# HELP ($name) (\S.*)$/)
		{
			die "a second HELP: $line\n" if $families{$1};
			$described = $1;
		}
		elsif ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/)
		{
			die "TYPE without its HELP: $line\n" unless $described eq $1;
			$family = $1;
			$families{$family} = { type => $2, samples => {} };
		}
		elsif ($line =~ /^(($name)(?:\{$label(?:,$label)*\})?) (-?[0-9]+(?:\.[0-9]+)?)$/)
		{
			my ($sample, $of, $value) = ($1, $2, $3);
			my $suffix = defined $family && $families{$family}{type} eq 'histogram' ? qr/_(?:bucket|sum|count)/ : qr//;

			die "outside of its family: $line\n" unless defined $family && $of =~ /^\Q$family\E$suffix$/;
			die "a second sample: $line\n" if defined $families{$family}{samples}{$sample};
			$families{$family}{samples}{$sample} = $value;
		}
		else
		{
			die "odd line: $line\n" unless $line eq '' && %families;
		}
	}
	return \%families;
}

my $answer = get_api($node, '/metrics');
is($answer->{status}, 200, 'GET /metrics');
is($answer->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'its type');
my $families = eval { parse($answer->{body}) };
ok($families, 'its text is in order') or diag($@);
is(join(' ', grep { ($_ =~ /_total$/) != ($families->{$_}{type} eq 'counter') } sort keys %$families), '',
	'counters, and they alone, end in _total');
# Of each receiver, with bounds that rise to infinity and counts that never fall.
foreach my $family (grep { $families->{$_}{type} eq 'histogram' } keys %$families)
{
	my $samples = $families->{$family}{samples};

	foreach my $worker (0, 1)
	{
		my %counts = map { /^${family}_bucket\{worker="$worker",le="([^"]+)"\}$/ ? ($1 eq '+Inf' ? 9**9**9 : $1, $samples->{$_}) : () } keys %$samples;
		my @bounds = sort { $a <=> $b } keys %counts;

		is(scalar @bounds, 15, "$family of receiver $worker has 15 bounds");
		is($counts{ $bounds[-1] }, $samples->{qq(${family}_count{worker="$worker"})}, 'the last counts all');
		is(scalar(grep { $counts{ $bounds[$_] } < $counts{ $bounds[ $_ - 1 ] } } 1 .. $#bounds), 0, 'and none less than the one before');
		ok(defined $samples->{qq(${family}_sum{worker="$worker"})}, 'it has its sum');
	}
}
is(join(' ', grep { !/^cp_webhook_/ } keys %$families), '', 'all have the prefix');

my %samples = map { %{ $_->{samples} } } values %$families;
my $sum = sub { my ($like) = @_; my $n = 0; $n += $samples{$_} foreach grep { /$like/ } keys %samples; return $n };
is($sum->(qr/^cp_webhook_requests_total.*verdict="triggered"/), 1, 'triggered');
is($sum->(qr/^cp_webhook_requests_total.*verdict="duplicate"/), 1, 'duplicate');
is($sum->(qr/^cp_webhook_requests_total.*verdict="ignored"/), 1, 'ignored');
is($sum->(qr/^cp_webhook_requests_total.*verdict="bad_signature"/), 1, 'rejected');
is($samples{'cp_webhook_api_calls_total{operation="ListPipelines",outcome="succeeded"}'}, 1, 'a call');
is($samples{'cp_webhook_api_calls_total{operation="GetPipeline",outcome="refused"}'}, 1, 'one that was refused');
is($samples{'cp_webhook_api_calls_total{operation="unknown",outcome="refused"}'}, 1, 'one of an unknown operation');
is($sum->(qr/^cp_webhook_worker_up/), 4, 'all workers are up');
cmp_ok($sum->(qr/^cp_webhook_batch_seconds_total/), '>', 0, 'batches took time');

# Everything that stats() has.
my %metric_of = (
	pid => 'worker_up', started_at => 'worker_start_time_seconds', listening => 'listening_info',
	body_bytes => 'request_body_bytes_total', batches => 'batches_total', batched => 'batched_deliveries_total',
	largest_batch => 'largest_batch_deliveries', batch_ms => 'batch_seconds_total',
	connections => 'connections', buffered_bytes => 'buffered_bytes', refused_connections => 'refused_connections_total',
	last_error => 'last_error_timestamp_seconds', last_error_at => 'last_error_timestamp_seconds',
	certificate_expires_at => 'certificate_expiry_timestamp_seconds',
	certificate_days => 'certificate_remaining_days',
	commit_ms => 'commit_duration_seconds', batch_sizes => 'batch_size_deliveries',
	batch_times => 'batch_duration_seconds', commit_times => 'commit_duration_seconds',
	map { $_ => 'requests_total' } qw(answers worker requests triggered ignored duplicate pong refused unavailable));
my @columns = split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT unnest(proargnames) FROM pg_proc WHERE oid = 'cp_webhook.stats()'::regprocedure
SQL
is(join(' ', grep { !defined $metric_of{$_} || !$families->{"cp_webhook_$metric_of{$_}"} } @columns), '',
	'every column of stats() has its metric');
is($sum->(qr/^cp_webhook_batched_deliveries_total/),
	$node->safe_psql('postgres', 'SELECT sum(batched) FROM cp_webhook.stats()'), 'with its value');

is(connect_to($node, port => api_port_of($node))->request(GET => '/metrics?x=y')->{status}, 200, 'a query does not matter');

# ---- the token ----

my $file = PostgreSQL::Test::Utils::tempdir() . '/token';
append_to_file($file, "s3cret-token\n");
my $with = sub { get_api($node, '/metrics', headers => [ Authorization => $_[0] ])->{status} };

sub set_token_file
{
	my ($name, $status) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.metrics_token_file = '$name'");
	$node->reload;
	poll("the token file is '$name'", sub { get_api($node, '/metrics')->{status} == $status });
	return;
}

my $position = log_position($node);
set_token_file($file, 401);
is(get_api($node, '/metrics')->{headers}{'www-authenticate'}, 'Bearer', 'without the token: 401, and what is asked for');
is($with->('Bearer s3cret-token'), 200, 'with the token');
is($with->('bearer s3cret-token'), 200, 'its scheme in either case');
is($with->($_), 401, "not with $_") foreach ('Bearer s3cret-toke', 'Bearer s3cret-tokeN', 'Bearer s3cret-token1', 'Bearer ', 'Basic s3cret-token', 's3cret-token');
is(get_api($node, $_)->{status}, 200, "$_ asks for none") foreach qw(/healthz /readyz);
unlike(log_since($node, $position), qr/s3cret-token/, 'the log does not show it');
set_token_file("$file.gone", 503);
like(log_since($node, $position), qr/could not read a token from/, 'a file that is not there closes the metrics');
is($with->('Bearer s3cret-token'), 503, 'also for who has the token');
append_to_file("$file.gone", "\n");
$node->reload;
is($with->('Bearer '), 503, 'an empty one as well');
set_token_file('', 200);

# ---- health ----

is(get_api($node, '/readyz')->{json}{status}, 'ok', 'ready');
$node->safe_psql('postgres', "ALTER SYSTEM SET default_transaction_read_only = on");
$node->reload;
poll('it is not ready where the database is read-only', sub { get_api($node, '/readyz')->{status} == 503 });
is(get_api($node, '/healthz')->{status}, 200, 'but lives');
is(wire($node, $key, 'StartPipelineExecution', { name => 'pipeline' })->{json}{__type}, 'ServiceUnavailableException', 'a call that writes: 503');
is(wire($node, $key, 'ListPipelines', {})->{status}, 200, 'one that reads: 200');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
poll('it is ready again', sub { get_api($node, '/readyz')->{status} == 200 });

$node->stop;
done_testing();
