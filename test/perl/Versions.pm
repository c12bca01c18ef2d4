
=head1 NAME

Versions - for tests with the extension's scripts of other versions

=head1 SYNOPSIS

  use CpWebhook;
  use Versions;

  my $scripts = stage_scripts();                # a directory of its own
  add_script($scripts, '1.1--9.9', 'SELECT 1;');
  my $node = start_receivers('main', conf => scripts_conf($scripts), extension => 0);
  $node->safe_psql('postgres', "CREATE EXTENSION cp_webhook VERSION '1.0'");
  is(catalog_of($node, 'postgres'), catalog_of($node, 'other'));

=cut

package Versions;

use strict;
use warnings;

use Exporter 'import';
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(current_version oldest_version stage_scripts scripts_conf add_script catalog_of);

my $top = $ENV{TESTDIR};

=head2 current_version(), oldest_version()

That of this tree, and the first one that it can update.

=cut

sub current_version
{
	my ($version) = slurp_file("$top/cp_webhook.control") =~ /^default_version *= *'(.*)'/m;
	return $version;
}

sub oldest_version
{
	my @versions = map { m{--(.*)\.sql$} } glob "$top/sql/update/cp_webhook--*.sql";
	return (sort { $a <=> $b } @versions)[0];
}

sub _pg_config
{
	my ($what) = @_;
	my ($out) = run_command([ $ENV{PG_CONFIG} || 'pg_config', $what ]);
	return $out;
}

=head2 stage_scripts()

A directory with all scripts: also those that install older versions, which
nobody else needs.

=cut

sub stage_scripts
{
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $extension = $directory . _pg_config('--sharedir') . '/extension';
	my $libraries = $directory . _pg_config('--pkglibdir');
	my ($library) = grep { -e } map { "$_/cp_webhook.so" } _installed(), _pg_config('--pkglibdir');

	make_path($extension, $libraries);
	copy($_, $extension) or die "$_: $!\n"
	  foreach "$top/cp_webhook.control", glob("$top/sql/cp_webhook--*.sql"), glob("$top/sql/update/cp_webhook--*.sql");
	symlink $library, "$libraries/cp_webhook.so" or die "$libraries: $!\n";
	return $directory;
}

# Where test/run has installed the library, unless into the system.
sub _installed
{
	return unless $ENV{TEMP_CONFIG};
	my ($path) = slurp_file($ENV{TEMP_CONFIG}) =~ /^dynamic_library_path = '([^:']+)/m;
	return $path // ();
}

=head2 scripts_conf(directory)

What a server needs in its postgresql.conf to find them. Before 18 it is a
setting of Debian's packages.

=cut

sub scripts_conf
{
	my ($directory) = @_;
	my ($major) = _pg_config('--version') =~ /(\d+)/;
	my $libraries = $directory . _pg_config('--pkglibdir');

	return "dynamic_library_path = '$libraries:\$libdir'\n"
	  . ($major >= 18
		? "extension_control_path = '$directory" . _pg_config('--sharedir') . ":\$system'\n"
		: "extension_destdir = '$directory'\n");
}

=head2 add_script(directory, name, text)

One more script there, e.g. "1.1--9.9".

=cut

sub add_script
{
	my ($directory, $name, $text) = @_;
	my $path = $directory . _pg_config('--sharedir') . "/extension/cp_webhook--$name.sql";

	open my $file, '>', $path or die "$path: $!\n";
	print $file $text;
	close $file or die "$path: $!\n";
	return;
}

=head2 catalog_of(node, database)

All that the catalogs say of the extension and its objects, as text without
object ids: two that are the same cannot be told apart.

=cut

my $acl = q{(SELECT string_agg(x.grantee::regrole::text || ':' || x.privilege_type || ':' || x.is_grantable, ' ' ORDER BY 1)
	FROM aclexplode(%s) x)};

my @catalog = (
	# Who is a member, and what pg_dump dumps the rows of.
	q{SELECT 'extension', extversion, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'cp_webhook'},
	q{SELECT 'member', pg_describe_object(classid, objid, objsubid) FROM member},
	q{SELECT 'dumped', c.t::regclass, x.extcondition[c.n] FROM pg_extension x, unnest(x.extconfig) WITH ORDINALITY c (t, n)
	   WHERE extname = 'cp_webhook'},
	q{SELECT 'schema', nspname, nspowner::regrole, } . sprintf($acl, 'nspacl') . q{ FROM pg_namespace WHERE nspname = 'cp_webhook'},
	q{SELECT 'relation', c.oid::regclass, relkind, relowner::regrole, relpersistence, relreplident, reloptions, relhastriggers,
	         relrowsecurity, pg_get_partkeydef(c.oid), } . sprintf($acl, 'relacl') . q{
	    FROM pg_class c WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind <> 'c' AND NOT relispartition},
	q{SELECT 'column', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attstorage, attcompression,
	         attcollation::regcollation, attstattarget,
	         (SELECT array_agg(o) FROM unnest(attoptions) o WHERE o !~ '^pg_attver='), pg_get_expr(d.adbin, d.adrelid), } . sprintf($acl, 'attacl') . q{
	    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
	   WHERE c.relnamespace = 'cp_webhook'::regnamespace AND attnum > 0 AND NOT c.relispartition},
	q{SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
	   WHERE connamespace = 'cp_webhook'::regnamespace},
	q{SELECT 'index', indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisreplident, indisclustered FROM pg_index
	    JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = 'cp_webhook'::regnamespace AND NOT c.relispartition},
	q{SELECT 'trigger', tgrelid::regclass, pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger t
	    JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = 'cp_webhook'::regnamespace AND NOT tgisinternal},
	q{SELECT 'view', c.oid::regclass, pg_get_viewdef(c.oid) FROM pg_class c WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind = 'v'},
	q{SELECT 'function', p.oid::regprocedure, proowner::regrole, pg_get_functiondef(p.oid), probin, procost, prorows, } . sprintf($acl, 'proacl') . q{
	    FROM pg_proc p WHERE pronamespace = 'cp_webhook'::regnamespace},
	q{SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description
	   WHERE pg_describe_object(classoid, objoid, objsubid) ~ 'cp_webhook'},
	# What pg_dump takes for rights that nobody has changed.
	q{SELECT 'initial', pg_describe_object(i.classoid, i.objoid, i.objsubid), } . sprintf($acl, 'initprivs') . q{ FROM pg_init_privs i
	   WHERE (i.classoid, i.objoid) IN (SELECT classid, objid FROM member)},
);

sub catalog_of
{
	my ($node, $database) = @_;
	my $member = q{WITH member AS (SELECT classid, objid, objsubid FROM pg_depend
		WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cp_webhook'))};

	return join '', map {
		# Sorted by their text: object ids differ.
		$node->safe_psql($database, "$member SELECT line::text FROM ($_) line ORDER BY 1") . "\n"
	} @catalog;
}

1;
