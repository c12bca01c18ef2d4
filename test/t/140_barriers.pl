# Receivers absorb the server's barriers whatever their clients do: DROP
# DATABASE, of any database, waits for every process to do so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('main');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $body = '{"ref":"' . 'x' x 100000 . '"}';
my $whole = request_text(POST => $path, body => $body);

sub check
{
	my ($what, $sql) = @_;
	my ($status, $errors);
	my $seconds = seconds_of(sub {
		($status, undef, $errors) = $node->psql('postgres', "SET statement_timeout = '20s'",
			extra_params => [ map { ('-c', $_) } @$sql ]);
	});

	note(sprintf '%s: %.2f s', $what, $seconds);
	is($status, 0, "$what works") or diag($errors);
	cmp_ok($seconds, '<', 5, "$what: soon");
	return;
}

sub check_all
{
	my ($what) = @_;

	check("$what: CREATE DATABASE", [ 'CREATE DATABASE other' ]);
	check("$what: CREATE DATABASE ... TEMPLATE", [ 'CREATE DATABASE third TEMPLATE other' ]);
	check("$what: DROP DATABASE", [ 'DROP DATABASE other', 'DROP DATABASE third' ]);
	return;
}

check_all('idle receivers');

my @idle = connect_to_each($node);
is(scalar(grep { $_->request(POST => $path, body => '{}')->{status} == 200 } @idle), 2, 'connections are kept');
check_all('idle connections');

my @half = connect_to_each($node);
$_->send_text(substr $whole, 0, length($whole) / 2) foreach @half;
my @headers = connect_to_each($node);
$_->send_text(substr $whole, 0, 40) foreach @headers;
check_all('half-sent requests');
$_->send_text(substr $whole, length($whole) / 2) foreach @half;
$_->send_text(substr $whole, 40) foreach @headers;
is(join(' ', map { $_->{status} } answers_of(20, @half, @headers)), '200 200 200 200', 'which go on afterwards');

# While batches wait for a lock, a receiver is in the lock manager.
$node->append_conf('postgresql.conf', "cp_webhook.lock_timeout = '30s'\ncp_webhook.batch_timeout = '30s'");
set_settings($node, request_timeout => '60s');
my $admin = $node->background_psql('postgres', on_error_stop => 1);
my @waiting = connect_to_each($node);

$admin->query_safe('BEGIN');
$admin->query_safe('LOCK TABLE cp_webhook.executions IN ACCESS EXCLUSIVE MODE');
$_->send_text($whole) foreach @waiting;
poll('both receivers wait for the lock', sub {
	$node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cp_webhook receiver' AND wait_event_type = 'Lock'}) == 2;
});
check_all('batches that wait for a lock');
$admin->query_safe('COMMIT');
$admin->quit;
is(join(' ', map { $_->{status} } answers_of(20, @waiting)), '200 200', 'which are recorded afterwards');

# And while deliveries come all the time.
my $load = start_load($node, $path, clients => 2);
poll('deliveries come', sub { acked_of($load) > 20 });
check_all('under load');
cmp_ok(scalar(finish_load($load)), '>', 20, 'the load went on');
$node->stop;

done_testing();
