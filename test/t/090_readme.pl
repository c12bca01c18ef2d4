# 090_readme: what README.md tells a reader to type works as it stands. Every
# fenced sql and sh block is run in the order of the page, on one server; only
# those under "<!-- run by .ci/run -->" (make, make demo ...) are run there. And
# what it says of settings, functions and columns is what there is.

use strict;
use warnings;

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The fenced blocks: { language, line, text, elsewhere }; elsewhere is the name of
# the file whose text it is, or 1, where the block is not to be run here.
sub read_blocks
{
	my ($file) = @_;
	my (@blocks, $block, $elsewhere);

	open(my $in, '<', $file) or die "$file: $!";
	while (my $line = <$in>)
	{
		if ($block)
		{
			if ($line =~ /^```/)
			{
				push @blocks, $block;
				undef $block;
			}
			else
			{
				$block->{text} .= $line;
			}
		}
		elsif ($line =~ /^```(\w*)/)
		{
			$block = {
				language => $1,
				line => $.,
				text => '',
				elsewhere => $elsewhere
			};
			$elsewhere = 0;
		}
		elsif ($line =~ /\S/)
		{
			$elsewhere = $line =~ /^<!-- run by \.ci\/run -->$/
			  ? 1
			  : $line =~ /^<!-- the text of (\S+) -->$/ ? $1 : 0;
		}
	}
	close $in;
	die "$file: a block is not closed" if $block;
	return @blocks;
}

# The rows of the tables under a heading, as lists of cells without marks.
sub read_tables
{
	my ($heading) = @_;
	my ($inside, @rows);

	foreach my $line (split(/\n/, slurp_file('README.md')))
	{
		$inside = $1 eq $heading if $line =~ /^## (.*)/;
		next if !$inside || $line !~ /^\| `/;
		my @cells = split(/\s*(?<!\\)\|\s*/, $line);
		shift @cells;
		push @rows, \@cells;
	}
	return @rows;
}

# The words between backquotes of a cell.
sub names
{
	return $_[0] =~ /`([^`]*)`/g;
}

sub lines_of
{
	return split(/\n/, $_[0]);
}

# Before any block: the page's settings and their defaults, functions, columns.
sub check_tables
{
	my ($node) = @_;
	my %settings = map { (names($_->[0]))[0] => (names($_->[1]))[0] // '' }
	  read_tables('Settings');

	# Two are this test's own.
	delete $settings{$_} for ('cp_webhook.port', 'cp_webhook.public_url');
	is_deeply(
		[ map { "$_=$settings{$_}" } sort keys %settings ],
		[
			lines_of(
				$node->safe_psql('postgres', <<'SQL'))
LOAD 'cp_webhook';
SELECT name || '=' || current_setting(name) FROM pg_settings
WHERE name LIKE 'cp_webhook.%'
AND name NOT IN ('cp_webhook.port', 'cp_webhook.public_url')
ORDER BY name COLLATE "C";
SQL
		],
		'the settings and their defaults are those of the page');

	# "All but `database` and `workers` (which need a restart) ..."
	my ($fixed) = slurp_file('README.md') =~ /^In `postgresql\.conf` .* All but ([^(]*) \(which need a restart\)/m;
	is_deeply(
		[ map { "cp_webhook.$_" } sort(names($fixed)) ],
		[
			lines_of(
				$node->safe_psql('postgres', <<'SQL'))
LOAD 'cp_webhook';
SELECT name FROM pg_settings WHERE name LIKE 'cp_webhook.%' AND context <> 'sighup' ORDER BY name COLLATE "C";
SQL
		],
		'the settings that need a restart are those of the page');

	$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
	my @operations = map { /^(\w+)$/ ? $1 : () }
	  map { names($_->[0]) } read_tables('Operations');
	is_deeply(
		[ sort grep { /^[a-z]/ } @operations ],
		[
			lines_of(
				$node->safe_psql('postgres', <<'SQL'))
SELECT proname FROM pg_proc WHERE pronamespace = 'cp_webhook'::regnamespace
AND prorettype = 'jsonb'::regtype AND proargtypes[0] = 'jsonb'::regtype
ORDER BY proname COLLATE "C";
SQL
		],
		'the operations are those of the page');

	foreach my $row (read_tables('Views and tables'))
	{
		my ($object) = names($row->[0]);
		my %columns = map { $_ => 1 } split(
			/\|/,
			(lines_of($node->safe_psql('postgres',
					"\\pset tuples_only off\nSELECT * FROM cp_webhook.$object"))
			)[0]);
		# "the columns of `executions` (its `id` as ...)" are no columns.
		my @columns =
		  grep { $object ne 'trigger_events' || !/^(executions|id)$/ }
		  names($row->[2]);
		is_deeply([ grep { !$columns{$_} } @columns ],
			[], "the page's columns of $object are there");
	}

	# expected/14_roles.out is what a server says.
	my $page = slurp_file('README.md');
	is_deeply(
		[ grep { /^\| `/ } lines_of($page =~ /^## Roles\n(.*?)^## /ms) ],
		[ grep { /^\| `/ } lines_of(slurp_file('expected/14_roles.out')) ],
		'the privileges of the roles are those of the page');
	$node->safe_psql('postgres', 'DROP EXTENSION cp_webhook');
}

# The anchor that a heading gets.
sub anchor_of
{
	my ($heading) = @_;

	$heading = lc($heading =~ s/[`?]//gr);
	return $heading =~ tr/ /-/r;
}

# The contents, the links, and what is to be installed by hand.
sub check_page
{
	my $page = slurp_file('README.md') =~ s/^```.*?^```$//msgr;
	my %anchors = map { anchor_of($_) => 1 } $page =~ /^#+ (.*)$/mg;
	my ($contents) = $page =~ /\n\n(- \*\*Begin\*\*.*?)\n\n/s;

	is_deeply([ sort($contents =~ /\]\(#([^)]*)\)/g) ],
		[ sort map { anchor_of($_) } $page =~ /^## (.*)$/mg ],
		'the contents of the page are its headings');
	foreach my $link ($page =~ /\]\(([^):]*)\)/g)
	{
		ok($link =~ /^#(.*)/ ? $anchors{$1} : -e $link =~ s/#.*//r, "there is $link");
	}
	# The packages that are needed whatever is to be done.
	my ($needed) = slurp_file('test/setup') =~ /^(  need gcc .*?)^  need openssl /ms;
	my ($installation) = $page =~ /^## Installation\n(.*?)^## /ms;
	is_deeply([ grep { $installation !~ /[ `]\Q$_\E[ `]/ } $needed =~ /^  need (\S+)/mg ],
		[], 'what the build needs is named');

	# "| 413 `body_too_large`, 431 `headers_too_large` | ..."
	my ($answers) = $page =~ /^## HTTP\n(.*?)^## /ms;
	my (%shown, $status);
	foreach my $cell ($answers =~ /^\| (\d[^|]*)\|/mg)
	{
		while ($cell =~ /(\d{3}) |`(\w+)`/g)
		{
			$status = $1 // $status;
			$shown{"$status $2"} = 1 if defined $2;
		}
	}
	my %verdicts = map { $_ => 1 } map { s/, .*, "/ /r }
	  slurp_file('src/base/verdict.c') =~ /\b(\d{3}, (?:"rejected"|NULL), "\w+)"/g;
	is_deeply(\%shown, \%verdicts, 'the errors of HTTP are those of the page');

	# "| `CP001` | ValidationException | ..."
	my ($operations) = $page =~ /^## Operations\n(.*?)^## /ms;
	my %codes = $operations =~ /\| `(CP\d+)` \| (\w+)/g;
	my @codes = slurp_file('src/pg/errors.c') =~ /\{\s*"(\w+)",\s*CP\('(\d)', '(\d)', '(\d)'\)/g;
	my %there;
	while (my ($name, @digits) = splice(@codes, 0, 4))
	{
		$there{ 'CP' . join('', @digits) } = $name;
	}
	is_deeply(\%codes, \%there, 'the exceptions and their codes are those of the page');
}

my @blocks =
  grep { $_->{language} =~ /^(sql|sh|json)$/ && !$_->{elsewhere} }
  read_blocks('README.md');

my @texts = grep { $_->{elsewhere} && $_->{elsewhere} ne '1' } read_blocks('README.md');
foreach my $block (@texts)
{
	my $text = slurp_file($block->{elsewhere});

	is($block->{text}, $text, "README.md, line $block->{line}: the text of $block->{elsewhere}");
	cmp_ok(scalar(() = $text =~ /\n/g), '<', 40, "$block->{elsewhere} is short");
}
is(scalar @texts, 4, 'the page shows the consumers, and the balancer');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
my $port = PostgreSQL::Test::Cluster::get_free_port();
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'cp_webhook'
cp_webhook.database = 'postgres'
cp_webhook.port = $port
CONF
$node->start;

# What a reader's shell has: the server, and a directory to be in.
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';
$ENV{no_proxy} = '*';
my $directory = PostgreSQL::Test::Utils::tempdir();

check_page();
check_tables($node);

# No test of ours goes to GitHub.
$node->safe_psql('postgres', q{ALTER SYSTEM SET cp_webhook.github_api_url = 'http://127.0.0.1:1'});
$node->reload;

my $triggered = 0;
foreach my $number (0 .. $#blocks)
{
	my $block = $blocks[$number];
	my $shown = $number < $#blocks && $blocks[ $number + 1 ]{language} eq 'json'
	  ? $blocks[ $number + 1 ] : undef;

	next if $block->{language} eq 'json';
	my @command =
	  $block->{language} eq 'sql'
	  ? ('psql', '-X', $shown ? '-At' : (), '-v', 'ON_ERROR_STOP=1')
	  : ('bash', '-euo', 'pipefail');
	my $name = "README.md, line $block->{line}: the $block->{language} block";
	my ($out, $err) = ('', '');

	IPC::Run::run(\@command, '<', \$block->{text}, '>', \$out, '2>', \$err,
		init => sub { chdir $directory or die "$directory: $!" });
	is($?, 0, "$name runs") or diag("$block->{text}$out$err");
	is_deeply(decode_json($out), decode_json($shown->{text}),
		"README.md, line $shown->{line}: that is what it answers") if $shown;
	next if $block->{text} !~ /^curl /m;
	if (like($out, qr/"status":"triggered"/, "$name triggers"))
	{
		$triggered++;
	}
	else
	{
		diag("$out$err");
	}
}
ok($triggered > 0, 'the page delivers something');

$node->stop;
done_testing();
