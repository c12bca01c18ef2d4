/*
 * file.c
 *		Small files of the server that hold keys and certificates.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "compat.h"
#include "pg/file.h"
#include "storage/fd.h"

const char *
cpw_file_read(const char *name, char **content, size_t *length)
{
	int			fd = OpenTransientFile(name, O_RDONLY | PG_BINARY);
	const char *wrong = NULL;
	ssize_t		got;

	*content = NULL;
	*length = 0;
	if (fd < 0)
		return pstrdup(strerror(errno));
	*content = palloc0(CPW_FILE_MAX_SIZE);
	while ((got = read(fd, *content + *length,
					   CPW_FILE_MAX_SIZE - *length)) > 0)
		*length += (size_t) got;
	if (got < 0)
		wrong = pstrdup(strerror(errno));
	else if (*length == CPW_FILE_MAX_SIZE)
		wrong = psprintf("larger than %d bytes", CPW_FILE_MAX_SIZE - 1);
	else if (*length == 0)
		wrong = "empty";
	CloseTransientFile(fd);
	if (wrong != NULL)
	{
		cpw_file_forget(*content);
		*content = NULL;
	}
	return wrong;
}

void
cpw_file_forget(char *content)
{
	if (content == NULL)
		return;
	explicit_bzero(content, CPW_FILE_MAX_SIZE);
	pfree(content);
}

bool
cpw_file_is_private(const char *name)
{
	return check_ssl_key_file_permissions(name, false);
}
