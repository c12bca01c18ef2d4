/*
 * json.h
 *		Members of jsonb objects read and written with less ceremony.
 */
#ifndef CPW_JSON_H
#define CPW_JSON_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

/* ---- reading ---- */

/* The container of a value that is an object or array, else NULL. */
extern JsonbContainer *cpw_json_container(const JsonbValue *value);

/*
 * A member of an object; NULL when object is NULL or no object, and when the
 * member is absent or null.
 */
extern JsonbValue *cpw_json_get(JsonbContainer *object, const char *name);

/* A string member, palloc'd; NULL when there is none. */
extern char *cpw_json_get_text(JsonbContainer *object, const char *name);

/* A member that is an integer between the int's bounds, else if_absent. */
extern int	cpw_json_get_int(JsonbContainer *object, const char *name,
							 int if_absent);

extern bool cpw_json_get_bool(JsonbContainer *object, const char *name,
							  bool if_absent);

/* An object or array member, NULL when there is none. */
extern JsonbContainer *cpw_json_get_container(JsonbContainer *object,
											  const char *name);

/* The number of elements; 0 for NULL. Elements that are containers. */
extern int	cpw_json_length(JsonbContainer *array);
extern JsonbContainer *cpw_json_element(JsonbContainer *array, int index);

/* A string value as a C string, palloc'd. */
extern char *cpw_json_string(const JsonbValue *value);

/* An object or array as a value of its own; NULL for NULL. */
extern Jsonb *cpw_json_copy(JsonbValue *value);

/* ---- writing: begin with {0} ---- */

typedef struct CpwJsonWriter
{
	JsonbParseState *state;
	JsonbValue *result;
} CpwJsonWriter;

/*
 * Objects and arrays are opened and closed; name is the member's name, or NULL
 * at the top and in an array. A NULL text or value writes nothing at all.
 */
extern void cpw_json_open_object(CpwJsonWriter *writer, const char *name);
extern void cpw_json_close_object(CpwJsonWriter *writer);
extern void cpw_json_open_array(CpwJsonWriter *writer, const char *name);
extern void cpw_json_close_array(CpwJsonWriter *writer);
extern void cpw_json_add_value(CpwJsonWriter *writer, const char *name,
							   const JsonbValue *value);
extern void cpw_json_add_text(CpwJsonWriter *writer, const char *name,
							  const char *text);
extern void cpw_json_add_int(CpwJsonWriter *writer, const char *name,
							 int number);
extern void cpw_json_add_jsonb(CpwJsonWriter *writer, const char *name,
							   const Jsonb *json);

/* The API's timestamp: seconds since 1970 with a fraction; 0 writes nothing. */
extern void cpw_json_add_timestamp(CpwJsonWriter *writer, const char *name,
								   TimestampTz instant);

/* Ends the value. */
extern Jsonb *cpw_json_finish(CpwJsonWriter *writer);

#endif							/* CPW_JSON_H */
