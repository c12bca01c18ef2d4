/*
 * instant.c
 *		The timestamps of signed requests.
 */
#include "base/instant.h"

#include <string.h>

#ifdef POSTGRES_H
#error "src/base is plain C"
#endif

/* More digits than these are milliseconds, until the year 5138. */
#define SECOND_DIGITS		11
#define MILLISECOND_DIGITS	13

/* What is still to be read. */
typedef struct Rest
{
	const char *text;
	size_t		length;
} Rest;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes a number of exactly so many digits. */
static bool
take_number(Rest *rest, size_t digits, int64_t *number)
{
	if (rest->length < digits)
		return false;
	*number = 0;
	for (size_t i = 0; i < digits; i++)
	{
		if (!is_digit(rest->text[i]))
			return false;
		*number = *number * 10 + (rest->text[i] - '0');
	}
	rest->text += digits;
	rest->length -= digits;
	return true;
}

static bool
take_text(Rest *rest, const char *text)
{
	size_t		length = strlen(text);

	if (rest->length < length || memcmp(rest->text, text, length) != 0)
		return false;
	rest->text += length;
	rest->length -= length;
	return true;
}

/* One of the names, counted from 1; 0: none. */
static int64_t
take_name(Rest *rest, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (take_text(rest, names[i]))
			return i + 1;
	return 0;
}

/* Days since 1970 of a day of the Gregorian calendar. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	static const int before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
	};
	int64_t		past = year - 1;
	bool		is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return past * 365 + past / 4 - past / 100 + past / 400 - 719162 +
		before[month - 1] + (month > 2 && is_leap ? 1 : 0) + day - 1;
}

typedef struct Fields
{
	int64_t		year;
	int64_t		month;
	int64_t		day;
	int64_t		hour;
	int64_t		minute;
	int64_t		second;
} Fields;

static bool
to_seconds(const Fields *fields, int64_t *seconds)
{
	if (fields->year < 1 || fields->month < 1 || fields->month > 12 ||
		fields->day < 1 || fields->day > 31 || fields->hour > 23 ||
		fields->minute > 59 || fields->second > 60)
		return false;
	*seconds = ((days_of(fields->year, fields->month, fields->day) * 24 +
				 fields->hour) * 60 + fields->minute) * 60 + fields->second;
	return true;
}

static bool
take_time(Rest *rest, Fields *fields)
{
	return take_number(rest, 2, &fields->hour) && take_text(rest, ":") &&
		take_number(rest, 2, &fields->minute) && take_text(rest, ":") &&
		take_number(rest, 2, &fields->second);
}

/* Thu, 07 Sep 2017 06:30:04 GMT */
static bool
parse_http(Rest rest, int64_t *seconds)
{
	static const char *const days[] = {
		"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
	};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	Fields		fields;

	if (take_name(&rest, days, 7) == 0)
		return false;
	(void) take_text(&rest, ",");
	if (!take_text(&rest, " ") || !take_number(&rest, 2, &fields.day) ||
		!take_text(&rest, " "))
		return false;
	fields.month = take_name(&rest, months, 12);
	return fields.month > 0 && take_text(&rest, " ") &&
		take_number(&rest, 4, &fields.year) && take_text(&rest, " ") &&
		take_time(&rest, &fields) && take_text(&rest, " ") &&
		(take_text(&rest, "GMT") || take_text(&rest, "UTC")) &&
		rest.length == 0 && to_seconds(&fields, seconds);
}

/* Z, or an offset such as +02:00, in seconds. */
static bool
take_offset(Rest *rest, int64_t *offset)
{
	int64_t		sign = 1;
	int64_t		hours;
	int64_t		minutes;

	*offset = 0;
	if (take_text(rest, "Z"))
		return true;
	if (take_text(rest, "-"))
		sign = -1;
	else if (!take_text(rest, "+"))
		return false;
	if (!take_number(rest, 2, &hours) || !take_text(rest, ":") ||
		!take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*offset = sign * (hours * 60 + minutes) * 60;
	return true;
}

/* 2017-09-07T06:30:04.123+02:00 */
static bool
parse_rfc3339(Rest rest, int64_t *seconds)
{
	Fields		fields;
	int64_t		offset;

	if (!take_number(&rest, 4, &fields.year) || !take_text(&rest, "-") ||
		!take_number(&rest, 2, &fields.month) || !take_text(&rest, "-") ||
		!take_number(&rest, 2, &fields.day) || !take_text(&rest, "T") ||
		!take_time(&rest, &fields))
		return false;
	if (take_text(&rest, "."))
	{
		if (rest.length == 0 || !is_digit(*rest.text))
			return false;
		while (rest.length > 0 && is_digit(*rest.text))
		{
			rest.text++;
			rest.length--;
		}
	}
	if (!take_offset(&rest, &offset) || rest.length != 0 ||
		!to_seconds(&fields, seconds))
		return false;
	*seconds -= offset;
	return true;
}

bool
cpw_instant_parse(const char *text, size_t length, int64_t *seconds)
{
	Rest		rest = {text, length};

	if (length > 0 && length <= MILLISECOND_DIGITS &&
		take_number(&rest, length, seconds))
	{
		if (length > SECOND_DIGITS)
			*seconds /= 1000;
		return true;
	}
	rest = (Rest) {text, length};
	return parse_http(rest, seconds) || parse_rfc3339(rest, seconds);
}
