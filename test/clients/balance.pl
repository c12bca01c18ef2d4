# balance: HAProxy before two ingest nodes, by the configuration of the README:
# each webhook's deliveries go to one node, those of a node that dies to others,
# and back; the hub counts each once. A TAP test that test/clients/run runs.
#
#   NODES_DELIVERIES  in all (6000)
#   NODES_RATE        a second (1000)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Balancer;
use CpWebhook;
use Lifecycle;
use Load;
use Nodes;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $deliveries = $ENV{NODES_DELIVERIES} || 6000;
my $rate = $ENV{NODES_RATE} || 1000;
my %node = (hub => start_node('hub', workers => 0));

$node{$_} = start_node($_, ingest_only => 'on', notify => 'off', workers => 1, trusted_proxies => '127.0.0.1') foreach qw(a b);
my @names = qw(a b);
create_pipeline($node{hub}, 'pipeline');
my @paths = map { put_webhook($node{hub}, "hook-$_", secret => 's3cret') } 1 .. 20;
set_up_nodes(%node);
my $balancer = start_balancer(map { $_ => port_of($node{$_}) } @names);
poll('the balancer has both', sub {
	my %seen;

	$seen{ try_post(undef, $_, '{}', port => $balancer)->{status} }++ foreach @paths;
	return keys %seen == 1 && $seen{401};
}, 0.2);
# Where each webhook is now.
sub homes
{
	my ($condition) = @_;
	my %home;

	foreach my $name (@names)
	{
		next unless eval { $node{$name}->psql('postgres', 'SELECT 1') == 0 };
		push @{ $home{$_} }, $name foreach split /\n/, sql($node{$name}, "SELECT DISTINCT webhook FROM cp_webhook.deliveries WHERE $condition ORDER BY 1");
	}
	return %home;
}
sub send_part
{
	my ($part) = @_;
	return start_sending(ports => [$balancer], paths => \@paths, secret => 's3cret', rate => $rate, count => int($deliveries / 3), id => sub { "$part-$_[0]" });
}

my %sent = (one => finish_sending(send_part('one')));
my %home = homes(q{provider_delivery_id LIKE 'one-%'});
is(scalar(keys %home), scalar @paths, 'all webhooks have got deliveries');
is(scalar(grep { @$_ > 1 } values %home), 0, 'each from one node alone');
my %nodes_used = map { $_->[0] => 1 } values %home;
is(scalar(keys %nodes_used), scalar @names, 'and both nodes have some');
is_deeply($sent{one}{errors}, {}, 'without an error');
is(try_post(undef, $paths[0], '{"number":0,"text":"' . 'x' x 700 . '"}', port => $balancer, secret => 's3cret', id => 'one-0')->{json}{status}, 'duplicate', 'a repeat meets the node that knows it');

# ---- a node dies, and comes back ----

my $load = send_part('two');
poll('some are acked', sub { acked_by($load) > $deliveries / 12 }, 0.05);
$node{a}->stop('immediate');
$sent{two} = finish_sending($load);
is($sent{two}{acked}, int($deliveries / 3), 'a node dies: in the end all is acked');
note(sprintf 'errors for %.2f s (%s), the slowest took %.2f s', ($sent{two}{to} // 0) - ($sent{two}{from} // 0),
	join(', ', map { "$_ $sent{two}{errors}{$_}" } sort keys %{ $sent{two}{errors} }), $sent{two}{slowest});
my %now = homes(q{provider_delivery_id LIKE 'two-%'});
is(scalar(grep { !grep { $_ eq 'b' } @{ $now{$_} || [] } } keys %home), 0, 'the other one takes its webhooks as well');
$node{a}->start;
wait_until_listening($node{a});
poll('the balancer has it back', sub {
	my $before = sql($node{a}, 'SELECT requests FROM cp_webhook.stats_total');

	try_post(undef, $_, '{}', port => $balancer) foreach @paths;
	return sql($node{a}, 'SELECT requests FROM cp_webhook.stats_total') > $before + 3;
}, 0.3);
$sent{three} = finish_sending(send_part('three'));
my %back = homes(q{provider_delivery_id LIKE 'three-%'});
is_deeply(\%back, \%home, 'and when it is back each has its own again');

# ---- counted ----

wait_for_events(%node);
my $all = 3 * int($deliveries / 3);
is(sql($node{hub}, q{SELECT count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE status = 'InProgress'}), "$all|$all", "the hub counts $all, each once");
is(sql($node{hub}, q{SELECT count(*) FROM cp_webhook.deliveries WHERE source_address <> '127.0.0.1'}), '0', 'with the address that the balancer tells');

# ---- how fast a hub that was away catches up ----

sql($node{hub}, "ALTER SUBSCRIPTION cp_webhook_from_$_ DISABLE") foreach @names;
my $away = finish_sending(send_part('four'));
$all += $away->{acked};
sql($node{hub}, "ALTER SUBSCRIPTION cp_webhook_from_$_ ENABLE") foreach @names;
my $start = time;
wait_for_events(%node);
my $seconds = time - $start;
is(sql($node{hub}, q{SELECT count(*), count(DISTINCT provider_delivery_id) FROM cp_webhook.trigger_events WHERE status = 'InProgress'}), "$all|$all", 'a hub that was away catches up');
diag(sprintf 'it took %d deliveries of %d bytes from two nodes in %.1f s: %d a second', $away->{acked}, 730, $seconds, $away->{acked} / $seconds);
stop_balancer();
$_->stop foreach values %node;

done_testing();
