/* Preloaded, makes every flush last 5 ms longer, as an SD card's does.
 *
 *     cc -shared -fPIC -O2 -o slow_flush.so slow_flush.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static const struct timespec PAUSE = {0, 5000000};

static int flush(const char *name, int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    nanosleep(&PAUSE, 0);
    return next(fd);
}

int fsync(int fd) { return flush("fsync", fd); }

int fdatasync(int fd) { return flush("fdatasync", fd); }
