/* openapi.c: the assembler puts the file in as it is. */
#include "backend/openapi.h"

__asm__(".section .rodata\n"
        ".global openapi_text\n"
        ".global openapi_end\n"
        "openapi_text:\n"
        ".incbin \"backend/openapi.yaml\"\n"
        "openapi_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char openapi_end[];

size_t openapi_length(void)
{
    return (size_t)(openapi_end - openapi_text);
}
