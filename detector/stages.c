/* stages.c: see stages.h. */
#include "detector/stages.h"

#include "detector/belt.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a payload: far more than names, echoes and request lines that are looked at; and the header in front of it. */
enum { PAYLOAD_MAX = 12 * 1024, IN_FRONT = 8 };

enum kind { EVENT, PACKET, TICK };

/* From the feeding thread to the windows. */
struct sighting {
    uint8_t kind, event;
    bool has_packet;
    uint64_t mark;
    int64_t now_ns;
    struct packet packet;
    union {
        struct flow flow;
        uint8_t bytes[1]; /* IN_FRONT, then the payload */
    } tail;
};

/* From the windows to the verdicts. */
struct finding {
    uint8_t kind, event;
    bool has_flow;
    uint64_t mark;
    struct flow flow;
    struct verdict_seen seen; /* cut behind what was raised */
};
_Static_assert(sizeof(struct sighting) + IN_FRONT + PAYLOAD_MAX <= BELT_RECORD_MAX, "a payload fits");
_Static_assert((int)BELT_SOME <= (int)HOSTS_SIGHTS, "the windows look ahead as far");
_Static_assert(sizeof(struct finding) <= BELT_RECORD_MAX, "a finding fits");

struct stages {
    struct stages_settings settings;
    struct belt *sightings, *findings;
    pthread_t windows, verdicts;
};

static void tell_time(_Atomic uint64_t *ns)
{
    struct timespec used;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0)
        *ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* --- the thread of the verdicts --- */

static void decide(struct stages *stages, const struct finding *finding)
{
    struct verdict *verdict = stages->settings.verdict;
    const struct flow *flow = finding->has_flow ? &finding->flow : NULL;

    if (finding->kind == TICK) {
        verdict_tick(verdict, finding->seen.now_ns);
        return;
    }
    stages->settings.on_event(stages->settings.context, finding->mark);
    verdict_decide(verdict, (enum flow_event)finding->event, flow, &finding->seen);
    if (finding->event == FLOW_ENDED && flow != NULL && stages->settings.on_flow != NULL)
        stages->settings.on_flow(stages->settings.context, flow, finding->seen.context);
}

static void decide_some(void *context, void *const *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        decide(context, records[i]);
}

static void *verdicts_loop(void *argument)
{
    struct stages *stages = argument;

    while (belt_take(stages->findings, decide_some, stages)) {
        tell_time(stages->settings.verdicts_ns);
        stages->settings.on_round(stages->settings.context);
    }
    return NULL;
}

/* --- the thread of the windows --- */

static void hand_on(struct stages *stages, const struct sighting *sighting, const struct verdict_seen *seen)
{
    size_t size =
        offsetof(struct finding, seen) + offsetof(struct verdict_seen, raised) + seen->count * sizeof seen->raised[0];
    struct finding *finding = belt_room(stages->findings, size);

    finding->kind = sighting->kind;
    finding->event = sighting->event;
    finding->has_flow = sighting->kind == EVENT;
    finding->mark = sighting->mark;
    if (finding->has_flow)
        finding->flow = sighting->tail.flow;
    memcpy(&finding->seen, seen, offsetof(struct verdict_seen, raised) + seen->count * sizeof seen->raised[0]);
}

static void see(struct stages *stages, struct sighting *sighting)
{
    struct verdict_seen seen;
    enum flow_event event = (enum flow_event)sighting->event;

    seen.count = 0;
    if (sighting->kind == TICK) {
        seen.now_ns = sighting->now_ns;
    } else if (sighting->kind == PACKET) {
        sighting->packet.payload = sighting->tail.bytes + IN_FRONT;
        verdict_see_packet(stages->settings.verdict, &sighting->packet, &seen);
    } else {
        verdict_see_event(stages->settings.verdict, event, &sighting->tail.flow,
                          sighting->has_packet ? &sighting->packet : NULL, &seen);
    }
    if (sighting->kind == TICK || seen.count > 0 ||
        (sighting->kind == EVENT && (event == FLOW_STEP || event == FLOW_ENDED)))
        hand_on(stages, sighting, &seen);
}

