/* privilege.c: see privilege.h. capabilities(7), prctl(2). */
#include "detector/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool become(const char *user, struct err *err)
{
    const struct passwd *account = getpwnam(user);

    if (account == NULL)
        return err_set(err, ERR_NOT_FOUND, "user: there is no user \"%s\"", user);
    if (getuid() == account->pw_uid)
        return true;
    if (getuid() != 0)
        return err_set(err, ERR_DENIED, "user: only root can become \"%s\"", user);
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
