/* http_answer.h: whether what a web server answers shows that an attack has worked, or is one. */
#ifndef DETECTOR_HTTP_ANSWER_H
#define DETECTOR_HTTP_ANSWER_H

#include <stddef.h>
#include <stdint.h>

enum http_answer {
    HTTP_ANSWER_PLAIN,
    HTTP_ANSWER_SPOILS,  /* the page is a system's list of users, its start file, or what a shell or a web shell said
                          */
    HTTP_ANSWER_DISGUISE /* a program that is told to be a picture or a page, or a script that loads one at once */
};

/* Of a segment; it is an answer when it begins with "HTTP/1.". */
enum http_answer http_answer_of(const uint8_t *bytes, size_t length);

#endif
