/*
 * source.c
 *		What a scheme finds in a payload.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/errors.h"
#include "pg/json.h"
#include "pg/source.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Lists of notifications, as Microsoft Graph sends them. */
#define NOTIFICATIONS	"value"

/* ---- paths ---- */

/* The name of the first member that ends so; NULL: none does. */
static char *
find_name(JsonbContainer *object, const char *ending)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	name;
	int			length = (int) strlen(ending);

	while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE)
		if (token == WJB_KEY && name.val.string.len > length &&
			memcmp(name.val.string.val + name.val.string.len - length,
				   ending, length) == 0)
			return pnstrdup(name.val.string.val, name.val.string.len);
	return NULL;
}

/* A member of an object, or an element of an array by its number. */
static JsonbValue *
step(JsonbContainer *container, const char *name, int length)
{
	JsonbValue *value;

	if (JsonContainerIsArray(container))
	{
		if (length != 1 || *name < '0' || *name > '9' ||
			JsonContainerIsScalar(container))
			return NULL;
		return getIthJsonbValueFromContainer(container, (uint32) (*name - '0'));
	}
	value = getKeyJsonValueFromContainer(container, name, length, NULL);
	return value;
}

static char *
text_of(const JsonbValue *value)
{
	if (value->type == jbvString && value->val.string.len > 0)
		return cpw_json_string(value);
	if (value->type == jbvNumeric)
		return numeric_normalize(value->val.numeric);
	return NULL;
}

static char *
follow(JsonbContainer *container, const char *path)
{
	if (*path == '*')
		return JsonContainerIsObject(container) ?
			find_name(container, path + 1) : NULL;
	for (;;)
	{
		int			length = (int) strcspn(path, ".");
		JsonbValue *value = step(container, path, length);

		if (value == NULL)
			return NULL;
		if (path[length] == '\0')
			return text_of(value);
		container = cpw_json_container(value);
		if (container == NULL)
			return NULL;
		path += length + 1;
	}
}

char *
cpw_source_find(Jsonb *payload, const char *const *paths)
{
	for (; paths != NULL && *paths != NULL; paths++)
	{
		char	   *text = follow(&payload->root, *paths);

		if (text != NULL)
			return text;
	}
	return NULL;
}

/* ---- a secret in the payload ---- */

CpwSignatureResult
cpw_source_check_secret(const CpwWebhook *webhook, Jsonb *payload, int64 now,
						CpwSignatureMatch *match)
{
	JsonbContainer *list = cpw_json_get_container(&payload->root,
												  NOTIFICATIONS);
	int			count = list != NULL && JsonContainerIsArray(list) ?
		cpw_json_length(list) : 0;
	CpwSignatureMatch found = CPW_MATCH_NONE;

	if (webhook->key == NULL)
		return CPW_SIGNATURE_FAILED;
	for (int i = 0; i < count; i++)
	{
		JsonbValue *secret = cpw_json_get(cpw_json_element(list, i),
										  webhook->scheme->body_token);

		if (secret == NULL || secret->type != jbvString)
			return CPW_SIGNATURE_MISSING;
		if (!cpw_signature_is_secret(webhook->key, secret->val.string.val,
									 (size_t) secret->val.string.len, now,
									 &found))
			return CPW_SIGNATURE_MISMATCH;
	}
	if (count == 0)
		return CPW_SIGNATURE_MISSING;
	*match = found;
	return CPW_SIGNATURE_VALID;
}

Jsonb *
cpw_source_mask_secret(const CpwWebhook *webhook, Jsonb *payload)
{
	const char *name = webhook->scheme->body_token;
	JsonbIterator *iterator = JsonbIteratorInit(&payload->root);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		is_secret = false;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_VALUE && is_secret && value.type == jbvString)
		{
			value.val.string.val = CPW_MASK;
			value.val.string.len = (int) strlen(CPW_MASK);
		}
		is_secret = token == WJB_KEY &&
			(size_t) value.val.string.len == strlen(name) &&
			memcmp(value.val.string.val, name, strlen(name)) == 0;
		result = pushJsonbValue(&state, token,
								token == WJB_KEY || token == WJB_VALUE ||
								token == WJB_ELEM ? &value : NULL);
	}
	return JsonbValueToJsonb(result);
}
