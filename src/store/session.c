/*
 * session.c
 *		The server programming interface opened and closed.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "store/session.h"
#include "store/statement.h"
#include "store/version.h"

void
cpw_session_open(void)
{
	cpw_version_require();
	cpw_session_open_any();
}

void
cpw_session_open_any(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
cpw_session_close(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

void
cpw_session_fire_deferred(void)
{
	cpw_statement_run_utility("SET CONSTRAINTS ALL IMMEDIATE");
}

Jsonb *
cpw_session_keep_jsonb(Jsonb *jsonb)
{
	return DatumGetJsonbP(SPI_datumTransfer(JsonbPGetDatum(jsonb), false, -1));
}
