/*
 * settings.c
 *		The settings (GUCs) of cp_webhook, as two tables.
 *
 * All but database and workers take effect on reload. These two are
 * PGC_POSTMASTER only while the library is preloaded: a session that loads the
 * library later would die of defining such a variable (guc.c).
 */
#include "postgres.h"

#include <limits.h>

#include "base/provider.h"
#include "miscadmin.h"
#include "pg/address.h"
#include "pg/settings.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"
#include "utils/timestamp.h"

char	   *cpw_setting_database;
int			cpw_setting_workers;
char	   *cpw_setting_listen_addresses;
int			cpw_setting_port;
char	   *cpw_setting_public_url;
char	   *cpw_setting_ssl_cert_file;
char	   *cpw_setting_ssl_key_file;
char	   *cpw_setting_secret_key_file;
char	   *cpw_setting_trusted_proxies;
int			cpw_setting_max_connections;
int			cpw_setting_max_connections_per_ip;
int			cpw_setting_backlog;
int			cpw_setting_max_header_size;
int			cpw_setting_max_body_size;
int			cpw_setting_max_json_values;
int			cpw_setting_max_buffered;
int			cpw_setting_request_timeout;
int			cpw_setting_keepalive_timeout;
int			cpw_setting_lock_timeout;
int			cpw_setting_batch_timeout;
int			cpw_setting_filter_timeout;
int			cpw_setting_max_batch;
int			cpw_setting_max_webhooks;
int			cpw_setting_rejections_per_minute;
int			cpw_setting_delivery_retention;
int			cpw_setting_execution_retention;
int			cpw_setting_deduplication_window;
int			cpw_setting_api_port;
char	   *cpw_setting_api_listen_addresses;
char	   *cpw_setting_metrics_token_file;
bool		cpw_setting_console;
char	   *cpw_setting_console_public_url;
int			cpw_setting_console_link_lifetime;
int			cpw_setting_console_session_lifetime;
char	   *cpw_setting_partition;
char	   *cpw_setting_region;
char	   *cpw_setting_account_id;
char	   *cpw_setting_role;
int			cpw_setting_max_attempts;
char	   *cpw_setting_github_api_url;
char	   *cpw_setting_registration_hosts;
bool		cpw_setting_registration_allow_http;
char	   *cpw_setting_registration_proxy;
char	   *cpw_setting_registration_ca_file;
int			cpw_setting_registration_timeout;
int			cpw_setting_notify;
bool		cpw_setting_notify_pipeline_channels;
bool		cpw_setting_ingest_only;

/* Settings of ages are in minutes, the longest unit that the server has. */
#define DAYS			(24 * 60)
#define MAX_DAYS		36500

typedef struct IntegerSetting
{
	const char *name;
	const char *description;
	int		   *variable;
	int			value;
	int			min;
	int			max;
	GucContext	context;
	int			flags;
} IntegerSetting;

typedef struct StringSetting
{
	const char *name;
	const char *description;
	char	  **variable;
	const char *value;
	GucContext	context;
	GucStringCheckHook check;
	int			flags;
} StringSetting;

static bool check_list(char **newval, void **extra, GucSource source);
static bool check_hosts(char **newval, void **extra, GucSource source);
static bool check_url(char **newval, void **extra, GucSource source);
static bool check_api_url(char **newval, void **extra, GucSource source);
static bool check_url_part(char **newval, void **extra, GucSource source);
static bool check_partition(char **newval, void **extra, GucSource source);
static bool check_account_id(char **newval, void **extra, GucSource source);
static bool check_ranges(char **newval, void **extra, GucSource source);

