/*
 * secrets.h
 *		The secrets of a webhook. They are read and written in one place
 *		(store/webhooks.c), and shown nowhere.
 */
#ifndef CPW_SECRETS_H
#define CPW_SECRETS_H

/* Each as it was put; NULL: there is none. */
typedef struct CpwSecrets
{
	char	   *token;			/* SecretToken */
	char	   *previous;		/* PreviousSecretToken */
	char	   *verify;			/* VerifyToken */
} CpwSecrets;

#endif							/* CPW_SECRETS_H */
