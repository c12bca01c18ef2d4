
=head1 NAME

Console - the console's requests, for the TAP tests

=head1 SYNOPSIS

  my $node = start_api('console', settings => { console => 'on' });
  my $session = open_console($node, 'postgres');
  is(console_get($node, $session, 'webhooks')->{status}, 200);

=cut

package Console;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';
use JSON::PP ();
use Wire;

our @EXPORT = qw(console_token console_post console_get open_console);

my $json = JSON::PP->new->utf8->canonical;

=head2 console_token(node, role)

The token in a new link of that role.

=cut

sub console_token
{
	my ($node, $role) = @_;
	my $url = $node->safe_psql('postgres', qq{SET ROLE "$role"; SELECT cp_webhook.console_url()});

	return $url =~ m{/console/#([A-Za-z0-9_-]{43})$} ? $1 : die "odd link: $url\n";
}

=head2 console_post(node, session, name, request, %options), console_get(node, session, name, %options)

A request for data, with the headers of the console's own page. session is a
Cookie header's value, or undef. Options:

  headers  more headers, or others; undef leaves one out
  query    of a GET
  method, path

=cut

sub headers_of
{
	my ($session, %more) = @_;
	my %headers = ((defined $session ? (Cookie => $session) : ()), %more);

	return [ map { $_ => $headers{$_} } grep { defined $headers{$_} } sort keys %headers ];
}

sub console_post
{
	my ($node, $session, $name, $request, %options) = @_;
	my $body = ref $request ? $json->encode($request) : $request;

	return connect_to($node, port => api_port_of($node))->request(
		$options{method} // 'POST', $options{path} // "/console/api/$name", body => $body, type => undef,
		headers => headers_of($session, 'Content-Type' => 'application/json', 'X-CP-Webhook-Console' => 1,
			%{ $options{headers} || {} }));
}

sub console_get
{
	my ($node, $session, $name, %options) = @_;

	return connect_to($node, port => api_port_of($node))->request(
		$options{method} // 'GET', ($options{path} // "/console/api/$name") . (defined $options{query} ? "?$options{query}" : ''),
		headers => headers_of($session, %{ $options{headers} || {} }));
}

=head2 open_console(node, role)

A session of that role: a Cookie header's value.

=cut

sub open_console
{
	my ($node, $role) = @_;
	my $answer = console_post($node, undef, 'session', { token => console_token($node, $role) });

	return ($answer->{headers}{'set-cookie'} // '') =~ /^([^;]+)/ ? $1 : die "no session: $answer->{status} $answer->{body}\n";
}

1;
