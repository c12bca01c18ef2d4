# 001_start: a server with the library preloaded starts, takes CREATE EXTENSION
# and stops again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('start');
# The caller's locale may be C, which would mean SQL_ASCII.
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
my $port = PostgreSQL::Test::Cluster::get_free_port();
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'cp_webhook'
cp_webhook.database = 'postgres'
cp_webhook.port = $port
CONF
$node->start;

$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
my $control = PostgreSQL::Test::Utils::slurp_file('cp_webhook.control');
my ($version) = $control =~ /^default_version\s*=\s*'(.*)'/m;
is( $node->safe_psql(
		'postgres',
		"SELECT extversion FROM pg_extension WHERE extname = 'cp_webhook'"),
	$version,
	'the extension has the version of the control file');
is($node->safe_psql('postgres', 'SHOW cp_webhook.port'),
	$port, 'the settings are known');

$node->stop;
ok(!-e $node->data_dir . '/postmaster.pid', 'the server stops');

done_testing();
