/* flow.c: the life of a flow, from its first packet to its end.
 *
 * Whether a packet still belongs to a flow is decided by exact times when the packet comes; the wheel only sees to it
 * that ends and steps are told when no packet comes, up to one slot (67 ms) later. So what
 * the sink hears depends on the packets alone, not on when a tick or the wheel came by. */
#include "detector/flow_parts.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define SECOND INT64_C(1000000000)
static const int64_t idle_default = 120 * SECOND, active_default = 1800 * SECOND;
static const int64_t linger = 5 * SECOND;            /* how long a closed connection swallows what is late */
static const int64_t behind = 300 * SECOND;          /* a packet older than the clock by more is astray */
static const int64_t longest = 365 * 86400 * SECOND; /* bound of both time-outs */
enum { LATE_MAX = 64, BEHIND_MAX = 64, EVICT_LOOK = 256, FLOWS_MAX = 1 << 28 };

static const int64_t step_age[] = {10 * SECOND, 60 * SECOND, 600 * SECOND};
enum { STEP_AGES = sizeof step_age / sizeof step_age[0], STEPS_MAX = 28 };

/* Pages that are never touched cost nothing; large ones spare the lookups at random places. */
static void *pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

struct flow_table *flow_table_create(const struct flow_settings *settings, struct err *err)
{
    struct flow_table *table = NULL;
    size_t slots = flow_index_slots(settings->max_flows);

    if (settings->max_flows < 1 || settings->max_flows > FLOWS_MAX) {
        err_set(err, ERR_INVALID, "max_flows: expected 1 to %d, not %zu", FLOWS_MAX, settings->max_flows);
        return NULL;
    }
    if (settings->idle_ns < 0 || settings->idle_ns > longest || settings->active_ns < 0 ||
        settings->active_ns > longest) {
        err_set(err, ERR_INVALID, "flow time-outs: expected 0 to 365 days");
        return NULL;
    }
    table = calloc(1, sizeof *table);
    if (table == NULL)
        goto memory;
    table->settings = *settings;
    table->settings.idle_ns = settings->idle_ns != 0 ? settings->idle_ns : idle_default;
    table->settings.active_ns = settings->active_ns != 0 ? settings->active_ns : active_default;
    table->max = (uint32_t)settings->max_flows;
    table->free = FLOW_NONE;
    table->index.mask = (uint32_t)(slots - 1);
    table->records = pages(settings->max_flows * sizeof *table->records);
    table->index.slots = pages(slots * sizeof *table->index.slots);
    if (table->records == NULL || table->index.slots == NULL)
        goto memory;
    table->memory = sizeof *table + settings->max_flows * sizeof *table->records + slots * sizeof *table->index.slots;
    memcpy(table->key, settings->key, sizeof table->key);
    if (table->key[0] == 0 && table->key[1] == 0 &&
        getrandom(table->key, sizeof table->key, 0) != sizeof table->key) {
        err_set(err, ERR_SYSTEM, "flow table: no random bytes for the hash");
        goto failed;
    }
    return table;
memory:
    err_set(err, ERR_MEMORY, "flow table: no memory for %zu flows", settings->max_flows);
failed:
    flow_table_free(table);
    return NULL;
}

void flow_table_free(struct flow_table *table)
{
    if (table == NULL)
        return;
    if (table->records != NULL)
        munmap(table->records, table->settings.max_flows * sizeof *table->records);
    if (table->index.slots != NULL)
        munmap(table->index.slots, ((size_t)table->index.mask + 1) * sizeof *table->index.slots);
    free(table);
}

static void tell(const struct flow_table *table, enum flow_event event, const struct flow_record *record,
                 const struct packet *packet)
{
    if (table->settings.sink != NULL)
        table->settings.sink(table->settings.context, event, &record->flow, packet);
}

/* When the first packet came, by the table's clock. */
static int64_t began(const struct flow_record *record)
{
    return record->seen - (record->flow.last_ns - record->flow.first_ns);
}

static int64_t idle_due(const struct flow_table *table, const struct flow_record *record)
{
    return record->seen + (record->state == FLOW_STATE_CLOSED ? linger : table->settings.idle_ns);
}

static int64_t active_due(const struct flow_table *table, const struct flow_record *record)
{
    return began(record) + table->settings.active_ns;
}

/* When a step may have to be told: not for a time that is over without anything new. */
static int64_t step_due(const struct flow_table *table, const struct flow_record *record)
{
    int64_t over = (table->wheel.passed + 1) << FLOW_WHEEL_SHIFT;

    if (record->flow.step >= STEP_AGES)
        return INT64_MAX;
    int64_t due = began(record) + step_age[record->flow.step];
    return record->fresh || due >= over ? due : INT64_MAX;
}

