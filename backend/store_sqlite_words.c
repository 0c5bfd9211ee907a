/* store_sqlite_words.c: gathers changes by word, and merges each word's into its rows. */
#include "backend/store_sqlite_words.h"

#include "backend/store_sqlite_list.h"

#include <stdlib.h>
#include <string.h>

/* A change of a word; those of one word are linked in the order they came. */
struct change {
    int64_t seq;
    uint32_t next; /* index + 1 */
    uint32_t place;
    bool has;
};

struct word {
    uint64_t hash;
    size_t text;          /* offset in bytes */
    uint32_t first, last; /* changes, index + 1 */
};

struct words {
    struct word *words;
    uint32_t *slots; /* index + 1; a power of two, at least twice the words */
    struct change *changes, *sorted;
    char *bytes;
    int64_t *list; /* of one row, merged with its changes */
    size_t count, room, slot_count, change_count, change_room, sorted_room, used, bytes_room, list_room;
};

struct words *words_create(void)
{
    return calloc(1, sizeof(struct words));
}

void words_free(struct words *words)
{
    if (words == NULL)
        return;
    free(words->words);
    free(words->slots);
    free(words->changes);
    free(words->sorted);
    free(words->bytes);
    free(words->list);
    free(words);
}

void words_forget(struct words *words)
{
    words->count = words->change_count = words->used = 0;
    if (words->slots != NULL)
        memset(words->slots, 0, words->slot_count * sizeof *words->slots);
}

/* --- gathering --- */

