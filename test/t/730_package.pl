# What is handed out: META.json as PGXN wants it, the archive of a release,
# an installation into a directory, what the server says of it; and that
# nothing is left when it goes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use File::Find;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Versions;

my $top = $ENV{TESTDIR};
my $version = current_version();
my $release = $version =~ s/^(\d+\.\d+)$/$1.0/r;
my $directory = PostgreSQL::Test::Utils::tempdir();

# Paths of files below a directory.
sub files_in
{
	my ($root) = @_;
	my @files;

	find(sub { push @files, substr $File::Find::name, length $root if !-d || -l }, $root) if -d $root;
	return sort @files;
}

# ---- META.json, by the specification of PGXN, version 1.0 ----

sub check_meta
{
	my ($text, $what) = @_;
	my $meta = eval { JSON::PP->new->utf8->decode($text) };

	ok($meta, "$what: META.json is JSON") or return;
	foreach my $name (qw(name version abstract maintainer license provides meta-spec))
	{
		ok(defined $meta->{$name} && $meta->{$name} ne '', "$what: it has $name, which is required");
	}
	like($meta->{name}, qr{^[^\s/\\\x00-\x1f]{2,}$}, "$what: name is a term");
	my $semantic = qr/^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[A-Za-z][-0-9A-Za-z]*)?$/;
	like($meta->{version}, $semantic, "$what: version is a semantic version");
	is($meta->{version}, $release, "$what: it is that of the control file");
	like($meta->{license}, qr/^(?:agpl_3|apache_[12]_[01]|artistic_[12]|bsd|freebsd|gfdl_1_[23]|gpl_[123]|lgpl_(?:2_1|3_0)|mit|mozilla_1_[01]|openssl|perl_5|postgresql|qpl_1_0|ssleay|sun|zlib|open_source|restricted|unrestricted|unknown)$/,
		"$what: license is one of the list");
	like($meta->{release_status}, qr/^(?:stable|testing|unstable)$/, "$what: release_status is one of three");
	is($meta->{'meta-spec'}{version}, '1.0.0', "$what: meta-spec has its version");
	cmp_ok(length $meta->{abstract}, '<', 200, "$what: the abstract is short");
	unlike($text, qr/__\w+__/, "$what: nothing is left to be filled in");
	is(join(' ', keys %{ $meta->{provides} }), 'cp_webhook', "$what: it provides the extension");
	while (my ($name, $provided) = each %{ $meta->{provides} })
	{
		is($provided->{$_} // '', $_ eq 'version' ? $release : $provided->{$_}, "$what: $name has a $_, which is required") foreach qw(file version);
		ok(-e "$top/$provided->{$_}", "$what: its $_ is there") foreach qw(file docfile);
	}
	ok(!ref && length, "$what: tag $_") foreach @{ $meta->{tags} };
	foreach my $relations (map { values %$_ } values %{ $meta->{prereqs} })
	{
		like($relations->{$_}, qr/^(?:0|[1-9]\d*\.\d+\.\d+)$/, "$what: it requires $_ of a version") foreach keys %$relations;
	}
	return;
}

# What make dist does to it.
check_meta(slurp_file("$top/META.json") =~ s/__SQL_VERSION__/$version/gr =~ s/__VERSION__/$release/gr, 'filled in');

# ---- make dist ----

SKIP:
{
	skip 'no git here', 1 if system('git --version >/dev/null 2>&1') != 0;
	my $copy = "$directory/checkout";
	my @git = ('git', '-c', 'user.name=x', '-c', 'user.email=x@localhost', '-c', 'init.defaultBranch=main', '-C', $copy);
	local $ENV{HOME} = $directory;

	mkdir $copy;
	system_or_bail('cp', '-r', map({ "$top/$_" } qw(Makefile META.json README.md CHANGELOG.md cp_webhook.control sql src test expected)), $copy);
	mkdir "$copy/.ci";
	append_to_file("$copy/.ci/run", "#!/bin/sh\n");
	append_to_file("$copy/.gitignore", "*.o\n*.so\n/dist\n.built-for\n");
	# A copy of built objects is no part of a commit.
	run_command([ @git, 'init', '-q' ]);
	run_command([ @git, 'add', '-A' ]);
	run_command([ @git, 'commit', '-q', '-m', 'All' ]);
	my ($out, $errors) = run_command([ "$copy/test/dist" ]);
	is($out, "dist/cp_webhook-$release.zip", 'make dist names its archive') or diag($errors);
	my ($names) = run_command([ 'perl', '-MIO::Uncompress::Unzip=$UnzipError', '-e', <<'END', "$copy/dist/cp_webhook-$release.zip" ]);
my $zip = IO::Uncompress::Unzip->new($ARGV[0]) or die $UnzipError;
do { print $zip->getHeaderInfo->{Name}, "\n" } while $zip->nextStream > 0;
END
	my %names = map { $_ => 1 } split /\n/, $names;
	my @outside = grep { !m{^cp_webhook-\Q$release\E/} } keys %names;
	is("@outside", '', 'all of it is in one directory');
	ok($names{"cp_webhook-$release/$_"}, "$_ is in it")
	  foreach qw(Makefile META.json README.md CHANGELOG.md cp_webhook.control src/cp_webhook.c src/compat.h test/run),
	  map { s{^\Q$top/}{}r } glob("$top/sql/*.sql"), glob("$top/sql/update/*");
	is(join(' ', grep { m{\.(?:o|so|log|zip)$|/\.ci/|/tmp_check/|^[^/]+/results/} } keys %names), '', 'and nothing that is made, or of no use there');
	my ($meta) = run_command([ 'perl', '-MIO::Uncompress::Unzip=unzip', '-e', 'unzip($ARGV[0] => \my $t, Name => $ARGV[1]); print $t',
			"$copy/dist/cp_webhook-$release.zip", "cp_webhook-$release/META.json" ]);
	check_meta($meta, 'in the archive');
}

