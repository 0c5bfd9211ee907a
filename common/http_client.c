/* http_client.c: see http_client.h. */
#include "common/http_client.h"
#include "common/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { CONNECT_MS = 2000, ANSWER_MAX = 1024 * 1024, SLOW_BYTES_S = 1, SLOW_S = 30, RETRY_AFTER_MAX_S = 86400 };

struct http_client {
    CURL *easy;
    char error[CURL_ERROR_SIZE];
};

/* What the callbacks of one try need. */
struct transfer {
    const struct http_call *call;
    struct text answer;
    size_t taken, max;
    long retry_after_s;
    bool too_large, unwanted, denied;
};

bool http_client_setup(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct http_client *http_client_create(void)
{
    struct http_client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return NULL;
    client->easy = curl_easy_init();
    if (client->easy == NULL) {
        free(client);
        return NULL;
    }
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->easy);
    free(client);
}

void http_reply_clear(struct http_reply *reply)
{
    free(reply->body);
    *reply = (struct http_reply){.retry_after_s = -1};
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *pointer)
{
    struct transfer *transfer = pointer;
    size_t length = size * count;

    if (length > transfer->max - transfer->taken) {
        transfer->too_large = true;
        return 0;
    }
    transfer->taken += length;
    if (transfer->call->sink != NULL) {
        transfer->unwanted = !transfer->call->sink(bytes, length, transfer->call->context);
        return transfer->unwanted ? 0 : length;
    }
    text_add(&transfer->answer, bytes, length);
    return transfer->answer.failed ? 0 : length;
}

/* Seconds, or a date of HTTP. */
static long read_retry_after(const char *value)
{
    char *end;
    long seconds = strtol(value, &end, 10);

    if (end != value && strspn(end, " \t") == strlen(end)) {
        if (seconds < 0)
            return -1;
    } else {
        time_t when = curl_getdate(value, NULL);
        if (when == -1)
            return -1;
        seconds = (long)(when - time(NULL));
        seconds = seconds < 0 ? 0 : seconds;
    }
    return seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *pointer)
{
    static const char name[] = "retry-after:";
    struct transfer *transfer = pointer;
    size_t length = size * count, n = sizeof name - 1;
    char value[64];

    if (length <= n || length - n >= sizeof value || strncasecmp(bytes, name, n) != 0)
        return length;
    memcpy(value, bytes + n, length - n);
    value[length - n] = '\0';
    value[strcspn(value, "\r\n")] = '\0';
    transfer->retry_after_s = read_retry_after(value + strspn(value, " \t"));
    return length;
}

/* "Expect:" switches curl's waiting for 100 Continue off: not every server answers it. */
static struct curl_slist *make_headers(const struct http_call *call)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *longer = list;

    for (size_t i = 0; longer != NULL && call->headers != NULL && call->headers[i] != NULL; i++) {
        longer = curl_slist_append(list, call->headers[i]);
        list = longer == NULL ? list : longer;
    }
    if (longer == NULL) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

static void set_limits(CURL *easy, const struct http_call *call)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* peers are named by settings, not by the environment */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, call->connect_ms > 0 ? call->connect_ms : (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, call->timeout_ms);
    if (call->timeout_ms == 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_S);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    }
}

