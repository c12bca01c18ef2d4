# The disk is full: that of the tables, and that of the write-ahead log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Faults;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

prepare_faults() or plan skip_all => 'there is no C compiler';

my $node = start_receivers('main', settings => { workers => 1 }, conf => "restart_after_crash = on\nfsync = on\n");
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my ($pid) = worker_pids($node);

# Does not compress, so that it takes new blocks: a megabyte.
my $large = '{"text": "' . join('', map { sprintf '%08x', rand 2**32 } 1 .. 120_000) . '"}';

is(try_post($node, $path, $large, id => 'before')->{json}{status}, 'triggered', 'a disk with room');

# ---- the tables' ----

my $position = log_position($node);
my $files = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'});
my @clients = map { connect_to($node) } 1 .. 5;

fill_disk("/base/$files/");
my $start = time;
$clients[$_]->send_text(request_text(POST => $path, body => $large, id => "full-$_")) foreach 0 .. $#clients;
my @answers = answers_of(30, @clients);
is(join(' ', map { $_->{status} } @answers), join(' ', (503) x 5), 'the disk is full: 503');
is(scalar(grep { $_->{headers}{'retry-after'} && $_->{json}{error} eq 'unavailable' } @answers), 5, 'with Retry-After');
cmp_ok(time - $start, '<', 5, 'at once');
like(log_since($node, $position), qr/could not record a batch of \d+ deliveries, they are refused: could not (extend|write)[^\n]*No space left on device/,
	'and the log says why');
is($node->safe_psql('postgres', q{SELECT last_error ~ 'No space left|could not' FROM cp_webhook.stats() WHERE pid IS NOT NULL}), 't',
	'as does last_error of stats()') or diag($node->safe_psql('postgres', 'SELECT * FROM cp_webhook.stats()'));

is(try_get($node, '/healthz')->{status}, 503, '/healthz: 503');

# Blocks that are there can still be filled.
my $small = try_post($node, $path, '{}', id => 'small');
like($small->{status}, qr/^(200|503)$/, "a small delivery: $small->{status}");
is(stored_of($node, 'small') ne '' ? 200 : 503, $small->{status}, 'it is stored, or refused');
is(stored_of($node, "full-$_"), '', "full-$_ is not stored") foreach 0 .. $#clients;
is(try_post($node, $path, '{', id => 'other')->{status} =~ /^(400|503)$/ ? 1 : 0, 1, 'others are answered');

free_disk();
$clients[$_]->send_text(request_text(POST => $path, body => $large, id => "full-$_")) foreach 0 .. $#clients;
is(join(' ', map { $_->{json}{status} // $_->{status} } answers_of(30, @clients)), join(' ', ('triggered') x 5),
	'with room again the retries trigger, on the same connections');
is(() = stored_of($node, "full-$_") =~ /\S+/g, 1, "full-$_ is stored once") foreach 0 .. $#clients;
poll('/healthz: 200 again', sub { try_get($node, '/healthz')->{status} == 200 });
is(join(' ', worker_pids($node)), $pid, 'the receiver is the same');
unlike(log_since($node, $position), qr/PANIC|terminated by signal/, 'and the server has not restarted');

# ---- that of the write-ahead log ----

# PostgreSQL itself gives up then (PANIC), and can't start before there is room.
my $load = start_load($node, $path, clients => 3);
poll('deliveries come', sub { acked_of($load) > 30 });
$position = log_position($node);
fill_disk('/pg_wal/');
poll('the server gives up', sub { log_since($node, $position) =~ /PANIC:  [^\n]*No space left on device/ });
poll('the server is down', sub { try_get($node, '/healthz')->{error} });
is(try_post($node, $path, '{}', id => 'wal')->{status}, 0, 'a full disk of the log: no answer at all, the sender tries again');
free_disk();
poll('the server has stopped, or is back', sub {
	log_since($node, $position) =~ /database system is shut down/ || is_up($node);
});
if (!is_up($node))
{
	$node->_update_pid(-1);
	poll('the server starts', sub { $node->start(fail_ok => 1) });
}
wait_until_listening($node);
my $acked = acked_of($load);
poll('deliveries come again', sub { acked_of($load) > $acked + 30 });
my %executions;
$executions{ $_->{id} }{ $_->{execution} } = 1 foreach finish_load($load);
is(scalar(grep { keys %$_ > 1 } values %executions), 0, 'each delivery has one execution');
my %stored = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
	q{SELECT k.key, e.id FROM cp_webhook.delivery_keys k JOIN cp_webhook.executions e ON e.id = k.execution});
is(scalar(grep { !exists $executions{$_}{ $stored{$_} // '' } } keys %executions), 0, 'and each that was acked is stored');
is(try_post($node, $path, '{}', id => 'wal')->{json}{status}, 'triggered', 'the retry triggers');
$node->stop;

done_testing();
