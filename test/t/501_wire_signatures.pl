# Signatures on the AWS wire: whatever is changed of a signed request, it does
# not pass.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;
use Wire;

my $node = start_api('signatures', settings => { workers => 1 });
my $key = create_key($node, $node->safe_psql('postgres', 'SELECT current_user'));

sub verdict
{
	my ($answer) = @_;
	return join ' ', $answer->{status}, $answer->{json}{__type} // ();
}

sub judged
{
	return verdict(wire($node, $key, 'ListPipelines', { maxResults => 5 }, @_));
}

my ($missing, $incomplete, $invalid, $unknown) = map { "400 ${_}Exception" }
  qw(MissingAuthenticationToken IncompleteSignature InvalidSignature UnrecognizedClient);

is(judged(), '200', 'a signed call');
is(judged(unsigned => 1), $missing, 'one that is not');

# ---- time ----

my $now = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())::bigint');
is(judged(time => $now - 290), '200', 'signed almost 5 minutes ago');
is(judged(time => $now + 290), '200', 'signed almost 5 minutes ahead');
is(judged(time => $now - 310), $invalid, 'signed more than 5 minutes ago');
is(judged(time => $now + 320), $invalid, 'signed more than 5 minutes ahead');
like(wire($node, $key, 'ListPipelines', {}, time => $now - 310)->{json}{message}, qr/^Signature expired/, 'the message says so');

# ---- scope ----

is(judged(region => 'eu-central-1'), $invalid, 'another region');
is(judged(service => 's3'), $invalid, 'another service');
my $day = substr Sigv4::strftime('%Y%m%d', gmtime $now), 0, 8;
is(judged(scope => "20200101/us-east-1/codepipeline/aws4_request"), $invalid, 'another day');
is(judged(scope => "$day/us-east-1/codepipeline/aws4_reques"), $invalid, 'another end');
is(judged(scope => "$day/us-east-1/codepipeline"), $incomplete, 'no end');
$node->safe_psql('postgres', "ALTER SYSTEM SET cp_webhook.region = 'eu-central-1'");
$node->reload;
poll('the region is changed', sub { judged(region => 'eu-central-1') eq '200' });
is(judged(), $invalid, 'the region is the setting\'s');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET cp_webhook.region');
$node->reload;
poll('the region is changed back', sub { judged() eq '200' });

# ---- who ----

is(verdict(wire($node, { %$key, key => 'CPWAAAAAAAAAAAAAAAAA' }, 'ListPipelines', {})), $unknown, 'a key that is not there');
is(verdict(wire($node, { %$key, key => "x'; DROP TABLE y" }, 'ListPipelines', {})), $incomplete, 'a key that can be none');
is(verdict(wire($node, { %$key, secret => "$key->{secret}x" }, 'ListPipelines', {})), $invalid, 'another secret');

# ---- what is signed ----

is(judged(sends => '{"maxResults": 6}'), $invalid, 'another body');
is(judged(sends => ''), $invalid, 'no body');
is(judged(change => sub { $_[0] =~ s/ListPipelines/ListWebhooks/r }), $invalid, 'another operation');
is(judged(change => sub { $_[0] =~ s/Host: localhost/Host: elsewhere/r }), $invalid, 'another host');
is(judged(change => sub { $_[0] =~ s{^POST / }{POST /?x=1 }r }), $invalid, 'another query');
is(judged(change => sub { $_[0] =~ s{^POST / }{POST /?X-Amz-Expires=1 }r }), $invalid, 'a parameter of the query form');
is(judged(change => sub { $_[0] =~ s/(X-Amz-Date: \d{8}T)\d{6}/${1}000000/r }), $invalid, 'another time');
is(judged(headers => { 'X-Amz-Security-Token' => 'of a session' }), '200', 'a session\'s token does not matter');
is(judged(change => sub { $_[0] =~ s/\r\n\r\n/\r\nX-Amz-Security-Token: x\r\n\r\n/r }), $invalid, 'unless it is not signed');
is(judged(change => sub { $_[0] =~ s/\r\n\r\n/\r\nX-Amz-Meta: x\r\n\r\n/r }), $invalid, 'as any header of the wire');
is(judged(change => sub { $_[0] =~ s/\r\n\r\n/\r\nX-Other: x\r\n\r\n/r }), '200', 'others may be added');
is(judged(signed => [qw(host x-amz-date x-amz-target)]), $invalid, 'Content-Type must be signed');
is(judged(signed => [qw(content-type host x-amz-date)]), $invalid, 'so must X-Amz-Target');
is(judged(signed => [qw(content-type host x-amz-target)]), $incomplete, 'X-Amz-Date');
is(judged(signed => [qw(content-type x-amz-date x-amz-target)]), $incomplete, 'and Host');
is(judged(signed => [qw(content-type host x-amz-date x-amz-target x-more)]), $invalid, 'what is signed must be there');
is(judged(change => sub { $_[0] =~ s/(Authorization: [^\r]*)\r\n/$1\r\n$1\r\n/r }), $incomplete, 'two signatures');
is(judged(change => sub { $_[0] =~ s/(X-Amz-Target: [^\r]*)\r\n/$1\r\n$1\r\n/r }), '400 UnknownOperationException', 'two targets');

