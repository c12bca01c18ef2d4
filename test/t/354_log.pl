# What the log hears of a failure that lasts: enough, and not a line a request,
# for anybody can send requests.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Faults;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

prepare_faults() or plan skip_all => 'there is no C compiler';

my $node = start_receivers('main', settings => { workers => 1 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
my $number = 0;

# So many requests, all of which are answered 503.
sub fail
{
	my ($what, $count, $method, $target) = @_;
	my $failed = grep {
		my $answer = $method eq 'POST' ? try_post($node, $target, '{}', id => 'log-' . ++$number) : try_get($node, $target);
		$answer->{status} == 503
	} 1 .. $count;

	is($failed, $count, "$what: 503");
	return;
}

sub lines
{
	my ($position, $pattern) = @_;
	return scalar(() = log_since($node, $position) =~ /$pattern/g);
}

# ---- deliveries ----

my $position = log_position($node);
my $refused = qr/could not record a batch of 1 deliveries, they are tried apart: none today/;
$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'none today'; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION refuse();});
fail('a trigger that raises', 60, POST => $path);
is(lines($position, $refused), 10, 'of sixty failures the log has the first ten');
is($node->safe_psql('postgres', 'SELECT last_error FROM cp_webhook.stats() WHERE pid IS NOT NULL'), 'none today',
	'last_error of stats() has the last');
pass_time(10);
$position = log_position($node);
fail('ten seconds later', 5, POST => $path);
is(lines($position, $refused), 1, 'the log has one more');
like(log_since($node, $position), qr/$refused\n[^\n]*DETAIL:  50 more failures of this kind were not logged\./, 'and tells how many it has not');

# ---- another kind ----

$node->safe_psql('postgres', 'DROP FUNCTION refuse() CASCADE; CREATE ROLE stranger');
set_settings($node, role => 'stranger');
$position = log_position($node);
fail('a role without rights', 40, POST => '/trigger/' . 'A' x 43);
is(lines($position, qr/failed while loading webhooks: permission denied/), 10, 'another kind is told, ten times as well, whatever the URL');
fail('/healthz', 20, GET => '/healthz');
is(lines($position, qr/permission denied/), 10, '/healthz adds none of the same kind');
set_settings($node, role => '');
is(try_post($node, $path, '{}', id => 'log-1')->{json}{status}, 'triggered', 'what failed triggers when its cause is gone');
$node->stop;

done_testing();
