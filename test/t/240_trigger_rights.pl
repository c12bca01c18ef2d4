# A trigger of the user's on the extension's tables has the rights of the role
# that the workers record as, never those of their session.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use CpWebhook;
use Lifecycle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_receivers('main', settings => { workers => 1 });
create_pipeline($node, 'pipeline');
my $path = put_webhook($node, 'one');

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

sub status_of
{
	return try_post($node, $path, '{}')->{status};
}

# The owner of the tables, and of the log, is a role without any other right.
sql(q{
	CREATE ROLE hooks NOLOGIN;
	CREATE TABLE public.log (name text, session text);
	ALTER TABLE public.log OWNER TO hooks;
	CREATE TABLE public.secret (value text);
	INSERT INTO public.secret VALUES ('of the superuser');
	GRANT USAGE, CREATE ON SCHEMA cp_webhook TO hooks;
	GRANT CREATE ON SCHEMA public TO hooks;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cp_webhook TO hooks});
sql(join ';', map { "ALTER TABLE cp_webhook.$_ OWNER TO hooks" } split /\n/, sql(q{
	SELECT relname FROM pg_class WHERE relnamespace = 'cp_webhook'::regnamespace AND relkind IN ('r', 'p', 'v')}));
is(status_of(), 200, 'a role that can do nothing else can own the tables');

# Runs a body as a trigger function of each kind; what a delivery gets then.
sub with_trigger
{
	my ($kind, $body) = @_;
	my $status;

	sql("CREATE FUNCTION public.observe() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN $body; RETURN NEW; END \$\$");
	sql($kind eq 'deferred'
		? 'CREATE CONSTRAINT TRIGGER observe AFTER INSERT ON cp_webhook.executions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.observe()'
		: 'CREATE TRIGGER observe BEFORE INSERT ON cp_webhook.executions FOR EACH ROW EXECUTE FUNCTION public.observe()');
	$status = status_of();
	sql('DROP TRIGGER observe ON cp_webhook.executions; DROP FUNCTION public.observe()');
	return $status;
}

my $superuser = sql('SELECT current_user');
foreach my $role ('hooks', 'recorder')
{
	if ($role eq 'recorder')
	{
		sql(q{CREATE ROLE recorder; GRANT USAGE ON SCHEMA cp_webhook TO recorder;
			GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cp_webhook TO recorder; GRANT INSERT ON public.log TO recorder});
		set_settings($node, role => 'recorder');
	}
	foreach my $kind ('immediate', 'deferred')
	{
		sql('TRUNCATE public.log');
		is(with_trigger($kind, 'INSERT INTO public.log VALUES (current_user, session_user)'), 200, "$role, $kind: a trigger runs");
		is(sql('SELECT name FROM public.log'), $role, 'as that role');
		foreach my $escape ("SET ROLE $superuser", 'RESET ROLE', "SET SESSION AUTHORIZATION $superuser", 'RESET SESSION AUTHORIZATION')
		{
			is(with_trigger($kind, "EXECUTE '$escape'; INSERT INTO public.log SELECT value FROM public.secret"), 503, "$escape is refused");
		}
		is(with_trigger($kind, 'INSERT INTO public.log SELECT value FROM public.secret'), 503, 'what the superuser may read it may not');
		is(with_trigger($kind, "PERFORM set_config('role', '$superuser', false)"), 503, 'nor by way of set_config()');
		is(sql("SELECT count(*) FROM public.log WHERE name LIKE 'of the%'"), 0, 'nothing was read');
	}
}
is(status_of(), 200, 'without it all is well');

# What one has set does not outlive its transaction.
is(with_trigger('immediate', q{PERFORM set_config('search_path', 'public', true)}), 200, 'a setting of the transaction');
is(status_of(), 200, 'is gone with it');
$node->stop;

done_testing();
