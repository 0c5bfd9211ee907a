/* openapi.h: backend/openapi.yaml, carried inside the program. */
#ifndef BACKEND_OPENAPI_H
#define BACKEND_OPENAPI_H

#include <stddef.h>

extern const char openapi_text[];
size_t openapi_length(void);

#endif