/* Makes room for wanted elements. */
static bool reserve(void **array, size_t *room, size_t wanted, size_t size)
{
    size_t bigger = wanted + wanted / 2 + 64;
    void *grown;

    if (wanted <= *room)
        return true;
    grown = realloc(*array, bigger * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = bigger;
    return true;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static void place_word(struct words *words, size_t index)
{
    size_t at = words->words[index].hash & (words->slot_count - 1);

    while (words->slots[at] != 0)
        at = (at + 1) & (words->slot_count - 1);
    words->slots[at] = (uint32_t)index + 1;
}

static bool grow_slots(struct words *words)
{
    size_t count = words->slot_count != 0 ? 2 * words->slot_count : 512;
    uint32_t *slots = calloc(count, sizeof *slots);

    if (slots == NULL)
        return false;
    free(words->slots);
    words->slots = slots;
    words->slot_count = count;
    for (size_t i = 0; i < words->count; i++)
        place_word(words, i);
    return true;
}

/* NULL: memory is out. */
static struct word *find_word(struct words *words, const char *text)
{
    uint64_t hash = hash_of(text);
    size_t size = strlen(text) + 1;

    if (words->slot_count > 0)
        for (size_t at = hash & (words->slot_count - 1); words->slots[at] != 0;
             at = (at + 1) & (words->slot_count - 1)) {
            struct word *word = &words->words[words->slots[at] - 1];

            if (word->hash == hash && strcmp(words->bytes + word->text, text) == 0)
                return word;
        }
    if (2 * (words->count + 1) > words->slot_count && !grow_slots(words))
        return NULL;
    if (!reserve((void **)&words->words, &words->room, words->count + 1, sizeof *words->words) ||
        !reserve((void **)&words->bytes, &words->bytes_room, words->used + size, 1))
        return NULL;
    memcpy(words->bytes + words->used, text, size);
    words->words[words->count] = (struct word){.hash = hash, .text = words->used};
    words->used += size;
    place_word(words, words->count);
    return &words->words[words->count++];
}

bool words_change(struct words *words, const char *word, int64_t seq, bool has, struct err *err)
{
    struct word *entry = find_word(words, word);

    if (entry == NULL ||
        !reserve((void **)&words->changes, &words->change_room, words->change_count + 1, sizeof *words->changes))
        return err_set(err, ERR_MEMORY, "store: out of memory");
    words->changes[words->change_count] = (struct change){.seq = seq, .has = has};
    words->change_count++;
    if (entry->first == 0)
        entry->first = (uint32_t)words->change_count;
    else
        words->changes[entry->last - 1].next = (uint32_t)words->change_count;
    entry->last = (uint32_t)words->change_count;
    return true;
}

/* --- writing --- */

static int by_seq(const void *a, const void *b)
{
    const struct change *left = a, *right = b;

    if (left->seq != right->seq)
        return left->seq < right->seq ? -1 : 1;
    return left->place < right->place ? -1 : 1;
}

/* The changes of a word by rising seq, the last word on each alone. */
static bool sort_changes(struct words *words, const struct word *word, size_t *count)
{
    size_t n = 0, kept = 0;
    bool rising = true;

    for (uint32_t i = word->first; i != 0; i = words->changes[i - 1].next) {
        if (!reserve((void **)&words->sorted, &words->sorted_room, n + 1, sizeof *words->sorted))
            return false;
        words->sorted[n] = words->changes[i - 1];
        words->sorted[n].place = (uint32_t)n;
        rising = rising && (n == 0 || words->sorted[n - 1].seq < words->sorted[n].seq);
        n++;
    }
    if (!rising)
        qsort(words->sorted, n, sizeof *words->sorted, by_seq);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || words->sorted[i].seq != words->sorted[i + 1].seq)
            words->sorted[kept++] = words->sorted[i];
    *count = kept;
    return true;
}

static sqlite3_stmt *word_statement(struct sqlite_store *store, const char *sql, const char *word, int64_t number,
                                    struct err *err)
{
    sqlite3_stmt *statement = sqlite_statement(&store->writer, sql, err);

    if (statement != NULL) {
        sqlite3_bind_text(statement, 1, word, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, number);
    }
    return statement;
}

/* One row of a word, as it is. */
struct row {
    bool exists;
    int64_t first, next; /* next: where the row behind it begins */
    size_t count;        /* in words->list */
};

/* The row in which seq is, or would be. */
static bool read_row(struct sqlite_store *store, const char *word, int64_t seq, struct row *row, struct err *err)
{
    static const char holder[] =
        "SELECT first, seqs FROM posting WHERE word = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1";
    static const char behind[] = "SELECT first FROM posting WHERE word = ?1 AND first > ?2 ORDER BY first LIMIT 1";
    struct words *words = store->words;
    sqlite3_stmt *get = word_statement(store, holder, word, seq, err);
    int step;

    *row = (struct row){.next = INT64_MAX};
    if (get == NULL)
        return false;
    step = sqlite3_step(get);
    if (step == SQLITE_ROW) {
        row->exists = true;
        row->first = sqlite3_column_int64(get, 0);
        row->count = list_read(row->first, sqlite3_column_blob(get, 1), (size_t)sqlite3_column_bytes(get, 1),
                               words->list, LIST_SEQS);
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        sqlite_failed(&store->writer, "words", err);
    sqlite3_reset(get);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return false;
    if (seq > store->seq_before) /* newer than all that was there: no row can begin behind it */
        return true;
    get = word_statement(store, behind, word, seq, err);
    if (get == NULL)
        return false;
    step = sqlite3_step(get);
    if (step == SQLITE_ROW)
        row->next = sqlite3_column_int64(get, 0);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        sqlite_failed(&store->writer, "words", err);
    sqlite3_reset(get);
    return step == SQLITE_ROW || step == SQLITE_DONE;
}

/* The list with its changes, both rising. What is new grows from the back, so that nothing is overtaken. */
static size_t merge(int64_t *list, size_t count, const struct change *changes, size_t change_count)
{
    size_t at = count + change_count, kept = 0;
    size_t old = count, new = change_count;

    while (new > 0) {
        const struct change *change = &changes[new - 1];

        while (old > 0 && list[old - 1] > change->seq)
            list[--at] = list[--old];
        if (old > 0 && list[old - 1] == change->seq)
            old--;
        if (change->has)
            list[--at] = change->seq;
        new --;
    }
    kept = count + change_count - at;
    memmove(list + old, list + at, kept * sizeof *list);
    return old + kept;
}

static bool write_row(struct sqlite_store *store, const char *word, const struct row *row, const int64_t *seqs,
                      const uint8_t *bytes, size_t length, struct err *err)
{
    static const char change[] = "UPDATE posting SET seqs = ?3 WHERE word = ?1 AND first = ?2";
    static const char add[] = "INSERT INTO posting (word, first, seqs) VALUES (?1, ?2, ?3)";
    bool same = row->exists && row->first == seqs[0];
    sqlite3_stmt *write = word_statement(store, same ? change : add, word, seqs[0], err);

    if (write == NULL)
        return false;
    sqlite3_bind_blob(write, 3, length > 0 ? (const void *)bytes : "", (int)length, SQLITE_STATIC);
    return sqlite_run(&store->writer, write, err);
}

/* words->list, count long, in place of the row. */
static bool replace_row(struct sqlite_store *store, const char *word, const struct row *row, size_t count,
                        struct err *err)
{
    static const char remove[] = "DELETE FROM posting WHERE word = ?1 AND first = ?2";
    const int64_t *list = store->words->list;
    uint8_t bytes[LIST_BYTES];
    size_t length;

    if (row->exists && (count == 0 || list[0] != row->first)) {
        sqlite3_stmt *gone = word_statement(store, remove, word, row->first, err);

        if (gone == NULL || !sqlite_run(&store->writer, gone, err))
            return false;
    }
    for (size_t done = 0, n; done < count; done += n) {
        n = list_write(list + done, count - done, bytes, &length);
        if (!write_row(store, word, row, list + done, bytes, length, err))
            return false;
    }
    return true;
}

static bool flush_word(struct sqlite_store *store, const struct word *word, struct err *err)
{
    struct words *words = store->words;
    const char *text = words->bytes + word->text;
    size_t count, done = 0, n;
    struct row row;

    if (!sort_changes(words, word, &count) ||
        !reserve((void **)&words->list, &words->list_room, count + LIST_SEQS, sizeof *words->list))
        return err_set(err, ERR_MEMORY, "store: out of memory");
    for (; done < count; done += n) {
        if (!read_row(store, text, words->sorted[done].seq, &row, err))
            return false;
        for (n = 0; done + n < count && words->sorted[done + n].seq < row.next; n++)
            ;
        if (!replace_row(store, text, &row, merge(words->list, row.count, words->sorted + done, n), err))
            return false;
    }
    return true;
}

bool words_flush(struct sqlite_store *store, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < store->words->count; i++)
        ok = flush_word(store, &store->words->words[i], err);
    words_forget(store->words);
    return ok;
}
