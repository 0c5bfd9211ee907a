/* openapi.h: backend/openapi.yaml, carried inside the program. */
#ifndef BACKEND_OPENAPI_H
#define BACKEND_OPENAPI_H

#include <stdint.h>

extern const char openapi_text[];
extern const uint64_t openapi_length;

#endif
