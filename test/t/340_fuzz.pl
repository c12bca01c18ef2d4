# 340_fuzz: some thousand mutated requests. test/fuzz/http says what is watched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;

my $secret = 'correct horse';
my $node = start_receivers('fuzz', settings => {
	rejections_per_minute => 1000000, request_timeout => '3s', keepalive_timeout => '3s', max_body_size => '1MB', lock_timeout => '30s', batch_timeout => '30s' });

create_pipeline($node, 'pipeline');
my $base = 'http://127.0.0.1:' . port_of($node);
my $open = put_webhook($node, 'open');
my $hmac = put_webhook($node, 'hmac', secret => $secret);
my @run = ("$FindBin::RealBin/../fuzz/http", '--open', "$base$open", '--hmac', "$base$hmac", '--secret', $secret,
	'--database', $node->connstr('postgres'), '--requests', $ENV{CPW_FUZZ_REQUESTS} // 3000, '--seed', $ENV{CPW_FUZZ_SEED} // 1);

open my $fuzz, '-|', @run or die "$run[0]: $!\n";
my @output = <$fuzz>;
close $fuzz;
is($?, 0, 'nothing failed') or diag @output;
note @output;
like($output[-1], qr/^[1-9]\d* requests, 0 failures$/, 'its last line says so');

# A run in which nothing gets through would prove nothing.
foreach my $case ([ 'open', 'triggered' ], [ 'open', 'rejected' ], [ 'hmac', 'triggered' ], [ 'hmac', 'rejected' ])
{
	my ($webhook, $outcome) = @$case;

	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE webhook = '$webhook' AND outcome = '$outcome'"),
		'>', 0, "some were $outcome on $webhook");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM cp_webhook.executions'),
	$node->safe_psql('postgres', "SELECT count(*) FROM cp_webhook.deliveries WHERE outcome = 'triggered'"),
	'as many executions as triggered deliveries');
unlike(log_since($node, 0), qr/FATAL|PANIC|terminated by signal|ERROR/, 'nothing went wrong inside');

done_testing();