static int64_t end_due(const struct flow_table *table, const struct flow_record *record)
{
    int64_t due = idle_due(table, record);

    if (record->state == FLOW_STATE_OPEN && active_due(table, record) < due)
        due = active_due(table, record);
    return due;
}

/* At the end of the input nothing but silence counts. */
static int64_t quiet_due(const struct flow_table *table, const struct flow_record *record)
{
    return record->seen + table->settings.idle_ns;
}

static int64_t wheel_due(const struct flow_table *table, const struct flow_record *record)
{
    int64_t due = end_due(table, record);

    if (record->state == FLOW_STATE_OPEN && step_due(table, record) < due)
        due = step_due(table, record);
    return due;
}

static void release(struct flow_table *table, uint32_t id)
{
    struct flow_record *record = &table->records[id];

    flow_index_remove(&table->index, record->hash, id);
    record->state = FLOW_STATE_FREE;
    record->next = table->free;
    table->free = id;
    table->held--;
}

/* Tells the end; the record stays, as what `after` says. */
static void end(struct flow_table *table, struct flow_record *record, enum flow_end reason, enum flow_state after,
                const struct packet *packet)
{
    record->flow.end = (uint8_t)reason;
    table->counters.ended[reason]++;
    table->counters.open--;
    tell(table, FLOW_ENDED, record, packet);
    record->state = (uint8_t)after;
    record->late = 0;
}

/* Moves the step past every limit that is reached, so that one step is told for all of them. */
static bool step_reached(struct flow *flow, int64_t age)
{
    uint64_t packets = flow->packets[0] + flow->packets[1];
    bool reached = false;

    while (flow->step < STEPS_MAX && (packets >= (uint64_t)FLOW_STEP_PACKETS << 2 * flow->step ||
                                      (flow->step < STEP_AGES && age >= step_age[flow->step]))) {
        flow->step++;
        reached = true;
    }
    return reached;
}

static void due_now(struct flow_table *table, uint32_t id)
{
    struct flow_record *record = &table->records[id];
    int64_t over = ((table->wheel.passed + 1) << FLOW_WHEEL_SHIFT) - 1;

    if (record->state == FLOW_STATE_OPEN && end_due(table, record) > over) {
        if (record->fresh && step_reached(&record->flow, over - began(record))) {
            record->fresh = false;
            tell(table, FLOW_STEP, record, NULL);
        }
        flow_wheel_insert(table, id, wheel_due(table, record));
        return;
    }
    if (record->state == FLOW_STATE_OPEN && active_due(table, record) < idle_due(table, record)) {
        end(table, record, FLOW_END_ACTIVE, FLOW_STATE_CONTINUED, NULL);
        flow_wheel_insert(table, id, wheel_due(table, record));
        return;
    }
    if (record->state == FLOW_STATE_OPEN)
        end(table, record, FLOW_END_IDLE, FLOW_STATE_OPEN, NULL);
    release(table, id);
}

/* Lets the clock go on to now and tells what became due. */
static void advance(struct flow_table *table, int64_t now)
{
    int64_t last = (now >> FLOW_WHEEL_SHIFT) - 1;

    table->now = now;
    while (table->wheel.passed < last && table->held > 0) {
        table->wheel.passed++;
        uint32_t list = flow_wheel_take(table, table->wheel.passed, wheel_due);
        while (list != FLOW_NONE) {
            uint32_t id[FLOW_LOOK];
            size_t count = flow_take_few(table, &list, id);

            for (size_t i = 0; i < count; i++)
                due_now(table, id[i]);
        }
    }
    if (table->wheel.passed < last)
        table->wheel.passed = last;
}

/* Why an open flow ends now: what was over by the clock, though not told yet, keeps its reason. */
static enum flow_end reason_now(const struct flow_table *table, const struct flow_record *record, enum flow_end other)
{
    if (end_due(table, record) > table->now)
        return other;
    return active_due(table, record) < idle_due(table, record) ? FLOW_END_ACTIVE : FLOW_END_IDLE;
}