/* What the windows will be asked for is fetched for many at once. */
static void see_some(void *context, void *const *records, size_t count)
{
    struct stages *stages = context;
    struct hosts_sight sights[BELT_SOME] = {{0}};
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const struct sighting *sighting = records[i];
        const struct flow *flow = &sighting->tail.flow;

        if (sighting->kind == EVENT)
            sights[n++] = (struct hosts_sight){.source = flow->address[0],
                                               .target = flow->address[1],
                                               .now_ns = flow->last_ns,
                                               .target_port = flow->port[1],
                                               .protocol = flow->protocol,
                                               .begins = sighting->event == FLOW_NEW};
    }
    verdict_prefetch(stages->settings.verdict, sights, n);
    for (size_t i = 0; i < count; i++)
        see(stages, records[i]);
}

static void *windows_loop(void *argument)
{
    struct stages *stages = argument;

    while (belt_take(stages->sightings, see_some, stages)) {
        tell_time(stages->settings.windows_ns);
        belt_push(stages->findings); /* a threat does not wait for more traffic */
    }
    belt_close(stages->findings);
    return NULL;
}

/* --- the feeding thread --- */

static void copy_packet(struct sighting *sighting, const struct packet *packet)
{
    sighting->packet = *packet;
    sighting->packet.payload = NULL; /* the frame is gone by then */
    sighting->packet.payload_captured = 0;
}

void stages_event(struct stages *stages, enum flow_event event, const struct flow *flow, const struct packet *packet,
                  uint64_t mark)
{
    struct sighting *sighting = belt_room(stages->sightings, sizeof *sighting);

    sighting->kind = EVENT;
    sighting->event = (uint8_t)event;
    sighting->has_packet = packet != NULL;
    sighting->mark = mark;
    sighting->tail.flow = *flow;
    if (packet != NULL)
        copy_packet(sighting, packet);
}

void stages_packet(struct stages *stages, const struct packet *packet, uint64_t mark)
{
    size_t length = packet->payload_captured < PAYLOAD_MAX ? packet->payload_captured : PAYLOAD_MAX;
    struct sighting *sighting;

    if (!verdict_wants_packet(packet))
        return;
    sighting = belt_room(stages->sightings, offsetof(struct sighting, tail) + IN_FRONT + length);
    sighting->kind = PACKET;
    sighting->event = FLOW_NEW;
    sighting->has_packet = true;
    sighting->mark = mark;
    copy_packet(sighting, packet);
    sighting->packet.payload_captured = (uint32_t)length;
    if (length > 0) /* a transport header lies in front */
        memcpy(sighting->tail.bytes, packet->payload - IN_FRONT, IN_FRONT + length);
}

void stages_tick(struct stages *stages, int64_t now_ns)
{
    struct sighting *sighting = belt_room(stages->sightings, offsetof(struct sighting, packet));

    sighting->kind = TICK;
    sighting->event = FLOW_NEW;
    sighting->mark = 0;
    sighting->now_ns = now_ns;
}

void stages_push(struct stages *stages)
{
    belt_push(stages->sightings);
}

/* --- life --- */

struct stages *stages_start(const struct stages_settings *settings, struct err *err)
{
    struct stages *stages = calloc(1, sizeof *stages);

    if (stages == NULL) {
        err_set(err, ERR_MEMORY, "stages: out of memory");
        return NULL;
    }
    stages->settings = *settings;
    stages->sightings = belt_create(err);
    stages->findings = stages->sightings != NULL ? belt_create(err) : NULL;
    if (stages->findings == NULL)
        goto failed;
    if (pthread_create(&stages->windows, NULL, windows_loop, stages) != 0) {
        err_set(err, ERR_SYSTEM, "stages: no thread to be had");
        goto failed;
    }
    if (pthread_create(&stages->verdicts, NULL, verdicts_loop, stages) != 0) {
        err_set(err, ERR_SYSTEM, "stages: no thread to be had");
        belt_close(stages->sightings);
        pthread_join(stages->windows, NULL);
        goto failed;
    }
    pthread_setname_np(stages->windows, "windows");
    pthread_setname_np(stages->verdicts, "verdicts");
    return stages;
failed:
    belt_free(stages->sightings);
    belt_free(stages->findings);
    free(stages);
    return NULL;
}

void stages_stop(struct stages *stages)
{
    if (stages == NULL)
        return;
    belt_close(stages->sightings);
    pthread_join(stages->windows, NULL);
    pthread_join(stages->verdicts, NULL);
    belt_free(stages->sightings);
    belt_free(stages->findings);
    free(stages);
}
