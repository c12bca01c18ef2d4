/*
 * settings.h
 *		The settings (GUCs) of cp_webhook, and what is derived from them.
 */
#ifndef CPW_SETTINGS_H
#define CPW_SETTINGS_H

#include "postgres.h"

/* One variable a setting; README has what each means. Times are in ms. */
extern char *cpw_setting_database;
extern int cpw_setting_workers;
extern char *cpw_setting_listen_addresses;
extern int cpw_setting_port;
extern char *cpw_setting_public_url;
extern char *cpw_setting_ssl_cert_file;
extern char *cpw_setting_ssl_key_file;
extern char *cpw_setting_secret_key_file;
extern char *cpw_setting_trusted_proxies;
extern int cpw_setting_max_connections;
extern int cpw_setting_max_connections_per_ip;
extern int cpw_setting_backlog;
extern int cpw_setting_max_header_size;	/* bytes */
extern int cpw_setting_max_body_size;	/* bytes */
extern int cpw_setting_max_json_values;
extern int cpw_setting_max_buffered;	/* kB */
extern int cpw_setting_request_timeout;
extern int cpw_setting_keepalive_timeout;
extern int cpw_setting_lock_timeout;
extern int cpw_setting_batch_timeout;
extern int cpw_setting_filter_timeout;
extern int cpw_setting_max_batch;
extern int cpw_setting_max_webhooks;
extern int cpw_setting_rejections_per_minute;
extern int cpw_setting_delivery_retention;	/* minutes; 0 or -1: for ever */
extern int cpw_setting_execution_retention; /* the same */
extern int cpw_setting_deduplication_window;	/* the same */
extern int cpw_setting_api_port;		/* 0: off */
extern char *cpw_setting_api_listen_addresses;
extern char *cpw_setting_metrics_token_file;
extern bool cpw_setting_console;
extern char *cpw_setting_console_public_url;
extern int cpw_setting_console_link_lifetime;	/* seconds */
extern int cpw_setting_console_session_lifetime;	/* minutes */
extern char *cpw_setting_partition;
extern char *cpw_setting_region;
extern char *cpw_setting_account_id;
extern char *cpw_setting_role;
extern int cpw_setting_max_attempts;
extern char *cpw_setting_github_api_url;
extern char *cpw_setting_registration_hosts;
extern bool cpw_setting_registration_allow_http;
extern char *cpw_setting_registration_proxy;
extern char *cpw_setting_registration_ca_file;
extern int cpw_setting_registration_timeout;
extern int cpw_setting_notify;	/* CpwNotify */
extern bool cpw_setting_notify_pipeline_channels;
extern bool cpw_setting_ingest_only;

/* What is notified when executions start. */
typedef enum CpwNotify
{
	CPW_NOTIFY_EXECUTION,		/* each one */
	CPW_NOTIFY_BATCH,			/* that some have: once a transaction */
	CPW_NOTIFY_OFF
} CpwNotify;

/* Defines them all; called by _PG_init() once a process. */
extern void cpw_settings_define(void);

/* Whether the receivers speak HTTPS: one of the two files is set. */
extern bool cpw_settings_use_tls(void);

/*
 * What URLs begin with, without a trailing slash: public_url, else http:// (or
 * https://), the first listen address ("localhost" for "*") and the port. Palloc'd.
 */
extern char *cpw_settings_public_url(void);

/* <public_url>/trigger/<token>, palloc'd. */
extern char *cpw_settings_webhook_url(const char *token);

/*
 * What the console's URL begins with, without a trailing slash:
 * console_public_url, else made of api_listen_addresses and api_port. Palloc'd.
 */
extern char *cpw_settings_console_public_url(void);

/* The time by which signatures are judged, in seconds since 1970. */
extern int64 cpw_settings_now(void);

/* arn:<partition>:codepipeline:<region>:<account>:webhook:<name>, palloc'd. */
extern char *cpw_settings_webhook_arn(const char *name);

/* arn:<partition>:codepipeline:<region>:<account>:<name>, palloc'd. */
extern char *cpw_settings_pipeline_arn(const char *name);

#endif							/* CPW_SETTINGS_H */
