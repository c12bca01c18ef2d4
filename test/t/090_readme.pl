# 090_readme: what README.md tells a reader to type works as it stands. Every
# fenced sql and sh block is run in the order of the page, on one server; only
# those under "<!-- run by .ci/run -->" (make, make demo ...) are run there.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The fenced blocks: { language, line, text, elsewhere }.
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
			$elsewhere = $line =~ /^<!-- run by \.ci\/run -->$/;
		}
	}
	close $in;
	die "$file: a block is not closed" if $block;
	return @blocks;
}

my @blocks =
  grep { $_->{language} =~ /^(sql|sh)$/ && !$_->{elsewhere} }
  read_blocks('README.md');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
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

my $triggered = 0;
foreach my $block (@blocks)
{
	my @command =
	  $block->{language} eq 'sql'
	  ? ('psql', '-X', '-v', 'ON_ERROR_STOP=1')
	  : ('bash', '-euo', 'pipefail');
	my $name = "README.md, line $block->{line}: the $block->{language} block";
	my ($out, $err) = ('', '');

	IPC::Run::run(\@command, '<', \$block->{text}, '>', \$out, '2>', \$err,
		init => sub { chdir $directory or die "$directory: $!" });
	is($?, 0, "$name runs") or diag("$block->{text}$out$err");
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
