
=head1 NAME

Balancer - HAProxy before servers, by the configuration that the README shows

=head1 SYNOPSIS

  my $port = start_balancer(a => $port_of_a, b => $port_of_b);
  ...
  stop_balancer();

=cut

package Balancer;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_balancer stop_balancer);

my $process;

=head2 start_balancer(name => port, ...)

Starts it and waits until it listens; returns its port.

=head2 stop_balancer()

=cut

sub start_balancer
{
	my (%servers) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $file = PostgreSQL::Test::Utils::tempdir() . '/haproxy.cfg';
	my $text = slurp_file("$FindBin::RealBin/../clients/haproxy.cfg");

	$text =~ s/bind :8080/bind 127.0.0.1:$port/;
	$text =~ s/\b$_\.example:8787/127.0.0.1:$servers{$_}/ foreach keys %servers;
	append_to_file($file, $text);
	$process = IPC::Run::start([ 'haproxy', '-db', '-f', $file ], '<', '/dev/null', '>', "$file.log", '2>&1');
	eval {
		poll('the balancer listens', sub { eval { connect_to(undef, port => $port) } });
		1;
	} or die "$@" . slurp_file("$file.log");
	return $port;
}

sub stop_balancer
{
	return unless $process;
	$process->kill_kill;
	undef $process;
	return;
}

END
{
	local $?;
	stop_balancer();
}

1;
