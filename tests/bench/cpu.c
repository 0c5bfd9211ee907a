/* cpu: runs a command and writes "user_s sys_s maxrss_MiB wall_s exit" as one line to the file named first.
 * User and system time include every child that was waited for; the RSS is the largest single process's.
 *   cpu SECONDS FILE COMMAND [ARG...]      after SECONDS the command's whole group is killed (exit 124) */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t late;
static void on_alarm(int sig)
{
    (void)sig;
    late = 1;
    kill(-child, SIGKILL);
}

int main(int argc, char **argv)
{
    struct timespec a, b;
    struct rusage ru;
    int status;

    if (argc < 4)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &a);
    child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    setpgid(child, child);
    signal(SIGALRM, on_alarm);
    alarm((unsigned)strtoul(argv[1], NULL, 10));
    while (waitpid(child, &status, 0) < 0) {
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    getrusage(RUSAGE_CHILDREN, &ru);
    FILE *out = fopen(argv[2], "w");
    if (out == NULL)
        return 1;
    fprintf(out, "%.3f %.3f %ld %.3f %d\n", (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6,
            (double)ru.ru_stime.tv_sec + (double)ru.ru_stime.tv_usec / 1e6, ru.ru_maxrss / 1024,
            (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9,
            late                ? 124
            : WIFEXITED(status) ? WEXITSTATUS(status)
                                : 128 + WTERMSIG(status));
    return fclose(out) != 0;
}