static const IntegerSetting integer_settings[] = {
	{"cp_webhook.workers", "Number of receivers.",
		&cpw_setting_workers, 2, 0, 64, PGC_POSTMASTER, 0},
	{"cp_webhook.port", "Port on which the receivers listen.",
		&cpw_setting_port, 8787, 1, 65535, PGC_SIGHUP, 0},
	{"cp_webhook.api_port", "Port on which the api worker listens; 0: it does not.",
		&cpw_setting_api_port, 0, 0, 65535, PGC_SIGHUP, 0},
	{"cp_webhook.max_connections", "Connections that a receiver holds at once.",
		&cpw_setting_max_connections, 4000, 1, 100000, PGC_SIGHUP, 0},
	{"cp_webhook.max_connections_per_ip", "Connections that a receiver holds of one address; 0: any number.",
		&cpw_setting_max_connections_per_ip, 0, 0, 100000, PGC_SIGHUP, 0},
	{"cp_webhook.backlog", "Connections that wait to be accepted by a receiver.",
		&cpw_setting_backlog, 1024, 1, 65535, PGC_SIGHUP, 0},
	{"cp_webhook.max_header_size", "Size of a request's headers that is still taken.",
		&cpw_setting_max_header_size, 32 * 1024, 1024, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_BYTE},
	{"cp_webhook.max_body_size", "Size of a body that is still taken.",
		&cpw_setting_max_body_size, 25 * 1024 * 1024, 1024, 512 * 1024 * 1024, PGC_SIGHUP, GUC_UNIT_BYTE},
	{"cp_webhook.max_json_values", "Values in a body's JSON that are still parsed.",
		&cpw_setting_max_json_values, 500000, 100, 10000000, PGC_SIGHUP, 0},
	{"cp_webhook.max_buffered", "Memory for all bodies that a receiver holds at once.",
		&cpw_setting_max_buffered, 512 * 1024, 1024, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_KB},
	{"cp_webhook.request_timeout", "Time for a whole exchange, from its first byte to its answer's last.",
		&cpw_setting_request_timeout, 30000, 100, 3600000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.keepalive_timeout", "Time for which a connection may be idle between requests.",
		&cpw_setting_keepalive_timeout, 60000, 100, 3600000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.lock_timeout", "Time for which a batch of deliveries waits for a lock.",
		&cpw_setting_lock_timeout, 2000, 1, 60000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.batch_timeout", "Time for the transaction of a batch of deliveries.",
		&cpw_setting_batch_timeout, 5000, 10, 600000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.filter_timeout", "Time for parsing and filtering one delivery.",
		&cpw_setting_filter_timeout, 1000, 1, 60000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.max_batch", "Deliveries that one transaction records at most.",
		&cpw_setting_max_batch, 512, 1, 10000, PGC_SIGHUP, 0},
	{"cp_webhook.max_webhooks", "Webhooks that can be put.",
		&cpw_setting_max_webhooks, 300, 1, INT_MAX, PGC_SIGHUP, 0},
	{"cp_webhook.rejections_per_minute", "Rejected deliveries that a receiver records a minute and webhook.",
		&cpw_setting_rejections_per_minute, 60, 0, 1000000, PGC_SIGHUP, 0},
	{"cp_webhook.delivery_retention", "Age at which deliveries are removed, a day's partition at once; 0 or -1: never.",
		&cpw_setting_delivery_retention, 30 * DAYS, -1, MAX_DAYS * DAYS, PGC_SIGHUP, GUC_UNIT_MIN},
	{"cp_webhook.execution_retention", "Time after their end at which executions are removed; 0 or -1: never.",
		&cpw_setting_execution_retention, 90 * DAYS, -1, MAX_DAYS * DAYS, PGC_SIGHUP, GUC_UNIT_MIN},
	{"cp_webhook.deduplication_window", "Time for which a sender's delivery id is remembered; 0 or -1: for ever.",
		&cpw_setting_deduplication_window, 3 * DAYS, -1, MAX_DAYS * DAYS, PGC_SIGHUP, GUC_UNIT_MIN},
	{"cp_webhook.max_attempts", "Claims of an execution after which it is not retried.",
		&cpw_setting_max_attempts, 5, 1, 1000000, PGC_SIGHUP, 0},
	{"cp_webhook.registration_timeout", "Time for one request to a third party.",
		&cpw_setting_registration_timeout, 30000, 100, 600000, PGC_SIGHUP, GUC_UNIT_MS},
	{"cp_webhook.console_link_lifetime", "Time in which a link of console_url() can be used.",
		&cpw_setting_console_link_lifetime, 600, 1, 24 * 3600, PGC_SIGHUP, GUC_UNIT_S},
	{"cp_webhook.console_session_lifetime", "Time after which a session of the console ends.",
		&cpw_setting_console_session_lifetime, 12 * 60, 1, 30 * DAYS, PGC_SIGHUP, GUC_UNIT_MIN},
};

