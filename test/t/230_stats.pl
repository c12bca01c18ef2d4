# stats() and stats_total: what was answered by name, the histograms, the sums.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('main', settings => { workers => 3 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one', filters => [ { jsonPath => '$.go' } ]);

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

my $before = value("SELECT requests FROM cp_webhook.stats_total");

# Each on a connection of its own, so that every receiver may get some.
my %sent = (triggered => 20, ignored => 10, bad_json => 3, unsupported_media_type => 2, not_found => 4, method_not_allowed => 1);
try_post($node, $path, '{"go": 1}', id => "t$_") foreach 1 .. $sent{triggered};
try_post($node, $path, '{}') foreach 1 .. $sent{ignored};
try_post($node, $path, '{') foreach 1 .. $sent{bad_json};
try_post($node, $path, '{}', type => 'text/plain') foreach 1 .. $sent{unsupported_media_type};
try_post($node, '/trigger/none', '{}') foreach 1 .. $sent{not_found};
try_get($node, $path);

poll('all are counted', sub { value("SELECT requests - $before FROM cp_webhook.stats_total") == 40 });
is(value("SELECT answers ->> '$_' FROM cp_webhook.stats_total"), $sent{$_}, "answers: $_") foreach sort keys %sent;
is(value("SELECT sum((answers ->> 'triggered')::int), sum(triggered) FROM cp_webhook.stats()"), "$sent{triggered}|$sent{triggered}", 'stats() says the same of each receiver');
is(value('SELECT workers FROM cp_webhook.stats_total'), 3, 'the receivers are counted');

# Histograms: as many as there were batches, each in the element of its size.
foreach my $column ('batch_sizes', 'batch_times', 'commit_times')
{
	is(value("SELECT cardinality($column) FROM cp_webhook.stats() LIMIT 1"), 15, "$column has 15 elements");
	is(value("SELECT (SELECT sum(n) FROM unnest($column) n) >= batches FROM cp_webhook.stats_total"), 't', "$column counts every batch");
	is(value("SELECT count(*) FROM (SELECT (SELECT sum(n) FROM unnest($column) n) AS all, s.batches FROM cp_webhook.stats() s) t WHERE t.all < t.batches"), 0,
		"of each receiver");
}
is(value('SELECT batch_sizes[1] = batches AND largest_batch = 1 FROM cp_webhook.stats_total'), 't', 'one request after the other makes batches of one');
is(value('SELECT commit_ms > 0 AND commit_ms < batch_ms FROM cp_webhook.stats_total'), 't', 'commits are a part of batches');
is(value(q{SELECT bool_and(batch_ms <= (SELECT sum(n * 2 ^ (i - 4)) FROM unnest(batch_times[:14]) WITH ORDINALITY u(n, i))
	AND batch_ms >= (SELECT sum(n * 2 ^ (i - 5)) FROM unnest(batch_times) WITH ORDINALITY u(n, i) WHERE i > 1)) FROM cp_webhook.stats() WHERE batch_times[15] = 0}),
	't', 'the bounds of the times fit their sum');

# A batch that takes long, and is larger than one: a lock holds it up.
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK cp_webhook.executions IN SHARE MODE');
my @clients = map { connect_to($node) } 1 .. 12;
$clients[$_]->send_text(request_text(POST => $path, body => '{"go": 1}', id => "held$_")) foreach 0 .. $#clients;
poll('a batch waits for the lock', sub { value(q{SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'cp_webhook.executions'::regclass}) > 0 });
# Well above 128 ms from its first request on.
select undef, undef, undef, 0.3;
$holder->query_safe('COMMIT');
$holder->quit;
is(scalar(grep { ($_->{json}{status} // '') eq 'triggered' } answers_of(20, @clients)), 12, 'all go on when it is released');
cmp_ok(value('SELECT sum(n) FROM cp_webhook.stats_total, unnest(batch_times[12:]) n'), '>', 0, 'it shows among the batches above 128 ms');
$node->stop;

done_testing();
