/* privilege_test.c: what the kernel still takes from a confined process, and what not. */
#include "tests/unit/check.h"

#include "detector/privilege.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *nothing(void *argument)
{
    return argument;
}

/* 0: all that a detector does is still possible, and nothing that it does not do. */
static int look_around(void)
{
    FILE *file = tmpfile();
    pthread_t thread;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2)
        return 1;
    if (file == NULL || fputs("x", file) < 0 || fclose(file) != 0)
        return 2;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 3;
    if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
        return 4;
    if (syscall(SYS_settimeofday, NULL, NULL) == 0 || errno != EPERM)
        return 5;
    if (syscall(SYS_acct, NULL) == 0 || errno != EPERM)
        return 6;
    return 0;
}

/* Exit status of a child that confines itself and then does this; -signal when it was killed. */
static int confined(int (*what)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        _exit(privilege_confine(NULL) ? what() : 99);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_another(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static int shoot(void)
{
    return kill(getpid(), 0);
}

static void what_a_detector_does_goes_on_and_the_rest_is_refused(void **state)
{
    (void)state;
    assert_int_equal(confined(look_around), 0);
}

static void another_program_is_the_end(void **state)
{
    (void)state;
    assert_int_equal(confined(run_another), -SIGSYS);
    assert_int_equal(confined(shoot), -SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_detector_does_goes_on_and_the_rest_is_refused),
        cmocka_unit_test(another_program_is_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