static const StringSetting string_settings[] = {
	{"cp_webhook.database", "Database that holds the extension.",
		&cpw_setting_database, "postgres", PGC_POSTMASTER, NULL, 0},
	{"cp_webhook.listen_addresses", "Addresses or host names on which the receivers listen.",
		&cpw_setting_listen_addresses, "localhost", PGC_SIGHUP, check_list, 0},
	{"cp_webhook.api_listen_addresses", "Addresses or host names on which the api worker listens.",
		&cpw_setting_api_listen_addresses, "localhost", PGC_SIGHUP, check_list, 0},
	{"cp_webhook.metrics_token_file", "File with the bearer token that the metrics ask for; empty: they ask for none.",
		&cpw_setting_metrics_token_file, "", PGC_SIGHUP, NULL, 0},
	{"cp_webhook.public_url", "What the URLs of webhooks begin with; empty: made of address and port.",
		&cpw_setting_public_url, "", PGC_SIGHUP, check_url, 0},
	{"cp_webhook.console_public_url", "What the console's URL begins with; empty: made of address and port.",
		&cpw_setting_console_public_url, "", PGC_SIGHUP, check_url, 0},
	{"cp_webhook.ssl_cert_file", "File with the certificate and its chain (PEM); empty: no TLS.",
		&cpw_setting_ssl_cert_file, "", PGC_SIGHUP, NULL, 0},
	{"cp_webhook.ssl_key_file", "File with the certificate's private key (PEM).",
		&cpw_setting_ssl_key_file, "", PGC_SIGHUP, NULL, 0},
	{"cp_webhook.secret_key_file", "File with the keys that secrets are stored under; empty: they are stored as they are.",
		&cpw_setting_secret_key_file, "", PGC_SIGHUP, NULL, 0},
	{"cp_webhook.trusted_proxies", "Addresses or CIDR ranges of proxies whose X-Forwarded-For or Forwarded counts.",
		&cpw_setting_trusted_proxies, "", PGC_SIGHUP, check_ranges, 0},
	{"cp_webhook.partition", "Partition in the ARNs.",
		&cpw_setting_partition, "aws", PGC_SIGHUP, check_partition, 0},
	{"cp_webhook.region", "Region in the ARNs.",
		&cpw_setting_region, "us-east-1", PGC_SIGHUP, check_url_part, 0},
	{"cp_webhook.account_id", "Account in the ARNs: 12 digits.",
		&cpw_setting_account_id, "000000000000", PGC_SIGHUP, check_account_id, 0},
	{"cp_webhook.role", "Role as which deliveries are recorded; empty: the owner of the extension's tables.",
		&cpw_setting_role, "", PGC_SIGHUP, NULL, 0},
	{"cp_webhook.github_api_url", "Where GitHub's API is, for actions that do not say.",
		&cpw_setting_github_api_url, "https://api.github.com", PGC_SIGHUP, check_api_url, 0},
	{"cp_webhook.registration_hosts", "Hosts with which webhooks may be registered, beside that of github_api_url; *: any.",
		&cpw_setting_registration_hosts, "api.github.com, gitlab.com, api.bitbucket.org", PGC_SIGHUP, check_hosts, 0},
	{"cp_webhook.registration_proxy", "URL of the proxy for requests to third parties; empty: none.",
		&cpw_setting_registration_proxy, "", PGC_SIGHUP, check_url, GUC_SUPERUSER_ONLY},
	{"cp_webhook.registration_ca_file", "File with the authorities (PEM) that third parties' certificates are verified by; empty: the system's.",
		&cpw_setting_registration_ca_file, "", PGC_SIGHUP, NULL, 0},
};

