/* Faults that a test cannot bring about otherwise, put between a program and its C library by LD_PRELOAD:
   a disk whose fsync takes ENTPROP_FSYNC_MS milliseconds, and a clock that is wrong by as many seconds as the file
   ENTPROP_CLOCK says at that moment. The kernel's clock stays right, so what waits until a time of the wrong one is
   given that time in the kernel's; where a clock really jumps, both do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    const char *slow = getenv("ENTPROP_FSYNC_MS");
    if (slow) usleep(1000 * atoi(slow));
    return real(file);
}

static long offset(void) {
    const char *path = getenv("ENTPROP_CLOCK");
    FILE *file = path ? fopen(path, "r") : NULL;
    long seconds = 0;
    if (file) {
        if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *to) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (to) *to = precise.tv_sec;
    return precise.tv_sec;
}

static struct timespec in_kernel(const struct timespec *when) {
    struct timespec moved = *when;
    if (moved.tv_sec > 1000000000) moved.tv_sec -= offset(); /* else it counts from the start of the machine */
    return moved;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *when) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2"); /* an older one stands beside it */
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec moved = in_kernel(when);
    return real(cond, mutex, &moved);
}

long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    va_list given;
    long word[6];
    va_start(given, number);
    for (int i = 0; i < 6; i++) word[i] = va_arg(given, long);
    va_end(given);
    struct timespec moved;
    if (number == SYS_futex && (word[1] & FUTEX_CLOCK_REALTIME) && word[3]) {
        moved = in_kernel((const struct timespec *)word[3]);
        word[3] = (long)&moved;
    }
    return real(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}
