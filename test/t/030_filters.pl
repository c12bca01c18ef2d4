# 030_filters: which deliveries trigger, and that a changed definition counts
# from the next POST on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Test::More;
use Time::HiRes qw(time);

my $node = start_receivers('filters');
my $pids = join ' ', worker_pids($node);

create_pipeline($node, 'pipeline', Branch => 'main', Owner => 'octo-org', Empty => '{}', Number => '1.0');

sub value
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub last_reason
{
	return value('SELECT reason FROM cp_webhook.deliveries ORDER BY id DESC LIMIT 1');
}

# Puts a webhook with these filters and posts the body; the reason where it is
# ignored, "triggered" where it is not.
sub outcome
{
	my ($filters, $body, %options) = @_;
	my $path = put_webhook($node, 'filtered', filters => $filters);
	my $answer = post($node, $path . ($options{query} // ''), $body, %options);

	return $answer->{json}{status} if $answer->{json}{status} ne 'ignored';
	return last_reason();
}

sub path_filter
{
	my ($path, $wanted) = @_;
	return { jsonPath => $path, defined $wanted ? (matchEquals => $wanted) : () };
}

# ---------------------------------------------------------------------------
note 'values';

my $body = '{"zero":0,"huge":1e20000,"tiny":1e-16383,"one":"1.0","text":"null","many":[1,2,3,4,5,6,7],"line":"a\nb\"","ref":"refs/heads/main","n":1,"e":1e2,"f":1.50,"yes":true,"no":false,"nil":null,"o":{"a":[1,"two",{"b":"deep"}]},'
  . '"empty":"","list":["x","y"],"commits":[{"id":"a1","files":["src/a.c"]},{"id":"b2","files":["doc/b"]}]}';

foreach my $case (
	# path, matchEquals, the outcome
	[ '$.ref', 'refs/heads/main', 'triggered' ],
	[ '$.ref', 'refs/heads/mai', 'filter 1: $.ref is "refs/heads/main", wanted "refs/heads/mai"' ],
	[ '$.ref', 'refs/heads/main ', 'filter 1: $.ref is "refs/heads/main", wanted "refs/heads/main "' ],
	[ '$.ref', 'REFS/heads/main', 'filter 1: $.ref is "refs/heads/main", wanted "REFS/heads/main"' ],
	[ '$.ref', undef, 'triggered' ],
	[ '$.nothing', undef, 'filter 1: $.nothing selects nothing' ],
	[ '$.nothing', 'x', 'filter 1: $.nothing selects nothing, wanted "x"' ],
	[ '$.ref.deeper', undef, 'filter 1: $.ref.deeper selects nothing' ],
	[ '$.n', '1', 'triggered' ],
	[ '$.n', '1.0', 'triggered' ],
	[ '$.n', '01', 'filter 1: $.n is 1, wanted "01"' ],
	[ '$.n', ' 1', 'filter 1: $.n is 1, wanted " 1"' ],
	[ '$.n', '2', 'filter 1: $.n is 1, wanted "2"' ],
	[ '$.n', 'NaN', 'filter 1: $.n is 1, wanted "NaN"' ],
	[ '$.n', '1e999999999', 'filter 1: $.n is 1, wanted "1e999999999"' ],
	[ '$.n', '1e131072', 'filter 1: $.n is 1, wanted "1e131072"' ],
	[ '$.n', '1e-99999', 'filter 1: $.n is 1, wanted "1e-99999"' ],
	[ '$.n', '10e-1', 'triggered' ],
	[ '$.n', '0.1e+00000001', 'triggered' ],
	[ '$.n', '1E0', 'triggered' ],
	[ '$.n', '+1', 'filter 1: $.n is 1, wanted "+1"' ],
	[ '$.n', '.1e1', 'filter 1: $.n is 1, wanted ".1e1"' ],
	[ '$.n', '1.', 'filter 1: $.n is 1, wanted "1."' ],
	[ '$.n', '1e', 'filter 1: $.n is 1, wanted "1e"' ],
	[ '$.n', '0x1', 'filter 1: $.n is 1, wanted "0x1"' ],
	[ '$.zero', '-0', 'triggered' ],
	[ '$.zero', '0.00', 'triggered' ],
	[ '$.huge', '1e20000', 'triggered' ],
	[ '$.huge', '10e19999', 'triggered' ],
	[ '$.tiny', '1e-16383', 'triggered' ],
	[ '$.tiny', '1e-16384', qr/^filter 1: \$\.tiny is 0\.0{58}\.\.\., wanted "1e-16384"$/ ],
	[ '$.one', '1', 'filter 1: $.one is "1.0", wanted "1"' ],
	[ '$.one', '1.0', 'triggered' ],
	[ '$.e', '100', 'triggered' ],
	[ '$.f', '1.5', 'triggered' ],
	[ '$.yes', 'true', 'triggered' ],
	[ '$.yes', 'True', 'filter 1: $.yes is true, wanted "True"' ],
	[ '$.no', 'false', 'triggered' ],
	[ '$.no', undef, 'triggered' ],
	[ '$.nil', 'null', 'triggered' ],
	[ '$.nil', undef, 'triggered' ],
	[ '$.nil', 'Null', 'filter 1: $.nil is null, wanted "Null"' ],
	[ '$.text', 'null', 'triggered' ],
	[ '$.o', '{"a":[1,"two",{"b":"deep"}]}', 'filter 1: $.o is an object or array, wanted "{\"a\":[1,\"two\",{\"b\":\"deep\"}]}"' ],
	[ '$.list', 'x', 'filter 1: $.list is an object or array, wanted "x"' ],
	[ '$.o.a[*]', 'two', 'triggered' ],
	[ '$.o.a[*]', '1.0', 'triggered' ],
	[ '$.o.a[*]', 'b', 'filter 1: $.o.a[*] is 1, "two", an object or array, wanted "b"' ],
	[ '$.many[*]', '7', 'triggered' ],
	[ '$.many[*]', '8', 'filter 1: $.many[*] is 1, 2, 3 and 4 more, wanted "8"' ],
	[ '$.line', 'x', 'filter 1: $.line is "a\nb\"", wanted "x"' ],
	[ '$.line', qq(a\nb"), 'triggered' ],
	[ '$.o', '{}', 'filter 1: $.o is an object or array, wanted "{}"' ],
	[ '$.o', undef, 'triggered' ],
	[ '$.o.a[2].b', 'deep', 'triggered' ],
	[ '$.list[*]', 'y', 'triggered' ],
	[ '$.list[*]', 'z', 'filter 1: $.list[*] is "x", "y", wanted "z"' ],
	[ '$.list[last]', 'y', 'triggered' ],
	[ '$.commits[*].id', 'b2', 'triggered' ],
	[ '$.commits[*] ? (@.id starts with "b")', undef, 'triggered' ],
	[ '$.commits[*] ? (@.id starts with "c")', undef, 'filter 1: $.commits[*] ? (@.id starts with "c") selects nothing' ],
	[ '$.commits[*].files[*] ? (@ like_regex "^src/")', undef, 'triggered' ],
	[ '$.**.b', 'deep', 'triggered' ],
	[ 'strict $.ref', 'refs/heads/main', 'triggered' ],
	[ 'strict $.nothing', undef, 'filter 1: strict $.nothing selects nothing' ],
	[ '$.commits.size()', '2', 'triggered' ],
	[ '$', undef, 'triggered' ],
	[ '$.list[-1]', 'y', 'triggered' ],
	[ '$.commits.id', 'b2', 'filter 1: $.commits.id selects nothing, wanted "b2"' ],
	[ '$..b', 'deep', 'triggered' ],
	[ '$..a', 'none', 'filter 1: $..a is an object or array, wanted "none"' ],
	[ '$.o..*', 'none', 'filter 1: $.o..* is an object or array, 1, "two" and 2 more, wanted "none"' ],
	[ '$..nothing', 'none', 'filter 1: $..nothing selects nothing, wanted "none"' ],
	[ '$..o', undef, 'triggered' ],
	[ '$..nothing', undef, 'filter 1: $..nothing selects nothing' ],
	[ '$..*', '150', 'filter 1: $..* is 100, 1.5, 1 and 37 more, wanted "150"' ],
	[ 'strict $.o.**{1 to last}.type()', 'array', 'triggered' ],
	[ '($.o.**.b)', 'deep', 'triggered' ],
	[ q($['n','ref']), 'refs/heads/main', 'triggered' ],
	[ q($.commits[?(@.id == 'b2')]), undef, 'triggered' ],
	[ q($.commits[?(@.id == 'c3')]), undef, q(filter 1: $.commits[?(@.id == 'c3')] selects nothing) ],
	[ q($.commits[?@.id =~ /B.*/i].id), 'b2', 'triggered' ],
	[ q($.commits[?search(@.id, '^a') && length(@.id) > 1].id), 'a1', 'triggered' ],
	[ q($.commits[?@.files[?search(@, '^src/')]]), undef, 'triggered' ],

	# What a payload alone can tell may be an error, never a wrong answer.
	[ '$.commits.length()', '2', 'triggered' ],
	[ '$.o.length()', undef, 'filter cannot be evaluated: could not find jsonpath variable "length() of an object cannot be expressed"' ],

	# A condition must hold.
	[ '$.n == 1', undef, 'triggered' ],
	[ '$.n == 2', undef, 'filter 1: $.n == 2 is false' ],
	[ '$.ref > 1', undef, 'filter 1: $.ref > 1 is null' ],
	[ '$.n > 0 && $.yes == true', undef, 'triggered' ],
	[ '!($.n == 1)', undef, 'filter 1: !($.n == 1) is false' ],
	[ 'exists($.nothing)', undef, 'filter 1: exists($.nothing) is false' ],
	[ '$.ref starts with "refs/tags/"', undef, 'filter 1: $.ref starts with "refs/tags/" is false' ],
	[ '$.n == 2', 'false', 'triggered' ],

	# What an error in a path selects is nothing.
	[ '$.n / 0', undef, 'filter 1: $.n / 0 selects nothing' ],
	[ '$.ref.double()', undef, 'filter 1: $.ref.double() selects nothing' ],
	[ 'strict $.list[7]', undef, 'filter 1: strict $.list[7] selects nothing' ])
{
	my ($path, $wanted, $expected) = @$case;

	my $outcome = outcome([ path_filter($path, $wanted) ], $body);
	my $what = $path . (defined $wanted ? " = $wanted" : '');

	if (ref $expected)
	{
		like($outcome, $expected, $what);
	}
	else
	{
		is($outcome, $expected, $what);
	}
}
is(outcome([], '"anything"'), 'triggered', 'no filters: everything passes');
is(outcome([ path_filter('$', '3') ], '3'), 'triggered', 'a scalar');
is(outcome([ path_filter('$.m', "\x{1f389}") ], qq({"m":"\xf0\x9f\x8e\x89"})), 'triggered', 'an emoji');
like(outcome([ path_filter('$.m', 'x') ], '{"m":"' . "\xc3\xa9" x 5000 . '"}'), qr/^filter 1: \$\.m is ".{1,70}\.\.\.", wanted "x"$/s,
	'a reason shows a part of a long value');
is(outcome([ path_filter('$.a') ], '[{"a":1}]'), 'filter 1: $.a selects nothing', 'a JSONPath looks into arrays only where it says so');
is(outcome([ path_filter('lax $.a') ], '[{"a":1}]'), 'triggered', 'lax paths of PostgreSQL look into them');

# All must pass, and the first that does not is named.
my @two = (path_filter('$.ref', 'refs/heads/main'), path_filter('$.n', '1'));
is(outcome([@two], $body), 'triggered', 'two filters that pass');
is(outcome([ @two, path_filter('$.x') ], $body), 'filter 3: $.x selects nothing', 'two that pass and one that does not');
is(outcome([ path_filter('$.x'), @two ], $body), 'filter 1: $.x selects nothing', 'the first does not');

# ---------------------------------------------------------------------------
note 'headers and query';

is(outcome([ path_filter('$headers."x-github-event"', 'push') ], '{}', event => 'push'), 'triggered', '$headers');
is(outcome([ path_filter('$headers."x-github-event"', 'push') ], '{}', event => 'star'),
	'filter 1: $headers."x-github-event" is "star", wanted "push"', '$headers of another event');
is(outcome([ path_filter('$headers."X-GitHub-Event"') ], '{}', event => 'push'),
	'filter 1: $headers."X-GitHub-Event" selects nothing', 'names are in lower case');
is(outcome([ path_filter('$headers.authorization', '****') ], '{}', headers => [ 'Authorization', 'Bearer abc' ]),
	'triggered', 'a secret header is ****');
is(outcome([ path_filter('$headers.authorization', 'Bearer abc') ], '{}', headers => [ 'Authorization', 'Bearer abc' ]),
	'filter 1: $headers.authorization is "****", wanted "Bearer abc"', 'its value cannot be probed');
is(outcome([ path_filter('$.a == $headers."x-a"') ], '{"a":"b"}', headers => [ 'X-A', 'b' ]), 'triggered', '$headers beside the body');
is(outcome([ path_filter('$query.env', 'prod') ], '{}', query => '?env=prod&x=1'), 'triggered', '$query');
is(outcome([ path_filter('$query.env', 'prod') ], '{}', query => '?env=test'), 'filter 1: $query.env is "test", wanted "prod"', '$query that differs');
is(outcome([ path_filter('$query.env', 'a b&c') ], '{}', query => '?env=a+b%26c'), 'triggered', '$query is decoded');
is(outcome([ path_filter('$query.env') ], '{}'), 'filter 1: $query.env selects nothing', 'no query');
like(try_call($node, 'put_webhook', webhook_request('filtered', filters => [ path_filter('$unknown.x') ])),
	qr/CP003: InvalidWebhookFilterPatternException/, 'an unknown variable is refused by put_webhook');

# ---------------------------------------------------------------------------
note 'placeholders';

is(outcome([ path_filter('$.ref', 'refs/heads/{Branch}') ], $body), 'triggered', 'a placeholder');
is(outcome([ path_filter('$.ref', '{Owner}/{Branch}') ], '{"ref":"octo-org/main"}'), 'triggered', 'two of them');
is(outcome([ path_filter('$.ref', '{Empty}') ], '{"ref":"{}"}'), 'triggered', 'a value is not looked at again');
is(outcome([ path_filter('$.ref', '{not one}') ], '{"ref":"{not one}"}'), 'triggered', 'other braces are text');
foreach my $case (
	# matchEquals, the value that it equals
	[ 'a{Branch}b{Owner}c{Branch}', 'amainbocto-orgcmain' ],
	[ '{Branch}{Branch}', 'mainmain' ],
	[ '{{Branch}}', '{main}' ],
	[ '{Branch', '{Branch' ],
	[ 'Branch}', 'Branch}' ],
	[ '{}', '{}' ],
	[ '{ Branch }', '{ Branch }' ],
	[ '{Branch}}', 'main}' ],
	[ '${Branch}', '$main' ],
	[ '{"Branch"}', '{"Branch"}' ])
{
	my ($wanted, $equals) = @$case;

	is(outcome([ path_filter('$.ref', $wanted) ], JSON::PP->new->encode({ ref => $equals })), 'triggered', "$wanted is $equals");
	isnt(outcome([ path_filter('$.ref', $wanted) ], '{"ref":"main"}'), 'triggered', "$wanted is not main");
}
is(outcome([ path_filter('$.ref', '{Number}') ], '{"ref":1}'), 'triggered', 'a placeholder that stands for a number');
is(outcome([ path_filter('$.m', "e\x{301}") ], qq({"m":"\xc3\xa9"})), qq(filter 1: \$.m is "\xc3\xa9", wanted "e\xcc\x81"),
	'characters that look alike are not equal');
like(try_call($node, 'put_webhook', webhook_request('filtered', filters => [ path_filter('$.ref', '{Missing}') ])),
	qr/CP003: InvalidWebhookFilterPatternException/, 'a key that the configuration lacks is refused by put_webhook');

my $branch = put_webhook($node, 'branch', filters => [ path_filter('$.ref', 'refs/heads/{Branch}') ]);
is(post($node, $branch, $body)->{json}{status}, 'triggered', 'Branch is main');
update_pipeline($node, 'pipeline', Branch => 'develop', Owner => 'octo-org');
is(post($node, $branch, $body)->{json}{status}, 'ignored', 'after an update of the pipeline it is not');
is(last_reason(), 'filter 1: $.ref is "refs/heads/main", wanted "refs/heads/develop"', 'the reason shows what is wanted now');
is(post($node, $branch, '{"ref":"refs/heads/develop"}')->{json}{status}, 'triggered', 'but develop');
is(value('SELECT version FROM cp_webhook.executions ORDER BY id DESC LIMIT 1'), 2, 'an execution of the new version');
update_pipeline($node, 'pipeline', Owner => 'octo-org');
is(post($node, $branch, $body)->{json}{status}, 'ignored', 'without Branch nothing matches');
is(last_reason(), 'filter 1: action "Source" has no configuration "Branch"', 'and the reason says so');
isnt(value("SELECT error_code FROM cp_webhook.webhooks WHERE name = 'branch'"), '', 'so does the webhook');
update_pipeline($node, 'pipeline', Branch => 'main', Owner => 'octo-org');
is(post($node, $branch, $body)->{json}{status}, 'triggered', 'with Branch it does again');
is(value("SELECT error_code FROM cp_webhook.webhooks WHERE name = 'branch'"), '', 'and the webhook is well');

# ---------------------------------------------------------------------------
note 'a filter that is too slow';

# Every number is compared with every other one.
set_settings($node, filter_timeout => '100ms');
my $slow = put_webhook($node, 'slow', filters => [ path_filter('$.a[*] ? (@ == $.a[*] && @ < 0)') ]);
my $rows = value('SELECT count(*) FROM cp_webhook.deliveries');
my $start = time;
my $answer = post($node, $slow, '{"a":[' . join(',', 1 .. 20_000) . ']}', id => 'slow');
is($answer->{status}, 503, 'a filter that is too slow: 503');
is($answer->{json}{error}, 'unavailable', 'unavailable');
like($answer->{headers}{'retry-after'}, qr/^[1-9]/, 'with Retry-After');
cmp_ok(time - $start, '<', 5, 'it is interrupted');
is(value('SELECT count(*) FROM cp_webhook.deliveries'), $rows, 'it is not recorded');
is(post($node, $slow, '{"a":[1,2]}')->{json}{status}, 'ignored', 'the same filter on a small body');
my $regex = put_webhook($node, 'regex', filters => [ path_filter('$.a ? (@ like_regex "^(a|aa|b?a)*(\\\\1x|c)\\\\1$")') ]);
$answer = post($node, $regex, '{"a":"' . 'a' x 3000 . '"}');
ok($answer->{status} == 503 || $answer->{json}{status} eq 'ignored', 'a regular expression that backtracks');
is(outcome([], '{}'), 'triggered', 'the receivers go on');
is(join(' ', worker_pids($node)), $pids, 'they are the same as before');
set_settings($node, filter_timeout => undef);

# ---------------------------------------------------------------------------
note 'a put is live at once';

# Alternately that and the other, on kept connections to both receivers.
my @connections = connect_to_each($node);
my $path = put_webhook($node, 'live');
my $psql = $node->background_psql('postgres');
my $wrong = 0;

sub put_statement
{
	my ($wanted) = @_;
	return q[SELECT cp_webhook.put_webhook('{"webhook":{"name":"live","targetPipeline":"pipeline","targetAction":"Source",]
	  . qq["filters":[{"jsonPath":"\$.v","matchEquals":"$wanted"}],]
	  . q["authentication":"UNAUTHENTICATED","authenticationConfiguration":{}}}') IS NOT NULL];
}
foreach my $n (1 .. 100)
{
	$psql->query_safe(put_statement($n));
	foreach my $connection (@connections)
	{
		my $old = $n - 1;

		$wrong++ if $connection->request(POST => $path, body => qq({"v":$n}))->{json}{status} ne 'triggered';
		$wrong++ if $connection->request(POST => $path, body => qq({"v":$old}))->{json}{status} ne 'ignored';
	}
}
is($wrong, 0, '100 puts, each seen by the next POST on both receivers');

# What is not committed is not seen; a rollback changes nothing.
$psql->query_safe('BEGIN');
$psql->query_safe(put_statement('later'));
is($_->request(POST => $path, body => '{"v":100}')->{json}{status}, 'triggered', 'a put in an open transaction') foreach @connections;
$psql->query_safe('ROLLBACK');
is($_->request(POST => $path, body => '{"v":100}')->{json}{status}, 'triggered', 'after its rollback') foreach @connections;
$psql->query_safe('BEGIN');
$psql->query_safe(put_statement('later'));
$psql->query_safe('COMMIT');
is($_->request(POST => $path, body => '{"v":"later"}')->{json}{status}, 'triggered', 'after a commit') foreach @connections;

# By hand in the tables, too.
$psql->query_safe(q{UPDATE cp_webhook.webhook_definitions SET filters = '[]' WHERE name = 'live'});
is($_->request(POST => $path, body => '{"v":0}')->{json}{status}, 'triggered', 'an UPDATE of the table is seen') foreach @connections;

# The secret and the kind of authentication.
put_webhook($node, 'live', secret => 'old');
is($_->request(POST => $path, body => '{}', secret => 'old')->{status}, 200, 'authentication is changed at once') foreach @connections;
is($_->request(POST => $path, body => '{}')->{status}, 401, 'unsigned ones are refused') foreach @connections;
@connections = connect_to_each($node);
put_webhook($node, 'live', secret => 'new');
is($_->request(POST => $path, body => '{}', secret => 'new')->{status}, 200, 'so is the secret') foreach @connections;
is($_->request(POST => $path, body => '{}', secret => 'old')->{status}, 401, 'the old one is void') foreach @connections;

# A definition that changes while a body is read counts as it is at the end.
my $slow_body = connect_to($node);
my $text = request_text(POST => $path, body => '{}', secret => 'newest');
$slow_body->send_text(substr $text, 0, -1);
wait_until_read($slow_body);
put_webhook($node, 'live', secret => 'newest');
$slow_body->send_text(substr $text, -1);
is($slow_body->read_answer->{json}{status}, 'triggered', 'a body that was under way sees the new secret');
$slow_body->send_text(substr $text, 0, -1);
wait_until_read($slow_body);
call($node, 'delete_webhook', { name => 'live' });
$slow_body->send_text(substr $text, -1);
is($slow_body->read_answer->{status}, 404, 'a webhook that is deleted meanwhile: 404');

# The same with whom it lets in.
$path = put_webhook($node, 'live');
$slow_body = connect_to($node);
$text = request_text(POST => $path, body => '{}');
$slow_body->send_text(substr $text, 0, -1);
wait_until_read($slow_body);
put_webhook($node, 'live', range => '192.0.2.0/24');
$slow_body->send_text(substr $text, -1);
is($slow_body->read_answer->{status}, 403, 'a webhook that takes no more requests from there: 403');

# ---------------------------------------------------------------------------
note 'delete';

@connections = connect_to_each($node);
$path = put_webhook($node, 'gone');
is($_->request(POST => $path, body => '{}')->{json}{status}, 'triggered', 'before') foreach @connections;
call($node, 'delete_webhook', { name => 'gone' });
is($_->request(GET => $path)->{status}, 404, 'deleted: 404 at once') foreach @connections;
@connections = connect_to_each($node);
is($_->request(POST => $path, body => '{}')->{status}, 404, 'deleted: POST too') foreach @connections;
my $again = put_webhook($node, 'gone');
isnt($again, $path, 'put again: another URL');
is(post($node, $again, '{}')->{json}{status}, 'triggered', 'which works');
is(post($node, $path, '{}')->{status}, 404, 'and the old one does not');

# An unknown URL that was asked for becomes a known one.
my $token = 'T' x 43;
@connections = connect_to_each($node);
is($_->request(GET => "/trigger/$token")->{status}, 404, 'nothing is known there') foreach @connections;
$psql->query_safe("UPDATE cp_webhook.webhook_definitions SET token = '$token' WHERE name = 'gone'");
is($_->request(POST => "/trigger/$token", body => '{}')->{json}{status}, 'triggered', 'what was unknown is not so for ever')
  foreach @connections;

@connections = connect_to_each($node);
$path = put_webhook($node, 'orphan', filters => [ path_filter('$.a') ]);
is($_->request(POST => $path, body => '{"a":1}')->{json}{status}, 'triggered', 'with its pipeline') foreach @connections;
call($node, 'delete_pipeline', { name => 'pipeline' });
is($_->request(POST => $path, body => '{"a":1}')->{json}{status}, 'ignored', 'the pipeline deleted: ignored') foreach @connections;
is(last_reason(), 'pipeline not found', 'and the reason says why');
is(value("SELECT error_code FROM cp_webhook.webhooks WHERE name = 'orphan'"), 'PipelineNotFoundException', 'so does the webhook');
create_pipeline($node, 'pipeline', Branch => 'main');
is($_->request(POST => $path, body => '{"a":1}')->{json}{status}, 'triggered', 'the pipeline made again') foreach @connections;

# TRUNCATE fires no row trigger.
$psql->query_safe('TRUNCATE cp_webhook.webhook_definitions');
is($_->request(POST => $path, body => '{"a":1}')->{status}, 404, 'after a TRUNCATE') foreach @connections;
$psql->quit;
is(join(' ', worker_pids($node)), $pids, 'the receivers are the same as before');

done_testing();
