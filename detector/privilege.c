/* privilege.c: see privilege.h. capabilities(7), prctl(2), seccomp(2). */
#include "detector/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct passwd *account_of(const char *user, struct err *err)
{
    const struct passwd *account = getpwnam(user);

    if (account == NULL)
        err_set(err, ERR_NOT_FOUND, "user: there is no user \"%s\"", user);
    else if (getuid() == account->pw_uid || getuid() == 0)
        return account;
    else
        err_set(err, ERR_DENIED, "user: only root can become \"%s\"", user);
    return NULL;
}

bool privilege_check(const char *user, struct err *err)
{
    return account_of(user, err) != NULL;
}

static bool become(const char *user, struct err *err)
{
    const struct passwd *account = account_of(user, err);

    if (account == NULL)
        return false;
    if (getuid() == account->pw_uid)
        return true;
    /* the capability must outlive the change of the user */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
        setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0)
        return err_set(err, ERR_SYSTEM, "user: cannot become \"%s\": %s", user, strerror(errno));
    return true;
}

static bool set(bool effective)
{
    cap_value_t raw = CAP_NET_RAW;
    cap_flag_value_t has = CAP_CLEAR;
    cap_t now = cap_get_proc(), wanted = cap_init();
    bool ok = now != NULL && wanted != NULL && cap_get_flag(now, raw, CAP_PERMITTED, &has) == 0;

    if (ok && has == CAP_SET)
        ok = cap_set_flag(wanted, CAP_PERMITTED, 1, &raw, CAP_SET) == 0 &&
             (!effective || cap_set_flag(wanted, CAP_EFFECTIVE, 1, &raw, CAP_SET) == 0);
    ok = ok && cap_set_proc(wanted) == 0;
    cap_free(now);
    cap_free(wanted);
    return ok;
}

bool privilege_drop(const char *user, struct err *err)
{
    if (user != NULL && !become(user, err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, ERR_SYSTEM, "privileges: %s", strerror(errno));
    if (!set(false))
        return err_set(err, ERR_SYSTEM, "privileges cannot be given up: %s", strerror(errno));
    return true;
}

void privilege_raise(void)
{
    set(true); /* a failure shows as a refused device */
}

void privilege_lower(void)
{
    set(false);
}

bool privilege_may_capture(void)
{
    cap_flag_value_t has = CAP_CLEAR;
    cap_t now = cap_get_proc();

    if (now != NULL)
        cap_get_flag(now, CAP_NET_RAW, CAP_PERMITTED, &has);
    cap_free(now);
    return has == CAP_SET;
}

/* What was seen by strace over all ways to run, and what the same libraries call on other kernels and C libraries. A
 * name that the library does not know on this machine is passed over. */
static const char *const allowed[] = {
    /* files: captures, model, spool, uploads, secrets */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "_llseek", "open",
    "openat", "close", "stat", "fstat", "lstat", "stat64", "fstat64", "lstat64", "newfstatat", "fstatat64", "statx",
    "statfs", "fstatfs", "statfs64", "fstatfs64", "access", "faccessat", "faccessat2", "fcntl", "fcntl64", "flock",
    "fsync", "fdatasync", "sync_file_range", "ftruncate", "ftruncate64", "fallocate", "fadvise64", "fadvise64_64",
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod",
    "fchmodat", "fchown", "fchown32", "utimensat", "getdents", "getdents64", "getcwd", "readlink", "readlinkat",
    "umask", "dup", "dup2", "dup3", "pipe", "pipe2", "sendfile", "sendfile64", "ioctl",
    /* memory; mmap and mprotect stand below */
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock", "msync", "mincore",
    /* threads, time, signals */
    "clone", "clone3", "futex", "futex_time64", "set_robust_list", "get_robust_list", "set_tid_address", "rseq",
    "exit", "exit_group", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "membarrier",
    "getcpu", "prctl", "arch_prctl", "gettid", "getpid", "getppid", "tgkill", "clock_gettime", "clock_gettime64",
    "clock_getres", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time", "times",
    "getrusage", "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigreturn", "sigreturn", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_sigsuspend", "sigaltstack", "restart_syscall",
    /* the network */
    "socket", "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "sendto",
    "send", "recvfrom", "recv", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "setsockopt", "getsockopt",
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
    /* who we are, and the one right that is raised to open a device */
    "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32", "getegid32", "getresuid",
    "getresgid", "getgroups", "capget", "capset", "getrandom", "uname", "sysinfo", "prlimit64", "getrlimit",
    "ugetrlimit"};

static const char *const deadly[] = {
    "execve",     "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "mount",        "umount2",
    "pivot_root", "chroot",   "setns",  "unshare",          "init_module",       "finit_module", "kexec_load",
    "bpf",        "kill",     "tkill"};

/* Memory is written or executed, never both. */
static int allow_memory(scmp_filter_ctx filter, const char *name)
{
    static const unsigned long ways[] = {0, PROT_WRITE, PROT_EXEC};
    int call = seccomp_syscall_resolve_name(name), failed = 0;

    for (size_t i = 0; call != __NR_SCMP_ERROR && i < sizeof ways / sizeof *ways; i++)
        failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, ways[i]));
    return failed;
}

static int add_rules(scmp_filter_ctx filter)
{
    int failed = allow_memory(filter, "mmap") | allow_memory(filter, "mmap2") | allow_memory(filter, "mprotect");

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        int call = seccomp_syscall_resolve_name(allowed[i]);

        if (call != __NR_SCMP_ERROR)
            failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
    }
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        int call = seccomp_syscall_resolve_name(deadly[i]);

        if (call != __NR_SCMP_ERROR)
            failed |= seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0);
    }
    return failed;
}

bool privilege_confine(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int failed = filter == NULL ? -ENOMEM : add_rules(filter);

    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 || err_set(err, ERR_UNAVAILABLE, "no filter for system calls: %s", strerror(-failed));
}
