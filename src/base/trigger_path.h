/*
 * trigger_path.h
 *		The request target of a receiver: /trigger/<token> and /healthz.
 */
#ifndef CPW_TRIGGER_PATH_H
#define CPW_TRIGGER_PATH_H

#include "cp_webhook.h"

#define CPW_TRIGGER_PREFIX	"/trigger/"

typedef enum CpwTargetKind
{
	CPW_TARGET_OTHER,			/* nothing that is served here */
	CPW_TARGET_TRIGGER,
	CPW_TARGET_HEALTHZ
} CpwTargetKind;

typedef struct CpwTarget
{
	CpwTargetKind kind;
	const char *token;			/* TRIGGER: CPW_TOKEN_LENGTH characters */
	const char *query;			/* after "?", still encoded */
	size_t		query_length;	/* 0 without one */
} CpwTarget;

/*
 * Splits a request target in origin or absolute form. Pointers go into the
 * given text. A token is exactly CPW_TOKEN_LENGTH characters of the base64url alphabet;
 * anything else (a slash behind it, an escape in it) is OTHER. A "#..." is no
 * part of a target and makes it OTHER.
 */
extern void cpw_target_parse(const char *text, size_t length,
							 CpwTarget *target);

#endif							/* CPW_TRIGGER_PATH_H */
