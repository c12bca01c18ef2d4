# A process may have only so many descriptors: fewer connections are taken, and
# the receiver waits, without spinning, until one of them ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'there is no prlimit' unless grep { -x "$_/prlimit" } split /:/, $ENV{PATH};

my $node = start_receivers('main', settings => { workers => 1 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /\A(\d+)/;

# Seconds of processor time that a process has used.
sub used
{
	my ($pid) = @_;
	my @fields = split ' ', slurp_file("/proc/$pid/stat") =~ s/.*\) //sr;

	return ($fields[11] + $fields[12]) / 100;
}

# A receiver that may have so many descriptors.
sub restart_with
{
	my ($limit) = @_;
	my ($old) = worker_pids($node);

	system_or_bail('prlimit', '--pid', $postmaster, "--nofile=$limit:$limit");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($old)");
	poll('another receiver has taken its place', sub { my ($now) = worker_pids($node); $now && $now != $old });
	wait_until_listening($node);
	return (worker_pids($node))[0];
}

# ---- few ----

my $position = log_position($node);
restart_with(1024);
is(try_post($node, $path, '{}')->{status}, 200, 'it serves');
my ($lowered) = log_since($node, $position) =~ /cp_webhook\.max_connections lowered from 4000 to (\d+)/;
ok($lowered, 'a hard limit of 1024 descriptors lowers max_connections, and the log says so');
cmp_ok($lowered || 0, '>=', 256, 'to a number that is of use');
cmp_ok($lowered || 0, '<=', 900, 'and leaves descriptors for files');
my @clients = map { connect_to($node) } 1 .. 200;
$_->send_text(request_text(POST => $path, body => '{}')) foreach @clients;
is(scalar(grep { $_->{status} == 200 } answers_of(20, @clients)), 200, 'two hundred connections at once are served');
$_->close foreach @clients;

# ---- very few ----

poll('their connections have ended', sub { $node->safe_psql('postgres', 'SELECT sum(connections) FROM cp_webhook.stats()') eq '0' });
my $limit = 100;
my $receiver = restart_with($limit);
my $many = 130;
@clients = map { connect_to($node) } 1 .. $many;
$_->send_text(request_text(POST => $path, body => '{}')) foreach @clients;
# Some of a hundred are the server's own, more in one version than in another.
poll('many are served', sub { 30 <= grep { $_->is_readable(0) } @clients });
my $before = used($receiver);
sleep 2;
my $used = used($receiver) - $before;
note("$used s of processor time in 2 s");
cmp_ok($used, '<', 0.5, 'while more connections wait the receiver does not spin');
my @served = grep { $_->is_readable(0) } @clients;
my @waiting = grep { !$_->is_readable(0) } @clients;
# Where connections have taken the last one, the server itself lacks one for a
# file: that is a 503, which ends a connection and makes room.
my %statuses = (200 => 0, 503 => 0);
$statuses{ $_->{status} }++ foreach answers_of(10, @served);
cmp_ok(@waiting + $statuses{503}, '>=', 30, 'they still wait, or were told to come again');
is($statuses{200} + $statuses{503}, scalar @served, 'the others are answered');
cmp_ok($statuses{200}, '>=', 20, 'many of them with 200');
$_->close foreach @served;
my $count = 0;
while (@waiting)
{
	poll('more are served', sub { grep { $_->is_readable(0) } @waiting });
	my @ready = grep { $_->is_readable(0) } @waiting;
	my %is_ready = map { $_ => 1 } @ready;

	$count += grep { $_->{status} == 200 || $_->{status} == 503 } answers_of(10, @ready);
	$_->close foreach @ready;
	@waiting = grep { !$is_ready{$_} } @waiting;
}
is($count, $many - @served, 'those that waited are answered when others have gone');
is(try_post($node, $path, '{}')->{status}, 200, 'and then it serves as before');
is(join(' ', worker_pids($node)), $receiver, 'by the same receiver');
$node->stop;

done_testing();
