
=head1 NAME

Nodes - a hub with ingest nodes, set up by the commands of the README

=head1 SYNOPSIS

  use Nodes;

  my %node = (hub => start_node('hub', workers => 0));
  $node{$_} = start_node($_, ingest_only => 'on', notify => 'off') foreach qw(a b);
  my %command = read_commands();                # role, definitions, ingest, hub, watch, synchronous
  set_up_nodes(%node);                          # runs the first four
  wait_for_definitions(%node);
  wait_for_events(%node);

=cut

package Nodes;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(start_node read_commands run_commands set_up_nodes wait_for_definitions wait_for_events sql);

my $keys;

=head2 start_node(name, setting => value, ...)

A server that can send and be sent to, with the key file that all have.

=cut

sub start_node
{
	my ($name, %settings) = @_;

	if (!$keys)
	{
		$keys = PostgreSQL::Test::Utils::tempdir() . '/keys';
		append_to_file($keys, "first QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\n");
		chmod 0600, $keys;
	}
	return start_receivers($name, init => [ allows_streaming => 'logical' ],
		conf => "max_logical_replication_workers = 10\nmax_worker_processes = 24\n"
		  . "wal_retrieve_retry_interval = 200ms\nrestart_after_crash = on\n",
		settings => { secret_key_file => $keys, %settings });
}

=head2 sql(node, statement)

=cut

sub sql
{
	my ($node, $statement) = @_;
	return $node->safe_psql('postgres', $statement);
}

=head2 read_commands()

The blocks of README.md under "run by" the test of nodes, in order, by name.

=cut

sub read_commands
{
	my $page = slurp_file("$FindBin::RealBin/../../README.md");
	my @names = qw(role definitions ingest hub watch synchronous);
	my %command;

	while ($page =~ m{^<!-- run by test/t/760_nodes\.pl: \w+ -->\n```plpgsql\n(.*?)^```$}mgs)
	{
		$command{ shift(@names) // die "README.md has more commands than are known here\n" } = $1;
	}
	die "README.md lacks the commands @names\n" if @names;
	return %command;
}

=head2 run_commands(nodes, node, text, name)

Runs a block on a node. What it says of the node "a" is said of the one of that
name, and a host is the socket of the server of its name.

=cut

sub run_commands
{
	my ($nodes, $node, $text, $name) = @_;

	$text =~ s{(cp_webhook_(?:from_)?|host=)a\b}{$1$name}g if defined $name;
	$text =~ s{host=(\w+)\.example port=5432}{'host=' . $nodes->{$1}->host . ' port=' . $nodes->{$1}->port}ge;
	my ($status, undef, $errors) = $node->psql('postgres', $text);

	is($status, 0, 'a command of the page runs on ' . $node->name) or diag("$text\n$errors");
	return;
}

=head2 set_up_nodes(name => node, ...)

Runs the commands on the hub and on all others, and waits until what was there
is copied.

=cut

sub set_up_nodes
{
	my (%node) = @_;
	my %command = read_commands();
	my @names = sort grep { $_ ne 'hub' } keys %node;

	run_commands(\%node, $_, $command{role}) foreach values %node;
	run_commands(\%node, $node{hub}, $command{definitions});
	foreach my $name (@names)
	{
		run_commands(\%node, $node{$name}, $command{ingest}, $name);
		run_commands(\%node, $node{hub}, $command{hub}, $name);
	}
	foreach my $node (values %node)
	{
		poll($node->name . ' has copied what was there', sub {
			sql($node, q{SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}) eq 't';
		});
	}
	return;
}

=head2 wait_for_definitions(name => node, ...), wait_for_events(name => node, ...)

Until all ingest nodes have what is defined now, or the hub has what they have
recorded.

=cut

sub wait_for_definitions
{
	my (%node) = @_;
	my $position = $node{hub}->lsn('insert');

	$node{hub}->wait_for_catchup("cp_webhook_$_", 'replay', $position) foreach sort grep { $_ ne 'hub' } keys %node;
	return;
}

sub wait_for_events
{
	my (%node) = @_;

	$node{$_}->wait_for_catchup("cp_webhook_from_$_", 'replay', $node{$_}->lsn('insert')) foreach sort grep { $_ ne 'hub' } keys %node;
	return;
}

1;