/* Ends every open flow, the longest quiet first, and empties the table. */
static void drain(struct flow_table *table, enum flow_end reason)
{
    /* Time-outs longer than the wheel would be turned to slot by slot, all that is held looked at again each time
     * around. */
    if (table->held > 0 && table->settings.idle_ns >> FLOW_WHEEL_SHIFT >= FLOW_WHEEL_SLOTS)
        flow_wheel_skip(table, quiet_due);
    while (table->held > 0) {
        table->wheel.passed++;
        uint32_t list = flow_wheel_take(table, table->wheel.passed, quiet_due);
        while (list != FLOW_NONE) {
            uint32_t id[FLOW_LOOK];
            size_t count = flow_take_few(table, &list, id);

            for (size_t i = 0; i < count; i++) {
                struct flow_record *record = &table->records[id[i]];

                if (record->state == FLOW_STATE_OPEN)
                    end(table, record, reason_now(table, record, reason), FLOW_STATE_OPEN, NULL);
                release(table, id[i]);
            }
        }
    }
}

static uint32_t take_free(struct flow_table *table)
{
    uint32_t id = table->free;

    if (id != FLOW_NONE) {
        table->free = table->records[id].next;
        for (size_t line = 0; table->free != FLOW_NONE && line < sizeof *table->records; line += 64)
            __builtin_prefetch((const char *)&table->records[table->free] + line, 1); /* the next to be taken */
    } else {
        id = table->used++;
    }
    table->held++;
    return id;
}

/* How little is lost with a record: 0 nothing, 1 one unanswered packet, 2 an unanswered flow, 3 any other. */
static int worth(const struct flow_record *record)
{
    const struct flow *flow = &record->flow;

    if (record->state != FLOW_STATE_OPEN)
        return 0;
    if (flow->packets[0] + flow->packets[1] == 1)
        return 1;
    return flow->packets[0] == 0 || flow->packets[1] == 0 ? 2 : 3;
}

/* Makes room: the next record in turn that holds nothing or one unanswered packet; if the next EVICT_LOOK hold
 * none, the one of them worth least and quiet longest. Records are made in turn too, so a flood evicts its own
 * oldest. */
static void evict(struct flow_table *table)
{
    uint32_t best = table->hand;
    int least = 4;

    for (uint32_t look = 0; look < EVICT_LOOK && look < table->max; look++) {
        uint32_t id = table->hand;
        struct flow_record *record = &table->records[id];
        int value = worth(record);
        table->hand = id + 1 < table->max ? id + 1 : 0;
        if (value < least || (value == least && record->seen < table->records[best].seen)) {
            best = id;
            least = value;
        }
        if (least <= 1)
            break;
    }
    flow_wheel_remove(table, best);
    if (table->records[best].state == FLOW_STATE_OPEN) {
        table->counters.evicted++;
        end(table, &table->records[best], FLOW_END_EVICTED, FLOW_STATE_OPEN, NULL);
    }
    release(table, best);
}

static bool is_tcp(const struct packet *packet, int flags, int set)
{
    return packet->protocol == IPPROTO_TCP && (packet->tcp_flags & flags) == set;
}

/* An empty flow whose initiator is the packet's source, or its destination if reverse. */
static void fill(struct flow_table *table, struct flow_record *record, const struct packet *packet, bool reverse)
{
    struct flow *flow = &record->flow;
    uint32_t id = (uint32_t)(record - table->records);

    memset(flow, 0, sizeof *flow);
    memcpy(flow->address[reverse], packet->source, 16);
    memcpy(flow->address[!reverse], packet->destination, 16);
    flow->port[reverse] = packet->source_port;
    flow->port[!reverse] = packet->destination_port;
    flow->protocol = packet->protocol;
    flow->version = packet->version;
    flow->icmp_type = packet->icmp_type;
    flow->icmp_code = packet->icmp_code;
    flow->first_ns = flow->last_ns = packet->time_ns;
    flow->id = id;
    record->seen = table->now;
    record->state = FLOW_STATE_OPEN;
    record->fins = record->last_fin = record->late = 0;
    record->fresh = true;
    flow_wheel_insert(table, id, wheel_due(table, record));
    table->counters.flows++;
    if (++table->counters.open > table->counters.peak)
        table->counters.peak = table->counters.open;
}

static struct flow_record *make(struct flow_table *table, uint32_t hash, const struct packet *packet)
{
    if (table->held == table->max)
        evict(table);
    uint32_t id = take_free(table);
    struct flow_record *record = &table->records[id];
    record->hash = hash;
    flow_index_insert(&table->index, hash, id);
    fill(table, record, packet, is_tcp(packet, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK));
    return record;
}

/* A flow in the place of one that has ended. */
static void begin_again(struct flow_table *table, struct flow_record *record, const struct packet *packet,
                        bool reverse)
{
    flow_wheel_remove(table, (uint32_t)(record - table->records));
    fill(table, record, packet, reverse);
}

