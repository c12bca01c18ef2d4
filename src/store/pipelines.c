/*
 * pipelines.c
 *		The tables pipeline_definitions and pipeline_versions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "pg/declaration.h"
#include "store/arguments.h"
#include "store/pipelines.h"

/*
 * The pipeline alone, and its declaration by a statement of its own: a join
 * that waits for a row lock would see the new version without its declaration.
 */
#define FIND_PIPELINE \
	"SELECT name, version, execution_mode, created_at, updated_at" \
	" FROM cp_webhook.pipeline_definitions WHERE name = $1"

static CpwStatement find_pipeline[] = {
	[CPW_PIPELINE_READ] = {
		.sql = FIND_PIPELINE,
		.expected = SPI_OK_SELECT,
		.parameters = 1,
		.types = {TEXTOID},
	},
	[CPW_PIPELINE_SHARE] = {
		.sql = FIND_PIPELINE " FOR SHARE",
		.expected = SPI_OK_SELECT,
		.parameters = 1,
		.types = {TEXTOID},
	},
	[CPW_PIPELINE_CHANGE] = {
		.sql = FIND_PIPELINE " FOR NO KEY UPDATE",
		.expected = SPI_OK_SELECT,
		.parameters = 1,
		.types = {TEXTOID},
	},
};

static CpwStatement find_declaration = {
	.sql = "SELECT declaration FROM cp_webhook.pipeline_versions"
	" WHERE name = $1 AND version = $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, INT4OID},
};

/* Both at once, with no lock: the pipeline may go between two statements. */
static CpwStatement read_version = {
	.sql = "SELECT p.name, p.version, p.execution_mode, p.created_at,"
	" p.updated_at, v.declaration FROM cp_webhook.pipeline_definitions p"
	" LEFT JOIN cp_webhook.pipeline_versions v ON v.name = p.name"
	" AND v.version = CASE WHEN $2 > 0 THEN $2 ELSE p.version END"
	" WHERE p.name = $1",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, INT4OID},
};

static CpwStatement lock_versions = {
	.sql = "SELECT name, version, declaration FROM cp_webhook.pipeline_versions"
	" ORDER BY name, version FOR NO KEY UPDATE",
	.expected = SPI_OK_SELECT,
};

static CpwStatement update_declaration = {
	.sql = "UPDATE cp_webhook.pipeline_versions SET declaration = $3"
	" WHERE name = $1 AND version = $2",
	.expected = SPI_OK_UPDATE,
	.parameters = 3,
	.types = {TEXTOID, INT4OID, JSONBOID},
};

static CpwStatement insert_pipeline = {
	.sql = "INSERT INTO cp_webhook.pipeline_definitions"
	" (name, version, execution_mode) VALUES ($1, 1, $2)"
	" ON CONFLICT (name) DO NOTHING",
	.expected = SPI_OK_INSERT,
	.parameters = 2,
	.types = {TEXTOID, TEXTOID},
};

static CpwStatement insert_version = {
	.sql = "INSERT INTO cp_webhook.pipeline_versions"
	" (name, version, declaration) VALUES ($1, $2, $3)",
	.expected = SPI_OK_INSERT,
	.parameters = 3,
	.types = {TEXTOID, INT4OID, JSONBOID},
};

static CpwStatement update_pipeline = {
	.sql = "UPDATE cp_webhook.pipeline_definitions SET version = $2,"
	" execution_mode = $3, updated_at = pg_catalog.clock_timestamp()"
	" WHERE name = $1",
	.expected = SPI_OK_UPDATE,
	.parameters = 3,
	.types = {TEXTOID, INT4OID, TEXTOID},
};

static CpwStatement delete_pipeline = {
	.sql = "DELETE FROM cp_webhook.pipeline_definitions WHERE name = $1",
	.expected = SPI_OK_DELETE,
	.parameters = 1,
	.types = {TEXTOID},
};

/*
 * After the pipeline's own row, so that versions are seen that were made while
 * that was locked; and of one that begins, for a row deleted by hand leaves
 * its versions behind.
 */
static CpwStatement delete_versions = {
	.sql = "DELETE FROM cp_webhook.pipeline_versions WHERE name = $1",
	.expected = SPI_OK_DELETE,
	.parameters = 1,
	.types = {TEXTOID},
};

static CpwStatement list_pipelines = {
	.sql = "SELECT p.name, p.version, p.execution_mode, p.created_at,"
	" p.updated_at, v.declaration ->> 'pipelineType'"
	" FROM cp_webhook.pipeline_definitions p"
	" JOIN cp_webhook.pipeline_versions v"
	" ON v.name = p.name AND v.version = p.version"
	" WHERE p.name > $1 ORDER BY p.name LIMIT $2",
	.expected = SPI_OK_SELECT,
	.parameters = 2,
	.types = {TEXTOID, INT4OID},
};

