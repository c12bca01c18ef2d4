/*
 * fuzz.h
 *		What the fuzz targets share. The bytes that each gets end at the end
 *		of an allocation, so AddressSanitizer sees any that is read too far;
 *		what must hold of a result is checked with MUST().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Memory of exactly this size (at least 1). */
static inline void *
room(size_t size)
{
	void	   *memory = malloc(size > 0 ? size : 1);

	MUST(memory != NULL);
	return memory;
}

#endif							/* FUZZ_H */