static bool is_idle(const struct flow_table *table, const struct flow_record *record, const struct packet *packet)
{
    return table->now >= idle_due(table, record) || packet->time_ns - record->flow.last_ns >= table->settings.idle_ns;
}

/* Ends what was over before this packet came, and says whether the packet begins a flow. */
static bool begins(struct flow_table *table, struct flow_record *record, const struct packet *packet, int direction)
{
    bool opening = is_tcp(packet, TCP_SYN | TCP_ACK, TCP_SYN),
         reply = is_tcp(packet, TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK);
    bool idle = is_idle(table, record, packet);

    if (record->state == FLOW_STATE_OPEN) {
        bool active = table->now >= active_due(table, record);
        if (active && (!idle || active_due(table, record) < idle_due(table, record)))
            end(table, record, FLOW_END_ACTIVE, FLOW_STATE_CONTINUED, NULL);
        else if (idle)
            end(table, record, FLOW_END_IDLE, FLOW_STATE_CLOSED, NULL);
        else if (opening && record->fins != 0)
            end(table, record, FLOW_END_FIN, FLOW_STATE_CLOSED, NULL);
        else
            return false;
    } else if (record->state == FLOW_STATE_CLOSED && !idle && !opening && record->late < LATE_MAX) {
        record->late++;
        table->counters.late++;
        return false;
    }
    /* Who was the initiator stays so if the connection goes on. */
    begin_again(table, record, packet, idle || opening || reply ? reply : direction == FLOW_BACKWARD);
    return true;
}

static void swap64(uint64_t pair[2])
{
    uint64_t first = pair[0];

    pair[0] = pair[1];
    pair[1] = first;
}

/* What was counted as backward becomes forward: the initiator shows late. */
static void turn_round(struct flow_record *record)
{
    struct flow *flow = &record->flow, old = *flow;

    for (int i = 0; i < 2; i++) {
        memcpy(flow->address[i], old.address[!i], 16);
        flow->port[i] = old.port[!i];
        flow->flags_seen[i] = old.flags_seen[!i];
        flow->first_dir_ns[i] = old.first_dir_ns[!i];
        flow->last_dir_ns[i] = old.last_dir_ns[!i];
        flow->psh[i] = old.psh[!i];
        flow->urg[i] = old.urg[!i];
    }
    swap64(flow->packets);
    swap64(flow->payload_bytes);
    swap64(flow->ip_bytes);
    swap64(flow->header_bytes);
    record->fins = (uint8_t)((record->fins & 1) << 1 | record->fins >> 1);
    record->last_fin ^= 1;
}

static void count_times(struct flow *flow, int direction, int64_t time)
{
    /* A packet from long before would stretch the flow by what is no time of its own. */
    if (time < flow->last_ns - behind)
        time = flow->last_ns;
    if (time < flow->first_ns)
        flow->first_ns = time;
    if (time > flow->last_ns)
        flow->last_ns = time;
    if (flow->packets[direction] == 0) {
        flow->first_dir_ns[direction] = flow->last_dir_ns[direction] = time;
        return;
    }
    if (time < flow->first_dir_ns[direction])
        flow->first_dir_ns[direction] = time;
    if (time > flow->last_dir_ns[direction])
        flow->last_dir_ns[direction] = time;
}

static void count(struct flow *flow, const struct packet *packet, int direction)
{
    count_times(flow, direction, packet->time_ns);
    flow->packets[direction]++;
    flow->payload_bytes[direction] += packet->payload_bytes;
    flow->ip_bytes[direction] += packet->ip_bytes;
    flow->header_bytes[direction] += packet->header_bytes;
    double delta = packet->payload_bytes - flow->length_mean;
    flow->length_mean += delta / (double)(flow->packets[0] + flow->packets[1]);
    flow->length_m2 += delta * (packet->payload_bytes - flow->length_mean);
    if (packet->protocol == IPPROTO_TCP) {
        unsigned flags = packet->tcp_flags;
        flow->flags_seen[direction] |= packet->tcp_flags;
        flow->psh[direction] += (flags & TCP_PSH) != 0;
        flow->urg[direction] += (flags & TCP_URG) != 0;
        flow->syn += (flags & TCP_SYN) != 0;
        flow->rst += (flags & TCP_RST) != 0;
        flow->ack += (flags & TCP_ACK) != 0;
        flow->fin += (flags & TCP_FIN) != 0;
    }
}

/* FLOW_OPEN, or how this packet ends its connection. */
static enum flow_end closing(struct flow_record *record, const struct packet *packet, int direction)
{
    unsigned flags = packet->protocol == IPPROTO_TCP ? packet->tcp_flags : 0, bit = 1u << direction;

