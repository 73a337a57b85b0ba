/* Preloaded, makes positioned writes and flushes fail with EIO while a file says so.
 *
 *     cc -shared -fPIC -O2 -o failing_disk.so failing_disk.c -ldl
 *
 * FAILING_DISK names a folder: a file `write` in it fails writes, a file `flush` flushes. Only
 * SQLite writes at positions and flushes here; what is written to pipes and sockets is let be.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *what)
{
    char path[4096];
    const char *folder = getenv("FAILING_DISK");
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, what) >= (int)sizeof path)
        return 0;
    if (access(path, F_OK))
        return 0;
    errno = EIO;
    return 1;
}

#define WRITE(name)                                                                        \
    ssize_t name(int fd, const void *data, size_t size, off_t at)                          \
    {                                                                                      \
        ssize_t (*next)(int, const void *, size_t, off_t) =                                \
            (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, #name);         \
        return fails("write") ? -1 : next(fd, data, size, at);                             \
    }

#define FLUSH(name)                                                                        \
    int name(int fd)                                                                       \
    {                                                                                      \
        int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name);                          \
        return fails("flush") ? -1 : next(fd);                                             \
    }

WRITE(pwrite)
WRITE(pwrite64)
FLUSH(fsync)
FLUSH(fdatasync)
