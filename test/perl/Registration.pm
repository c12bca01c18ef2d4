
=head1 NAME

Registration - for tests of registrations with third parties

=head1 SYNOPSIS

  use CpWebhook;
  use FakeProvider;
  use Registration;

  my $fake = FakeProvider->start;
  create_source($node, 'site', $fake, GitHub => Repo => 'site');
  put_webhook($node, 'push', pipeline => 'site', secret => 's');
  register($node, 'push');
  wait_for_registration($node, 'push', 'registered');

=cut

package Registration;

use strict;
use warnings;

use CpWebhook;
use Exporter 'import';

our @EXPORT = qw(
  create_source source_request register deregister registration_of
  wait_for_registration our_hooks
);

=head2 create_source(node, pipeline, fake, provider, %configuration)

A pipeline whose source action "Source" is of that provider, and is octo/site at
the fake one by default.

=head2 source_request(pipeline, fake, provider, %configuration)

The request that it makes of that, also for update_pipeline.

=cut

sub source_request
{
	my ($name, $fake, $provider, %configuration) = @_;

	%configuration = (Owner => 'octo', Repo => 'site', OAuthToken => 'good-token',
		$fake ? (ApiUrl => $fake->api_url($provider)) : (), %configuration);
	delete $configuration{$_} foreach grep { !defined $configuration{$_} } keys %configuration;
	return { pipeline => {
		name => $name,
		stages => [
			{ name => 'Source', actions => [ {
				name => 'Source',
				actionTypeId => { category => 'Source', owner => 'ThirdParty',
					provider => $provider, version => '1' },
				configuration => \%configuration } ] },
			{ name => 'Build', actions => [ {
				name => 'Build',
				actionTypeId => { category => 'Build', owner => 'AWS',
					provider => 'CodeBuild', version => '1' } } ] } ] } };
}

sub create_source
{
	my ($node, @source) = @_;
	return call($node, 'create_pipeline', source_request(@source));
}

=head2 register(node, webhook), deregister(node, webhook)

=cut

sub register
{
	my ($node, $webhook) = @_;
	return call($node, 'register_webhook_with_third_party', { webhookName => $webhook });
}

sub deregister
{
	my ($node, $webhook) = @_;
	return call($node, 'deregister_webhook_with_third_party', { webhookName => $webhook });
}

=head2 registration_of(node, webhook)

The newest row of the view registrations, a hash; undef without one.

=head2 wait_for_registration(node, webhook, state, more)

Waits until that is its state ("gone": there is no row), and more (SQL over the
row) is true; returns it.

=cut

sub registration_of
{
	my ($node, $webhook) = @_;
	my $row = $node->safe_psql('postgres',
		"SELECT to_jsonb(r) FROM cp_webhook.registrations r WHERE webhook = '$webhook' ORDER BY created_at DESC LIMIT 1");

	return $row eq '' ? undef : json_of($row);
}

sub wait_for_registration
{
	my ($node, $webhook, $state, $more) = @_;
	my $row;

	$more //= 'true';
	eval {
		poll("$webhook is $state", sub {
			return 1 if $node->safe_psql('postgres', $state eq 'gone'
				? "SELECT count(*) = 0 FROM cp_webhook.registrations WHERE webhook = '$webhook'"
				: "SELECT state = '$state' AND ($more) FROM cp_webhook.registrations WHERE webhook = '$webhook' ORDER BY created_at DESC LIMIT 1") eq 't';
			return 0;
		}, 0.05);
		1;
	} or do
	{
		my $error = $@;
		$row = registration_of($node, $webhook);
		die $error . ($row ? join ' ', map { "$_=" . ($row->{$_} // '') . ';' } sort keys %$row : 'there is no row') . "\n";
	};
	return registration_of($node, $webhook);
}

=head2 our_hooks(fake, path)

The hooks that the fake provider has for that path of a URL, or for any of ours.

=cut

sub our_hooks
{
	my ($fake, $path) = @_;

	return grep { $_->{url} =~ m{/trigger/} && (!defined $path || $_->{url} =~ /\Q$path\E$/) } $fake->hooks;
}

1;
