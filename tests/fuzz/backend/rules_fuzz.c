/* What people and programs write into rules: matches, addresses, versions, places to send notices to. The first byte
 * chooses the reader. */
#include "backend/blocklist.h"
#include "backend/mail.h"
#include "backend/suppression.h"
#include "backend/syslog.h"
#include "backend/triage.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_match(const char *text, size_t size)
{
    cJSON *json = json_parse(text, size, NULL);
    struct suppression_match match;
    struct suppression_fault faults[8];
    size_t count = 0;

    if (json != NULL && suppression_match_read(json, &match, faults, &count)) {
        struct search *search = suppression_match_search(&match);
        cJSON *again = suppression_match_to_json(&match);
        struct suppression_match second;
        if (search == NULL || !suppression_match_read(again, &second, faults, &count))
            abort(); /* what was read once reads again */
        search_free(search);
        cJSON_Delete(again);
    }
    cJSON_Delete(json);
}

static void read_block(const char *text)
{
    char once[BLOCK_ADDRESS], twice[BLOCK_ADDRESS];
    struct network network;

    if (block_canonical(text, once, &network, NULL) &&
        (!block_canonical(once, twice, &network, NULL) || strcmp(once, twice) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    int64_t version;

    if (size == 0 || (text = malloc(size)) == NULL)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 5) {
    case 0:
        read_match(text, strlen(text));
        break;
    case 1:
        read_block(text);
        break;
    case 2:
        triage_version(text, &version);
        break;
    case 3:
        syslog_url_is_fine(text);
        break;
    default:
        mail_address_is_fine(text);
    }
    free(text);
    return 0;
}
