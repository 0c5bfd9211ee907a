/* login.h: the routes below /api/auth: login, logout, refresh, me, password. */
#ifndef BACKEND_LOGIN_H
#define BACKEND_LOGIN_H

#include "common/http_server.h"

http_handler login_post, logout_post, refresh_post, me_get, password_put;

#endif
