/*
 * secret.c
 *		Secrets on their way to a table and back.
 *
 * The keys are read when they are first needed and again when the file, or the
 * setting, has changed: nothing has to be reloaded for a new key.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "base/seal.h"
#include "compat.h"
#include "pg/file.h"
#include "pg/secret.h"
#include "pg/settings.h"
#include "utils/memutils.h"

#define MAX_KEYS	32

/* What tells a file from the one that was read. */
typedef struct FileIdentity
{
	dev_t		device;
	ino_t		inode;
	off_t		size;
	struct timespec changed;
} FileIdentity;

static CpwSealKey keys[MAX_KEYS];
static int	key_count;
static char *read_name;			/* of the file they were read from */
static FileIdentity read_identity;

static void
identify(const struct stat *status, FileIdentity *identity)
{
	memset(identity, 0, sizeof(FileIdentity));
	identity->device = status->st_dev;
	identity->inode = status->st_ino;
	identity->size = status->st_size;
	identity->changed = status->st_ctim;
}

static void
forget_keys(void)
{
	explicit_bzero(keys, sizeof(keys));
	key_count = 0;
	if (read_name != NULL)
		pfree(read_name);
	read_name = NULL;
}

/* Takes the keys from the file's text; what is wrong with it, or NULL. */
static const char *
parse_keys(const char *text)
{
	int			line_number = 0;

	while (*text != '\0')
	{
		size_t		length = strcspn(text, "\n");
		const char *wrong;

		line_number++;
		if (strspn(text, " \t\r") < length && *text != '#')
		{
			if (key_count == MAX_KEYS)
				return psprintf("it has more than %d keys", MAX_KEYS);
			wrong = cpw_seal_parse_key(text, length, &keys[key_count]);
			if (wrong != NULL)
				return psprintf("line %d: %s", line_number, wrong);
			for (int i = 0; i < key_count; i++)
				if (strcmp(keys[i].name, keys[key_count].name) == 0)
					return psprintf("line %d: there is a key \"%s\" before",
									line_number, keys[i].name);
			key_count++;
		}
		text += length + (text[length] == '\n');
	}
	return key_count == 0 ? "it has no key" : NULL;
}

/* Reads the file where it is not the one that was read; what is wrong, or NULL. */
static const char *
load_keys(void)
{
	const char *name = cpw_setting_secret_key_file;
	struct stat status;
	FileIdentity identity;
	const char *wrong;
	char	   *text;
	size_t		length;

	if (*name == '\0')
	{
		forget_keys();
		return NULL;
	}
	if (stat(name, &status) != 0)
		return pstrdup(strerror(errno));
	identify(&status, &identity);
	if (read_name != NULL && strcmp(read_name, name) == 0 &&
		memcmp(&identity, &read_identity, sizeof(identity)) == 0)
		return NULL;
	forget_keys();
	if (!cpw_file_is_private(name))
		return "others than its owner may read it";
	wrong = cpw_file_read(name, &text, &length);
	if (wrong == NULL)
	{
		wrong = strlen(text) != length ? "it holds a NUL" : parse_keys(text);
		cpw_file_forget(text);
	}
	if (wrong != NULL)
	{
		forget_keys();
		return wrong;
	}
	read_name = MemoryContextStrdup(TopMemoryContext, name);
	read_identity = identity;
	return NULL;
}

static void
raise_problem(const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not use the keys of cp_webhook.secret_key_file"),
			 errdetail("%s.", problem),
			 errhint("The file \"%s\" must have a line for each key in use: a name and 32 bytes as base64; none but the server's user may read it.",
					 cpw_setting_secret_key_file)));
}

char *
cpw_secret_seal(const char *secret, const char *place)
{
	const char *wrong = load_keys();
	char	   *text;

	if (secret == NULL)
		return NULL;
	if (wrong != NULL)
		raise_problem(psprintf("\"%s\": %s", cpw_setting_secret_key_file, wrong));
	text = palloc(CPW_SEAL_SIZE(strlen(secret)));
	if (cpw_seal(key_count > 0 ? &keys[0] : NULL, secret, strlen(secret),
				 place, text) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not encrypt a secret")));
	return text;
}

char *
cpw_secret_try_open(const char *stored, const char *place,
					const char **problem)
{
	const char *wrong;
	const char *name;
	size_t		length;
	size_t		name_length = 0;
	const CpwSealKey *key = NULL;
	char	   *secret;

	*problem = NULL;
	if (stored == NULL)
		return NULL;
	length = strlen(stored);
	secret = palloc(length + 1);
	name = cpw_seal_key_name(stored, length, &name_length);
	if (name != NULL)
	{
		wrong = load_keys();
		for (int i = 0; i < key_count && key == NULL; i++)
			if (strlen(keys[i].name) == name_length &&
				memcmp(keys[i].name, name, name_length) == 0)
				key = &keys[i];
		if (key == NULL)
		{
			*problem = psprintf("the secret is sealed with key \"%.*s\", which cannot be had: %s",
								(int) name_length, name,
								wrong != NULL ? wrong :
								*cpw_setting_secret_key_file == '\0'
								? "cp_webhook.secret_key_file is not set"
								: "the file has no such key");
			return NULL;
		}
	}
	if (cpw_seal_open(key, stored, length, place, secret) < 0)
	{
		*problem = psprintf("key \"%s\" does not open the secret: it is another key of that name, or the secret was stored elsewhere or altered",
							key->name);
		return NULL;
	}
	return secret;
}

char *
cpw_secret_open(const char *stored, const char *place)
{
	const char *problem;
	char	   *secret = cpw_secret_try_open(stored, place, &problem);

	if (problem != NULL)
		raise_problem(problem);
	return secret;
}

/* Whether it is sealed by the key that seals now, or not sealed without one. */
static bool
is_current(const char *stored)
{
	const char *wrong = load_keys();
	size_t		name_length = 0;
	const char *name = cpw_seal_key_name(stored, strlen(stored), &name_length);

	if (wrong != NULL)
		raise_problem(psprintf("\"%s\": %s", cpw_setting_secret_key_file, wrong));
	if (name == NULL || key_count == 0)
		return name == NULL && key_count == 0;
	return strlen(keys[0].name) == name_length &&
		memcmp(keys[0].name, name, name_length) == 0;
}

bool
cpw_secret_reseal(char **stored, const char *place)
{
	if (*stored == NULL || is_current(*stored))
		return false;
	*stored = cpw_secret_seal(cpw_secret_open(*stored, place), place);
	return true;
}
