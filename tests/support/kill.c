// Ends the process, as a cut of power would, at the Nth call that makes something durable. For tests, by LD_PRELOAD.
//   KILL_AT=N         before the Nth fsync, fdatasync or rename; nothing happens without it
//   KILL_COUNT=FILE   a byte is added for each such call, so that a test knows how many there are
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long calls;

static void step(void) {
    long n = atomic_fetch_add(&calls, 1) + 1;
    const char *file = getenv("KILL_COUNT"), *at = getenv("KILL_AT");
    if (file) {
        int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);
        if (fd >= 0) {
            if (write(fd, ".", 1) != 1) abort();
            close(fd);
        }
    }
    if (at && n == atol(at)) kill(getpid(), SIGKILL);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    step();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    step();
    return real(fd);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    step();
    return real(from, to);
}