# ---- the body's hash ----

my $hash = Digest::SHA::sha256_hex('{"maxResults":5}');
is(judged(headers => { 'X-Amz-Content-Sha256' => $hash }), '200', 'a body\'s hash');
is(judged(headers => { 'X-Amz-Content-Sha256' => $hash =~ tr/0-9a-f/1-9a-f0/r }), $invalid, 'that of another');
is(judged(headers => { 'X-Amz-Content-Sha256' => $_ }), $invalid, $_)
  foreach qw(UNSIGNED-PAYLOAD STREAMING-AWS4-HMAC-SHA256-PAYLOAD STREAMING-UNSIGNED-PAYLOAD-TRAILER);

# ---- each character of the signature's header ----

my ($header) = wire_text($key, 'ListPipelines', { maxResults => 5 }, time => $now) =~ /^Authorization: ([^\r]*)/m;
my $connection = connect_to($node, port => api_port_of($node));
my %verdicts;
foreach my $at (0 .. length($header) - 1)
{
	foreach my $other (grep { $_ ne substr $header, $at, 1 } '0', 'f', ',')
	{
		$connection->send_text(wire_text($key, 'ListPipelines', { maxResults => 5 },
			time => $now, change => sub {
				my ($text) = @_;
				$text =~ s{^(Authorization: .{$at})(.)}{$1$other}m;
				return $text;
			}));
		my $answer = $connection->read_answer;
		$verdicts{ verdict($answer) }++;
		$connection = connect_to($node, port => api_port_of($node))
		  if ($answer->{headers}{connection} // '') eq 'close';
	}
}
note(join ', ', map { "$verdicts{$_} $_" } sort keys %verdicts);
is_deeply([ grep { !/^400 (IncompleteSignature|InvalidSignature|UnrecognizedClient)Exception$/ } keys %verdicts ],
	[], 'no change of a character passes');

# ---- a URL that was signed beforehand ----

sub presigned
{
	my (%options) = @_;
	my $time = $options{time} // $now;
	my $instant = Sigv4::strftime('%Y%m%dT%H%M%SZ', gmtime $time);
	my $scope = substr($instant, 0, 8) . '/us-east-1/codepipeline/aws4_request';
	my $expires = $options{expires} // 60;
	my $query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" . join('%2F', $key->{key}, split m{/}, $scope)
	  . "&X-Amz-Date=$instant&X-Amz-Expires=$expires&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-target";
	my %headers = Sigv4::sign_request(%$key, host => 'localhost', body => '{}', query => $query, time => $time,
		headers => { 'X-Amz-Target' => 'CodePipeline_20150709.ListPipelines' },
		signed => [qw(content-type host x-amz-target)]);
	my ($signature) = $headers{Authorization} =~ /Signature=(.*)/;

	$query .= "&X-Amz-Signature=$signature";
	$query = $options{change}->($query) if $options{change};
	return verdict(connect_to($node, port => api_port_of($node))->request(POST => "/?$query", body => $options{body} // '{}',
		type => 'application/x-amz-json-1.1', headers => [ 'X-Amz-Target' => $headers{'X-Amz-Target'} ]));
}

is(presigned(), '200', 'a URL signed beforehand');
is(presigned(time => $now - 3000, expires => 3600), '200', 'is good for as long as it says');
is(presigned(time => $now - 4000, expires => 3600), $invalid, 'and no longer');
is(presigned(expires => 604801), $incomplete, 'a week at most');
is(presigned(body => '{ }'), $invalid, 'its body is signed');
is(presigned(change => sub { $_[0] =~ s/Expires=60/Expires=61/r }), $invalid, 'and so is its end');

is(judged(), '200', 'after all that a signed call still passes');
$node->stop;
done_testing();