static void
read_pipeline(uint64 row, CpwPipeline *pipeline)
{
	MemoryContext context = CurrentMemoryContext;

	pipeline->name = cpw_statement_get_text(row, 1, context);
	pipeline->version = cpw_statement_get_int(row, 2);
	pipeline->execution_mode = cpw_statement_get_text(row, 3, context);
	pipeline->created_at = cpw_statement_get_timestamp(row, 4);
	pipeline->updated_at = cpw_statement_get_timestamp(row, 5);
}

bool
cpw_pipelines_find(const char *name, CpwPipelineLock lock,
				   CpwPipeline *pipeline)
{
	if (cpw_arguments_execute_text(&find_pipeline[lock], name) == 0)
		return false;
	if (pipeline != NULL)
	{
		memset(pipeline, 0, sizeof(CpwPipeline));
		read_pipeline(0, pipeline);
	}
	return true;
}

bool
cpw_pipelines_read(const char *name, int version, CpwPipeline *pipeline,
				   Jsonb **declaration)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	cpw_arguments_add_int(&arguments, version);
	if (cpw_arguments_execute(&read_version, &arguments) == 0)
		return false;
	memset(pipeline, 0, sizeof(CpwPipeline));
	read_pipeline(0, pipeline);
	*declaration = cpw_statement_get_jsonb(0, 6, CurrentMemoryContext);
	return true;
}

Jsonb *
cpw_pipelines_declaration(const char *name, int version)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	cpw_arguments_add_int(&arguments, version);
	if (cpw_arguments_execute(&find_declaration, &arguments) == 0)
		return NULL;
	return cpw_statement_get_jsonb(0, 1, CurrentMemoryContext);
}

static void
store_version(const char *name, int version, Jsonb *declaration)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	cpw_arguments_add_int(&arguments, version);
	cpw_arguments_add_jsonb(&arguments, declaration);
	cpw_arguments_execute(&insert_version, &arguments);
}

bool
cpw_pipelines_insert(const char *name, const char *execution_mode,
					 Jsonb *declaration)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	cpw_arguments_add_text(&arguments, execution_mode);
	if (cpw_arguments_execute(&insert_pipeline, &arguments) == 0)
		return false;
	cpw_arguments_execute_text(&delete_versions, name);
	store_version(name, 1, declaration);
	return true;
}

void
cpw_pipelines_update(const char *name, int version,
					 const char *execution_mode, Jsonb *declaration)
{
	CpwArguments arguments = {0};

	cpw_arguments_add_text(&arguments, name);
	cpw_arguments_add_int(&arguments, version);
	cpw_arguments_add_text(&arguments, execution_mode);
	cpw_arguments_execute(&update_pipeline, &arguments);
	store_version(name, version, declaration);
}

/* A row of pipeline_versions. */
typedef struct Version
{
	char	   *pipeline;
	int			number;
	Jsonb	   *declaration;
} Version;

int64
cpw_pipelines_reseal(void)
{
	MemoryContext context = CurrentMemoryContext;
	uint64		rows = cpw_statement_execute(&lock_versions, NULL, NULL);
	Version    *versions = palloc(sizeof(Version) * Max(rows, 1));
	int64		count = 0;

	for (uint64 row = 0; row < rows; row++)
	{
		versions[row].pipeline = cpw_statement_get_text(row, 1, context);
		versions[row].number = cpw_statement_get_int(row, 2);
		versions[row].declaration = cpw_statement_get_jsonb(row, 3, context);
	}
	for (uint64 row = 0; row < rows; row++)
	{
		CpwArguments arguments = {0};
		bool		changed;
		Jsonb	   *declaration =
			cpw_declaration_reseal(versions[row].declaration, &changed);

		if (!changed)
			continue;
		cpw_arguments_add_text(&arguments, versions[row].pipeline);
		cpw_arguments_add_int(&arguments, versions[row].number);
		cpw_arguments_add_jsonb(&arguments, declaration);
		cpw_arguments_execute(&update_declaration, &arguments);
		count++;
	}
	return count;
}

bool
cpw_pipelines_delete(const char *name)
{
	if (cpw_arguments_execute_text(&delete_pipeline, name) == 0)
		return false;
	cpw_arguments_execute_text(&delete_versions, name);
	return true;
}

int
cpw_pipelines_list(const char *after, int limit, CpwPipeline **pipelines)
{
	CpwArguments arguments = {0};
	uint64		rows;

	cpw_arguments_add_text(&arguments, after);
	cpw_arguments_add_int(&arguments, limit);
	rows = cpw_arguments_execute(&list_pipelines, &arguments);
	*pipelines = palloc0(sizeof(CpwPipeline) * Max(rows, 1));
	for (uint64 row = 0; row < rows; row++)
	{
		read_pipeline(row, &(*pipelines)[row]);
		(*pipelines)[row].type = cpw_statement_get_text(row, 6,
														CurrentMemoryContext);
	}
	return (int) rows;
}
