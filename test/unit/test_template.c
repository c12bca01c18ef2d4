/*
 * test_template.c
 *		What a signature covers, taken apart.
 */
#include "base/template.h"
#include "check.h"

static void
test_faults(void)
{
	static const struct
	{
		const char *text;
		int			count;		/* of pieces; -1: it is wrong */
		size_t		position;	/* where */
	}			rows[] = {
		{"", 0, 0},
		{"{body}", 1, 0},
		{"v0:{timestamp}:{body}", 4, 0},
		{"{header:X-Date}", 1, 0},
		{"{{{body}}}", 3, 0},
		{"{", -1, 0},
		{"}", -1, 0},
		{"a}", -1, 1},
		{"{}", -1, 0},
		{"{body", -1, 0},
		{"x{Body}", -1, 1},
		{"{ body}", -1, 0},
		{"{bodyy}", -1, 0},
		{"{header}", -1, 0},
		{"{header:}", -1, 0},
		{"{header:a b}", -1, 0},
		{"{header:a{b}", -1, 0},
		{"{body}{nobody}", -1, 6},
		{"{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}", 16, 0},
		{"{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}", -1, 64},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
	{
		CpwTemplate template;
		size_t		position = 0;
		const char *fault = cpw_template_parse(rows[i].text, &template,
											   &position);

		CHECK_FOR(rows[i].text, (fault != NULL) == (rows[i].count < 0));
		CHECK_FOR(rows[i].text, fault != NULL ?
				  position == rows[i].position :
				  template.count == rows[i].count);
	}
}

void
test_template(void)
{
	CpwTemplate template;
	size_t		position;

	test_faults();
	CHECK(cpw_template_parse("a{{{header:X-Y}b{url}", &template, &position) ==
		  NULL);
	CHECK(template.count == 4);
	CHECK_BYTES_FOR(NULL, template.pieces[0].text, template.pieces[0].length,
					"a{", 2);
	CHECK(template.pieces[1].kind == CPW_PIECE_HEADER);
	CHECK_BYTES_FOR(NULL, template.pieces[1].text, template.pieces[1].length,
					"X-Y", 3);
	CHECK_BYTES_FOR(NULL, template.pieces[2].text, template.pieces[2].length,
					"b", 1);
	CHECK(template.pieces[3].kind == CPW_PIECE_URL);
	CHECK(cpw_template_has(&template, CPW_PIECE_URL));
	CHECK(!cpw_template_has(&template, CPW_PIECE_BODY));
}
