/* mail.c: see mail.h. */
#include "backend/mail.h"

#include "backend/target_guard.h"
#include "common/json.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct transfer {
    const struct mail *mail;
    struct text text;
    size_t sent;
    bool denied;
};

bool mail_address_is_fine(const char *address)
{
    const char *at = strchr(address, '@');
    size_t length = strlen(address);

    return at != NULL && at != address && at[1] != '\0' && strchr(at + 1, '@') == NULL && length < 255 &&
           strspn(address, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~@-") ==
               length;
}

static void add_line(struct text *out, const char *name, const char *value)
{
    text_addf(out, "%s: ", name);
    for (; *value != '\0'; value++)
        text_add(out, (unsigned char)*value < 0x20 || *value == 0x7f ? " " : value, 1);
    text_addf(out, "\r\n");
}

static void compose(struct text *out, const struct mail *mail)
{
    char date[64], id[320];
    struct tm tm;
    time_t now = time(NULL);
    const char *host = strchr(mail->from, '@');

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    snprintf(id, sizeof id, "<%s@%s>", mail->id, host != NULL ? host + 1 : "localhost");
    add_line(out, "Date", date);
    add_line(out, "Message-ID", id);
    add_line(out, "From", mail->from);
    add_line(out, "To", mail->to);
    add_line(out, "Subject", mail->subject);
    add_line(out, "MIME-Version", "1.0");
    add_line(out, "Content-Type", "text/plain; charset=utf-8");
    add_line(out, "Auto-Submitted", "auto-generated");
    text_addf(out, "\r\n");
    for (const char *p = mail->body; *p != '\0'; p++)
        text_add(out, *p == '\n' ? "\r\n" : p, *p == '\n' ? 2 : 1);
    text_addf(out, "\r\n");
}

static size_t on_read(char *out, size_t size, size_t count, void *pointer)
{
    struct transfer *transfer = pointer;
    size_t left = transfer->text.length - transfer->sent, n = size * count;

    if (n > left)
        n = left;
    memcpy(out, transfer->text.bytes + transfer->sent, n);
    transfer->sent += n;
    return n;
}

static curl_socket_t on_socket(void *pointer, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = pointer;
    bool all = transfer->mail->all_addresses;

    (void)purpose;
    if (!target_guard_may_connect(&address->addr, &all)) {
        transfer->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static struct curl_slist *recipients(const char *to)
{
    struct curl_slist *list = NULL;
    char *copy = strdup(to), *at = copy;

    while (at != NULL && *at != '\0') {
        size_t n = strcspn(at, ",");
        char *next = at[n] == ',' ? at + n + 1 : at + n;
        at[n] = '\0';
        at += strspn(at, " ");
        if (*at != '\0')
            list = curl_slist_append(list, at);
        at = next;
    }
    free(copy);
    return list;
}

static void set_options(CURL *easy, const struct mail *mail, struct transfer *transfer, struct curl_slist *to,
                        char *error)
{
    bool secret = mail->password[0] != '\0';

    curl_easy_setopt(easy, CURLOPT_URL, mail->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)MAIL_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, secret ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, mail->from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    if (mail->username[0] != '\0') {
        curl_easy_setopt(easy, CURLOPT_USERNAME, mail->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, mail->password);
    }
}

bool mail_send(const struct mail *mail, struct err *err)
{
    struct transfer transfer = {.mail = mail, .text = {.max = 1024 * 1024}};
    struct curl_slist *to = recipients(mail->to);
    CURL *easy = curl_easy_init();
    char error[CURL_ERROR_SIZE] = "";
    bool ok = false;
    CURLcode code;

    compose(&transfer.text, mail);
    if (easy == NULL || to == NULL || transfer.text.failed) {
        err_set(err, ERR_MEMORY, "mail: out of memory");
        goto done;
    }
    set_options(easy, mail, &transfer, to, error);
    code = curl_easy_perform(easy);
    ok = code == CURLE_OK;
    if (!ok && transfer.denied)
        err_set(err, ERR_DENIED, "%s: that address is not allowed", mail->url);
    else if (!ok)
        err_set(err, ERR_UNAVAILABLE, "%s: %s", mail->url, error[0] != '\0' ? error : curl_easy_strerror(code));
done:
    free(transfer.text.bytes);
    curl_slist_free_all(to);
    if (easy != NULL)
        curl_easy_cleanup(easy);
    return ok;
}