    if (flags & TCP_RST)
        return FLOW_END_RST;
    if (flags & TCP_FIN) {
        if ((record->fins & bit) == 0)
            record->last_fin = (uint8_t)direction;
        record->fins |= (uint8_t)bit;
        return FLOW_OPEN;
    }
    bool final = record->fins == 3 && (flags & (TCP_ACK | TCP_SYN)) == TCP_ACK && direction != record->last_fin;
    return final ? FLOW_END_FIN : FLOW_OPEN;
}

/* The initiator goes on as only one does who was answered; where a link is captured one way, that is all there is. */
static bool shows_answer(const struct flow *flow, const struct packet *packet, int direction)
{
    return direction == FLOW_FORWARD && flow->packets[FLOW_BACKWARD] == 0 &&
           (flow->flags_seen[FLOW_FORWARD] & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
           is_tcp(packet, TCP_SYN | TCP_ACK | TCP_RST, TCP_ACK);
}

static void take_in(struct flow_table *table, struct flow_record *record, const struct packet *packet, int direction)
{
    struct flow *flow = &record->flow;

    if (direction == FLOW_BACKWARD && is_tcp(packet, TCP_SYN | TCP_ACK, TCP_SYN) &&
        ((flow->flags_seen[0] | flow->flags_seen[1]) & TCP_SYN) == 0) {
        turn_round(record);
        direction = FLOW_FORWARD;
    }
    bool goes_on = shows_answer(flow, packet, direction);

    count(flow, packet, direction);
    record->seen = table->now;
    record->fresh = true;
    if (flow->packets[0] + flow->packets[1] == 1)
        tell(table, FLOW_NEW, record, packet);
    else if (flow->packets[direction] == 1 || goes_on)
        tell(table, FLOW_ANSWERED, record, packet);

    enum flow_end reason = closing(record, packet, direction);
    if (reason != FLOW_OPEN) {
        end(table, record, reason, FLOW_STATE_CLOSED, packet);
    } else if (step_reached(flow, flow->last_ns - flow->first_ns)) {
        record->fresh = false;
        tell(table, FLOW_STEP, record, packet);
    }
}

/* The clock is the greatest time seen. Packets far behind it do not turn it back; when they go on coming, it
 * is the clock that is wrong (a capture stitched together, a clock that was set): all begins anew from there. */
static void set_clock(struct flow_table *table, int64_t time)
{
    if (!table->started) {
        table->started = true;
        table->now = time;
        flow_wheel_start(&table->wheel, time);
    } else if (time >= table->now - behind) {
        table->behind = 0;
        if (time > table->now)
            advance(table, time);
    } else {
        table->counters.astray++;
        if (++table->behind == BEHIND_MAX) {
            table->behind = 0;
            table->counters.jumps++;
            drain(table, FLOW_END_IDLE);
            table->now = time;
            flow_wheel_start(&table->wheel, time);
        }
    }
}

const struct flow *flow_table_add(struct flow_table *table, const struct packet *packet)
{
    struct flow_sight sight;

    flow_table_sight(table, packet, &sight);
    return flow_table_add_sighted(table, packet, &sight);
}

const struct flow *flow_table_add_sighted(struct flow_table *table, const struct packet *packet,
                                          const struct flow_sight *sight)
{
    int direction = FLOW_FORWARD;
    uint32_t hash = sight->hash;

    table->counters.packets++;
    set_clock(table, packet->time_ns);
    uint32_t id = flow_index_find(table, hash, packet, &direction);
    struct flow_record *record = id != FLOW_NONE ? &table->records[id] : make(table, hash, packet);
    if (id == FLOW_NONE || begins(table, record, packet, direction))
        /* A palindrome (both ends alike) is forward. */
        direction =
            memcmp(record->flow.address[0], packet->source, 16) != 0 || record->flow.port[0] != packet->source_port;
    else if (record->state != FLOW_STATE_OPEN)
        return NULL;
    take_in(table, record, packet, direction);
    return &record->flow;
}

void flow_table_tick(struct flow_table *table, int64_t now_ns)
{
    if (table->started && now_ns > table->now)
        advance(table, now_ns);
}

void flow_table_finish(struct flow_table *table)
{
    drain(table, FLOW_END_INPUT);
}

void flow_table_counters(const struct flow_table *table, struct flow_counters *out)
{
    *out = table->counters;
}

size_t flow_table_memory(const struct flow_table *table)
{
    return table->memory;
}
