/* console.h: users by the command line of the machine, when nobody can log in any more.
 *
 *   threatline-backend user add NAME ROLE | passwd NAME | list
 *
 * The password is read from the terminal without echo, or as one line of stdin. Running backends notice within a
 * second. */
#ifndef BACKEND_CONSOLE_H
#define BACKEND_CONSOLE_H

struct store;

/* argv begins after "user". Gives the exit status: 0 done, 1 failed, 2 wrong usage. */
int users_console(struct store *store, int argc, char **argv);

#endif
