/* flow_ahead.c: what packets and ends will need is asked of memory before they are looked at. Changes nothing. */
#include "detector/flow_parts.h"

static void prefetch_record(const struct flow_record *record)
{
    for (size_t line = 0; line < sizeof *record; line += 64)
        __builtin_prefetch((const char *)record + line, 1);
}

void flow_table_sight(const struct flow_table *table, const struct packet *packet, struct flow_sight *sight)
{
    sight->hash = flow_hash(table->key, packet);
    __builtin_prefetch(&table->index.slots[sight->hash & table->index.mask]);
}

/* By the hash alone: the record itself is what has to be fetched. */
void flow_table_prefetch(const struct flow_table *table, struct flow_sight *sight)
{
    uint32_t id = flow_index_guess(&table->index, sight->hash);

    sight->flow = NULL;
    if (id == FLOW_NONE)
        return;
    sight->flow = &table->records[id].flow;
    prefetch_record(&table->records[id]);
}

/* Takes the first of a list, and lets memory fetch what their end will need. */
size_t flow_take_few(const struct flow_table *table, uint32_t *list, uint32_t id[FLOW_LOOK])
{
    const struct flow *open[FLOW_LOOK];
    size_t count = 0, opens = 0;

    for (; count < FLOW_LOOK && *list != FLOW_NONE; count++) {
        const struct flow_record *record = &table->records[*list];

        id[count] = *list;
        *list = record->next;
        __builtin_prefetch(&table->index.slots[record->hash & table->index.mask], 1);
        if (record->state == FLOW_STATE_OPEN)
            open[opens++] = &record->flow;
    }
    if (opens > 0 && table->settings.ahead != NULL)
        table->settings.ahead(table->settings.context, open, opens);
    return count;
}
