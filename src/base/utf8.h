/*
 * utf8.h
 *		Header bytes become text: what is not UTF-8 becomes U+FFFD.
 */
#ifndef CPW_UTF8_H
#define CPW_UTF8_H

#include <stddef.h>

/* Room that cpw_utf8_repair() may need for length bytes. */
#define CPW_UTF8_REPAIRED_SIZE(length)	((length) * 3)

/*
 * Copies text to repaired; each byte that is not part of well-formed UTF-8
 * (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF) becomes
 * one U+FFFD. Returns the number of bytes written. No NUL is added; NUL bytes
 * in the text are copied (the caller refuses them before).
 */
extern size_t cpw_utf8_repair(const char *text, size_t length,
							  char *repaired);

#endif							/* CPW_UTF8_H */
