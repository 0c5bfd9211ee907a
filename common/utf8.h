/* utf8.h: is this text? (RFC 3629)
 *
 * No overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length (1 to 4) of the character that begins here, 0 when these bytes are none; left >= 1. */
size_t utf8_char(const char *bytes, size_t left);
bool utf8_valid(const char *bytes, size_t length);

#endif
