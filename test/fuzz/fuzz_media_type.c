/*
 * fuzz_media_type.c
 *		Content-Type, form fields and their decoding.
 */
#include "base/media_type.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	const char *end = text + size;
	size_t		left = size;
	CpwMediaType media_type = cpw_media_type_parse(text, size);
	CpwFormField field;
	char	   *decoded = room(size);

	MUST(media_type >= CPW_MEDIA_TYPE_OTHER &&
		 media_type <= CPW_MEDIA_TYPE_FORM);

	while (cpw_form_next(&text, &left, &field))
	{
		long		length;

		MUST(text + left == end);
		MUST(field.name + field.name_length <= field.value);
		MUST(field.value + field.value_length <= text);
		MUST(memchr(field.name, '&', field.name_length) == NULL);
		MUST(memchr(field.name, '=', field.name_length) == NULL);
		MUST(memchr(field.value, '&', field.value_length) == NULL);

		length = cpw_form_decode(field.value, field.value_length, decoded);
		MUST(length <= (long) field.value_length);
	}
	MUST(left == 0 && text == end);

	MUST(cpw_form_decode((const char *) data, size, decoded) <= (long) size);
	free(decoded);
	return 0;
}
