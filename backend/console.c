/* console.c: see console.h. */
#include "backend/console.h"

#include "backend/password.h"
#include "backend/sessions.h"
#include "backend/users.h"
#include "backend/watch.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct console {
    struct watch *watch; /* never started: one command, one look */
    struct sessions *sessions;
    struct users *users;
    struct passwords *passwords;
};

static bool console_open(struct console *console, struct store *store, struct err *err)
{
    console->passwords = passwords_create();
    console->watch = watch_create(store);
    if (console->passwords == NULL || console->watch == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    console->sessions = sessions_create(store, NULL, console->watch, 0, err);
    if (console->sessions != NULL)
        console->users = users_create(store, NULL, console->sessions, console->watch, err);
    return console->users != NULL;
}

static void console_close(struct console *console)
{
    users_free(console->users);
    sessions_free(console->sessions);
    watch_free(console->watch);
    passwords_free(console->passwords);
}

static bool read_line(const char *prompt, char out[PASSWORD_MAX + 2], struct err *err)
{
    struct termios before, silent;
    bool terminal = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0, ok;

    if (terminal) {
        fputs(prompt, stderr);
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ok = fgets(out, PASSWORD_MAX + 2, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (!ok)
        return err_set(err, ERR_CUT_SHORT, "no password was given");
    out[strcspn(out, "\r\n")] = '\0';
    if (strlen(out) < PASSWORD_MIN || strlen(out) > PASSWORD_MAX)
        return err_set(err, ERR_INVALID, "password: expected %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
    return true;
}

static bool new_hash(struct console *console, char out[PASSWORD_HASH], struct err *err)
{
    char password[PASSWORD_MAX + 2];
    bool ok = read_line("New password: ", password, err) && passwords_hash(console->passwords, password, out, err);

    explicit_bzero(password, sizeof password);
    return ok;
}

static bool add(struct console *console, const char *name, const char *role, struct err *err)
{
    struct user user = {0};

    if (!user_name_is_fine(name))
        return err_set(err, ERR_INVALID, "%s: expected 1 to 64 of letters, digits, . _ @ -", name);
    if (!role_from_text(role, &user.role))
        return err_set(err, ERR_INVALID, "%s: expected viewer, analyst or admin", role);
    snprintf(user.name, sizeof user.name, "%s", name);
    if (!new_hash(console, user.hash, err) || !users_add(console->users, &user, err))
        return false;
    printf("user %s added as %s\n", user.name, role_text(user.role));
    return true;
}

/* Also lets a disabled user in again: it is the way back when nobody can log in. */
static bool change_password(struct console *console, const char *name, struct err *err)
{
    struct user user;

    if (!users_by_name(console->users, name, &user, err))
        return err->code == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "there is no user %s", name) : false;
    if (!new_hash(console, user.hash, err))
        return false;
    user.disabled = false;
    if (!users_change(console->users, &user, err) || !sessions_end_user(console->sessions, user.id, NULL, err))
        return false;
    printf("password of %s changed, sessions ended\n", user.name);
    return true;
}

static void print_user(void *context, const struct user *user)
{
    char time[CLOCK_TEXT];

    (void)context;
    clock_text_ms(user->created_ms, time);
    printf("%-32s %-8s %-9s %s %s\n", user->name, role_text(user->role), user->disabled ? "disabled" : "active", time,
           user->id);
}

static int usage(void)
{
    fputs("usage: threatline-backend user add NAME viewer|analyst|admin\n"
          "       threatline-backend user passwd NAME\n"
          "       threatline-backend user list\n",
          stderr);
    return 2;
}

int users_console(struct store *store, int argc, char **argv)
{
    struct console console = {0};
    struct err err = {0};
    const char *verb = argc > 0 ? argv[0] : "";
    bool adds = strcmp(verb, "add") == 0 && argc == 3, changes = strcmp(verb, "passwd") == 0 && argc == 2;
    bool lists = strcmp(verb, "list") == 0 && argc == 1, ok;

    if (!adds && !changes && !lists)
        return usage();
    ok = console_open(&console, store, &err);
    if (ok && adds)
        ok = add(&console, argv[1], argv[2], &err);
    else if (ok && changes)
        ok = change_password(&console, argv[1], &err);
    else if (ok)
        users_each(console.users, print_user, NULL);
    if (!ok)
        fprintf(stderr, "threatline-backend: %s\n", err.text);
    console_close(&console);
    return ok ? 0 : err.code == ERR_INVALID ? 2 : 1;
}
