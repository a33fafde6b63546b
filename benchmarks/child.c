/* The supervised program of all measures: as small as a program can be, so that supervisors are measured.
 *
 *   child wait FIFO               writes its pid to FIFO, keeps that open, lives until it is killed
 *   child crash FIFO SECONDS      the same, but fails after SECONDS
 *   child print GATE SIZE COUNT   waits at a gate, prints COUNT lines of SIZE bytes (-1: for ever), then a last one
 *   child number GATE RATE        waits at a gate, prints numbered lines, RATE a second, until SIGTERM; then a last one
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const char end[] = "this is the end\n";
static volatile sig_atomic_t told;

static void tell(int number) { told = number; }

static void print(const char *text, size_t size) {
    while (size > 0) {
        ssize_t written = write(1, text, size);
        if (written < 0) _exit(1);
        text += written;
        size -= written;
    }
}

static void wait_at(const char *gate) { flock(open(gate, O_RDONLY), LOCK_SH); }

static void announce(const char *path) {
    char text[32];
    int fd = open(path, O_WRONLY);
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd < 0 || write(fd, text, size) != size) _exit(1);
}

static void rest(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    if (strcmp(argv[1], "wait") == 0) {
        announce(argv[2]);
    } else if (strcmp(argv[1], "crash") == 0 && argc == 4) {
        announce(argv[2]);
        rest(atof(argv[3]));
        return 1;
    } else if (strcmp(argv[1], "print") == 0 && argc == 5) {
        size_t size = atol(argv[3]);
        long count = atol(argv[4]);
        char *piece = memset(malloc(size), 'x', size);
        piece[size - 1] = '\n';
        wait_at(argv[2]);
        for (; count; count--) print(piece, size);
        print(end, sizeof end - 1);
    } else if (strcmp(argv[1], "number") == 0 && argc == 4) {
        char text[32];
        long number = 0;
        signal(SIGTERM, tell);
        wait_at(argv[2]);
        while (!told) {
            print(text, snprintf(text, sizeof text, "%ld\n", number++));
            rest(1 / atof(argv[3]));
        }
        print(end, sizeof end - 1);
        return 0;
    } else {
        return 2;
    }
    for (;;) pause();
}
