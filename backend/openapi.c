/* openapi.c: the assembler puts the file in as it is. */
#include "backend/openapi.h"

__asm__(".section .rodata\n"
        ".global openapi_text\n"
        ".global openapi_length\n"
        "openapi_text:\n"
        ".incbin \"backend/openapi.yaml\"\n"
        ".Lopenapi_end:\n"
        ".byte 0\n"
        ".balign 8\n"
        "openapi_length:\n"
        ".quad .Lopenapi_end - openapi_text\n"
        ".previous\n");