# ---- make install DESTDIR= ----

my $build = "$directory/build";
my $stage = "$directory/stage";
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my ($share, $libraries) = map { scalar((run_command([ $pg_config, $_ ]))[0]) } '--sharedir', '--pkglibdir';

mkdir $build;
system_or_bail('cp', '-rp', map({ "$top/$_" } qw(Makefile cp_webhook.control sql src)), $build);
my @make = ('make', '-s', '-C', $build, 'with_llvm=no', "PG_CONFIG=$pg_config", "DESTDIR=$stage");
system_or_bail(@make, 'install');
is(join("\n", files_in($stage)), join("\n", sort(
			"$libraries/cp_webhook.so", "$share/extension/cp_webhook.control",
			map { "$share/extension/cp_webhook--$_.sql" } $version, oldest_version() . "--$version")),
	'make install puts the library, the control file and the scripts into DESTDIR, and nothing else');
system_or_bail(@make, 'uninstall');
is(join("\n", files_in($stage)), '', 'make uninstall takes all of them away');

# ---- what the server says, and DROP EXTENSION ----

my $node = start_receivers('main');
is($node->safe_psql('postgres', q{SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'cp_webhook'}), "$version|$version",
	'pg_available_extensions has its version');
like($node->safe_psql('postgres', q{SELECT comment FROM pg_available_extensions WHERE name = 'cp_webhook'}),
	qr/^AWS CodePipeline's webhook service inside PostgreSQL: .{20,}/, 'and what it is');
is($node->safe_psql('postgres', q{SELECT version, superuser, trusted, relocatable, schema FROM pg_available_extension_versions
	WHERE name = 'cp_webhook' AND installed}), "$version|t|f|f|pg_catalog", 'which only a superuser installs');

my @count = map { "SELECT '$_->[0]', count(*) FROM $_->[0] $_->[1]" } (
	[ pg_namespace => '' ], [ pg_class => "WHERE relname !~ '^pg_toast'" ], [ pg_proc => '' ], [ pg_type => '' ], [ pg_trigger => '' ], [ pg_constraint => '' ],
	[ pg_description => '' ], [ pg_init_privs => '' ], [ pg_default_acl => '' ], [ pg_event_trigger => '' ], [ pg_extension => '' ],
	[ pg_shdepend => "WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())" ]);

sub counts
{
	return $node->safe_psql('postgres', join ' UNION ALL ', @count);
}

$node->safe_psql('postgres', 'DROP EXTENSION cp_webhook CASCADE');
my $before = counts();
$node->safe_psql('postgres', 'CREATE EXTENSION cp_webhook');
isnt(counts(), $before, 'the extension is something');
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');
is(post($node, $path, '{}')->{status}, 200, 'it is in use');
$node->safe_psql('postgres', 'DROP EXTENSION cp_webhook CASCADE');
is(counts(), $before, 'DROP EXTENSION leaves nothing in the database');
is($node->safe_psql('postgres', q{SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^cp_webhook'}),
	'cp_webhook_admin cp_webhook_consumer cp_webhook_operator', 'but the roles, which are of all databases');
$node->safe_psql('postgres', 'DROP ROLE cp_webhook_admin, cp_webhook_consumer, cp_webhook_operator');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'cp_webhook'}), '0', 'without the library nothing runs');
is(join(' ', map { s{.*/}{}r } grep { /cp_webhook/i } files_in($node->data_dir)), '', 'and no file of it is in the data directory');
$node->stop;

done_testing();
