/*
 * arn.h
 *		The ARN of a resource read.
 */
#ifndef CPW_ARN_H
#define CPW_ARN_H

#include "postgres.h"

typedef struct CpwArn
{
	bool		is_ours;		/* of our partition, region and account */
	bool		is_webhook;		/* else a pipeline */
	char	   *name;
} CpwArn;

/*
 * Reads arn:<partition>:codepipeline:<region>:<account>:[webhook:]<name>.
 * Raises InvalidArnException for what is none of these.
 */
extern CpwArn cpw_arn_read(const char *arn);

#endif							/* CPW_ARN_H */
