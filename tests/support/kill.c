// Ends the process at the Nth call that makes something durable, or that writes. For tests, by LD_PRELOAD.
//   KILL_AT=N         before the Nth fsync, fdatasync or rename; nothing happens without it
//   KILL_WRITES=1     the Nth of these and of all writes to files: what was only to be written then is lost
//   KILL_COUNT=FILE   a byte is added for each such call, so that a test knows how many there are
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static void step(void) {
    long n = atomic_fetch_add(&calls, 1) + 1;
    const char *file = getenv("KILL_COUNT"), *at = getenv("KILL_AT");
    if (file) {
        int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0600);
        if (fd >= 0) {
            ssize_t (*plain)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
            if (plain(fd, ".", 1) != 1) abort();
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

// A write to a file that outlives the process, and not to a socket, a pipe or the count above.
static void written(int fd) {
    struct stat what;
    if (getenv("KILL_WRITES") && fstat(fd, &what) == 0 && S_ISREG(what.st_mode)) step();
}

ssize_t write(int fd, const void *from, size_t bytes) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    written(fd);
    return real(fd, from, bytes);
}

ssize_t writev(int fd, const struct iovec *from, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    written(fd);
    return real(fd, from, count);
}

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    written(fd);
    return real(fd, from, bytes, at);
}