static void set_body(CURL *easy, const struct http_call *call, FILE *file, curl_off_t file_size)
{
    if (file != NULL) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READDATA, file);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, file_size);
    } else if (call->body != NULL || strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
               strcmp(call->method, "PATCH") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(call->body == NULL ? 0 : call->length));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body == NULL ? "" : (const char *)call->body);
    } else if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static curl_socket_t on_socket(void *pointer, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = pointer;

    (void)purpose;
    if (!transfer->call->may_connect(&address->addr, transfer->call->context)) {
        transfer->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *pointer, curl_off_t to_come, curl_off_t came, curl_off_t to_go, curl_off_t went)
{
    struct transfer *transfer = pointer;

    (void)to_come, (void)came, (void)to_go, (void)went;
    if (!transfer->call->wanted(transfer->call->context))
        transfer->unwanted = true;
    return transfer->unwanted;
}

static CURLcode try_once(struct http_client *client, struct transfer *transfer, struct curl_slist *headers,
                         FILE *file, curl_off_t file_size, bool fresh)
{
    CURL *easy = client->easy;

    curl_easy_reset(easy); /* connections stay */
    client->error[0] = '\0';
    set_limits(easy, transfer->call);
    set_body(easy, transfer->call, file, file_size);
    curl_easy_setopt(easy, CURLOPT_URL, transfer->call->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    if (transfer->call->may_connect != NULL) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    }
    if (transfer->call->wanted != NULL) {
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    }
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    return curl_easy_perform(easy);
}

/* The peer has closed the kept connection just when it was used again: nothing was answered. */
static bool was_stale(CURL *easy, CURLcode code)
{
    long status = 0, connects = 1;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    return status == 0 && connects == 0 &&
           (code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);
}

/* curl repeats any request by itself when a kept connection gives nothing; what must not be sent twice therefore
 * always gets a fresh one. */
static bool may_be_repeated(const struct http_call *call)
{
    return call->again || strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
}

static bool open_body(const struct http_call *call, FILE **file, curl_off_t *size, struct err *err)
{
    struct stat st;

    if (call->body_file == NULL)
        return true;
    *file = fopen(call->body_file, "rbe");
    if (*file == NULL || fstat(fileno(*file), &st) != 0)
        return err_set(err, ERR_SYSTEM, "%s: %s", call->body_file, strerror(errno));
    *size = st.st_size;
    return true;
}

static bool judge(struct http_client *client, CURLcode code, struct transfer *transfer, struct http_reply *reply,
                  struct err *err)
{
    long status = 0;

    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->too_large)
        return err_set(err, ERR_INVALID, "%s: the answer has more than %zu bytes", transfer->call->url,
                       transfer->max);
    if (transfer->unwanted)
        return err_set(err, ERR_SYSTEM, "%s: the answer was not wanted to its end", transfer->call->url);
    if (transfer->answer.failed)
        return err_set(err, ERR_MEMORY, "%s: out of memory", transfer->call->url);
    if (transfer->denied && status == 0)
        return err_set(err, ERR_DENIED, "%s: that address is not allowed", transfer->call->url);
    if (code != CURLE_OK || status == 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", transfer->call->url,
                       client->error[0] != '\0' ? client->error : curl_easy_strerror(code));
    reply->status = (int)status;
    reply->retry_after_s = transfer->retry_after_s;
    reply->body = transfer->answer.bytes;
    reply->length = transfer->answer.length;
    transfer->answer = (struct text){0};
    return true;
}

bool http_client_call(struct http_client *client, const struct http_call *call, struct http_reply *reply,
                      struct err *err)
{
    struct transfer transfer = {
        .call = call, .max = call->answer_max > 0 ? call->answer_max : ANSWER_MAX, .retry_after_s = -1};
    struct curl_slist *headers = make_headers(call);
    FILE *file = NULL;
    curl_off_t file_size = 0;
    CURLcode code;
    bool ok = false;

    *reply = (struct http_reply){.retry_after_s = -1};
    if (headers == NULL) {
        err_set(err, ERR_MEMORY, "%s: out of memory", call->url);
        goto done;
    }
    if (!open_body(call, &file, &file_size, err))
        goto done;
    text_add(&transfer.answer, "", 0);
    code = try_once(client, &transfer, headers, file, file_size, !may_be_repeated(call));
    if (may_be_repeated(call) && was_stale(client->easy, code)) {
        if (file != NULL)
            rewind(file);
        code = try_once(client, &transfer, headers, file, file_size, true);
    }
    ok = judge(client, code, &transfer, reply, err);
done:
    free(transfer.answer.bytes);
    curl_slist_free_all(headers);
    if (file != NULL)
        fclose(file);
    return ok;
}