static const struct config_enum_entry notify_values[] = {
	{"execution", CPW_NOTIFY_EXECUTION, false},
	{"batch", CPW_NOTIFY_BATCH, false},
	{"off", CPW_NOTIFY_OFF, false},
	{NULL, 0, false}
};

static bool
check_list(char **newval, void **extra, GucSource source)
{
	char	   *names = pstrdup(*newval);
	List	   *list;
	bool		valid = SplitGUCList(names, ',', &list);

	(void) extra;
	(void) source;
	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(list);
	pfree(names);
	return valid;
}

/* Hosts, no URLs: one that can match nothing is a mistake. */
static bool
check_hosts(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (strspn(*newval, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789.-:[]*, \t") == strlen(*newval))
		return true;
	GUC_check_errdetail("The value must be a list of host names and addresses, separated by commas, or *.");
	return false;
}

/* http:// or https://, a host, and nothing that a URL may not hold. */
static bool
check_url(char **newval, void **extra, GucSource source)
{
	const char *url = *newval;

	(void) extra;
	(void) source;
	if (*url == '\0')
		return true;
	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
		strcspn(url, " \t\r\n\"<>?#") != strlen(url) ||
		strlen(url) > 900 ||
		strstr(url, "://")[3] == '\0')
	{
		GUC_check_errdetail("The value must be an http or https URL without query and fragment, at most 900 bytes long.");
		return false;
	}
	return true;
}

static bool
check_api_url(char **newval, void **extra, GucSource source)
{
	CpwApiUrl	parts;

	(void) extra;
	(void) source;
	if (cpw_provider_parse_url(*newval, &parts))
		return true;
	GUC_check_errdetail("The value must be http:// or https://, a host, a port or none, and a path or none.");
	return false;
}

/* The parts of an ARN hold no colon and nothing odd. */
static bool
check_url_part(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (**newval == '\0' ||
		strspn(*newval, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(*newval))
	{
		GUC_check_errdetail("The value must consist of lower-case letters, digits and hyphens.");
		return false;
	}
	return true;
}

/* As the API's pattern of an ARN has it: tag_resource must take what we make. */
static bool
check_partition(char **newval, void **extra, GucSource source)
{
	const char *rest = *newval + strlen("aws");

	(void) extra;
	(void) source;
	if (strncmp(*newval, "aws", 3) == 0 && (*rest == '\0' || *rest == '-') &&
		strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(rest) &&
		strstr(rest, "--") == NULL && (*rest == '\0' || rest[strlen(rest) - 1] != '-'))
		return true;
	GUC_check_errdetail("The value must be aws, or aws and words of lower-case letters and digits behind it, each after a hyphen.");
	return false;
}

static bool
check_account_id(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (strlen(*newval) != 12 || strspn(*newval, "0123456789") != 12)
	{
		GUC_check_errdetail("The value must be 12 digits.");
		return false;
	}
	return true;
}

/* Parsed again when it is used. */
static bool
check_ranges(char **newval, void **extra, GucSource source)
{
	const char *wrong = cpw_address_check_ranges(*newval);

	(void) extra;
	(void) source;
	if (wrong == NULL)
		return true;
	GUC_check_errdetail("\"%s\" is not a list of addresses and CIDR ranges, separated by commas.",
						wrong);
	return false;
}

static GucContext
context_now(GucContext context)
{
	if (context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress)
		return PGC_SIGHUP;
	return context;
}

void
cpw_settings_define(void)
{
	for (size_t i = 0; i < lengthof(integer_settings); i++)
	{
		const IntegerSetting *s = &integer_settings[i];

		DefineCustomIntVariable(s->name, s->description, NULL, s->variable,
								s->value, s->min, s->max,
								context_now(s->context), s->flags,
								NULL, NULL, NULL);
	}
	for (size_t i = 0; i < lengthof(string_settings); i++)
	{
		const StringSetting *s = &string_settings[i];

		DefineCustomStringVariable(s->name, s->description, NULL, s->variable,
								   s->value, context_now(s->context), s->flags,
								   s->check, NULL, NULL);
	}
	DefineCustomEnumVariable("cp_webhook.notify",
							 "What is notified when executions start.", NULL,
							 &cpw_setting_notify, CPW_NOTIFY_EXECUTION,
							 notify_values, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("cp_webhook.notify_pipeline_channels",
							 "Whether a channel of the pipeline is notified as well.",
							 NULL, &cpw_setting_notify_pipeline_channels, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("cp_webhook.registration_allow_http",
							 "Whether webhooks are registered over http with other hosts than this one.",
							 NULL, &cpw_setting_registration_allow_http, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("cp_webhook.console",
							 "Whether the api worker serves the console.",
							 NULL, &cpw_setting_console, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("cp_webhook.ingest_only",
							 "Whether definitions come from another node, and executions go to one.",
							 NULL, &cpw_setting_ingest_only, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("cp_webhook");
}

bool
cpw_settings_use_tls(void)
{
	return *cpw_setting_ssl_cert_file != '\0' ||
		*cpw_setting_ssl_key_file != '\0';
}

/* A URL that was set, without the slashes at its end. */
static char *
trim_url(const char *set)
{
	char	   *url = pstrdup(set);
	size_t		length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		url[--length] = '\0';
	return url;
}

/* The URL of what listens there: the first address, and the port. */
static char *
make_url(const char *listen_addresses, int port)
{
	const char *scheme = cpw_settings_use_tls() ? "https" : "http";
	char	   *addresses = pstrdup(listen_addresses);
	List	   *list;
	char	   *host = "localhost";

	if (SplitGUCList(addresses, ',', &list) && list != NIL)
	{
		char	   *first = linitial(list);

		if (strcmp(first, "*") != 0 && strcmp(first, "0.0.0.0") != 0 &&
			strcmp(first, "::") != 0)
			host = first;
	}
	/* An IPv6 address stands in brackets (RFC 3986, 3.2.2). */
	if (strchr(host, ':') != NULL)
		return psprintf("%s://[%s]:%d", scheme, host, port);
	return psprintf("%s://%s:%d", scheme, host, port);
}

char *
cpw_settings_public_url(void)
{
	if (*cpw_setting_public_url != '\0')
		return trim_url(cpw_setting_public_url);
	return make_url(cpw_setting_listen_addresses, cpw_setting_port);
}

char *
cpw_settings_console_public_url(void)
{
	if (*cpw_setting_console_public_url != '\0')
		return trim_url(cpw_setting_console_public_url);
	return make_url(cpw_setting_api_listen_addresses, cpw_setting_api_port);
}

char *
cpw_settings_webhook_url(const char *token)
{
	return psprintf("%s/trigger/%s", cpw_settings_public_url(), token);
}

int64
cpw_settings_now(void)
{
	return GetCurrentTimestamp() / USECS_PER_SEC +
		(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

char *
cpw_settings_webhook_arn(const char *name)
{
	return psprintf("arn:%s:codepipeline:%s:%s:webhook:%s",
					cpw_setting_partition, cpw_setting_region,
					cpw_setting_account_id, name);
}

char *
cpw_settings_pipeline_arn(const char *name)
{
	return psprintf("arn:%s:codepipeline:%s:%s:%s",
					cpw_setting_partition, cpw_setting_region,
					cpw_setting_account_id, name);
}
