
=head1 NAME

Sigv4 - AWS Signature Version 4, the client's side, of core modules alone

=head1 SYNOPSIS

  my %headers = sign_request(
      key => 'CPWA...', secret => '...', body => '{}', host => 'localhost:8788',
      headers => { 'X-Amz-Target' => 'CodePipeline_20150709.ListWebhooks' });

=cut

package Sigv4;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter 'import';
use POSIX qw(strftime);

our @EXPORT = qw(sign_request);

=head2 sign_request(%request)

The headers of a signed request, Host among them. Options beside those above:

  method, path, query   POST, /, nothing
  time                  seconds since 1970; now
  region, service       us-east-1, codepipeline
  scope                 the whole scope, in place of time, region and service
  signed                names of the headers that are signed; all of them

=cut

sub sign_request
{
	my (%request) = @_;
	my $instant = strftime('%Y%m%dT%H%M%SZ', gmtime($request{time} // time));
	my $scope = $request{scope} // join('/', substr($instant, 0, 8),
		$request{region} // 'us-east-1', $request{service} // 'codepipeline',
		'aws4_request');
	my %headers = (
		'Host' => $request{host},
		'X-Amz-Date' => $instant,
		'Content-Type' => 'application/x-amz-json-1.1',
		%{ $request{headers} || {} });
	my %lower = map { lc $_ => $headers{$_} } keys %headers;
	my @signed = sort @{ $request{signed} || [ keys %lower ] };
	my $canonical = join("\n",
		$request{method} // 'POST', $request{path} // '/', $request{query} // '',
		(map { "$_:" . ($lower{$_} // '') } @signed), '', join(';', @signed),
		sha256_hex($request{body} // ''));
	my $key = 'AWS4' . $request{secret};

	$key = hmac_sha256($_, $key) for split m{/}, $scope;
	$headers{Authorization} = "AWS4-HMAC-SHA256 Credential=$request{key}/$scope, "
	  . 'SignedHeaders=' . join(';', @signed) . ', Signature='
	  . hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256', $instant, $scope,
			sha256_hex($canonical)), $key);
	return %headers;
}

1;
