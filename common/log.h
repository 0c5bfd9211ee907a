/* log.h: one event, one line, on stderr.
 *
 *   log_info("sender.delivered", "threat=%s tries=%d", id, tries)
 *   ts=… level=info event=sender.delivered threat=… tries=2
 *
 * The text after the event is key=value pairs; a value with blanks stands in
 * double quotes ("%s" in the format). Control bytes are escaped by the sink. As
 * JSON lines the same pairs become members. Any thread may log. Never a token,
 * a password or a payload. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Called once in main, before the first thread; the default is info, logfmt. */
void log_setup(enum log_level level, bool as_json);
bool log_level_from_text(const char *text, enum log_level *level);

void log_line(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
