/* verdict_read: captures in, threats or feature rows out, without the rest of the detector.
 *
 *   verdict_read threats MODEL|- FILE...   a JSON line a notice, with "file"
 *   verdict_read forests MODEL FILE...     the same by the forests alone: what windows find is no evidence
 *   verdict_read features FILE...          CSV: file, ends, label-free features and window counts of each flow
 *   verdict_read partial FILE...           the same with "step", also at a flow's first packet (0) and steps; end: -1
 *   verdict_read greatest FILE...          file, counter, number of the counter, its greatest value
 *
 * For training and evaluation on many small files: one process reads them all, each with windows of its own. */
#include "detector/capture.h"
#include "detector/features.h"
#include "detector/flow.h"
#include "detector/packet.h"
#include "detector/verdict.h"

#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    const char *file;
    bool forests, features, partial, greatest;
    struct verdict *verdict;
};

static void print_threat(void *context, const struct threat *threat, const struct flow *flow)
{
    const struct job *job = context;
    char *json = threat_to_json(threat);

    (void)flow;
    if (json != NULL && !job->features)
        printf("{\"file\":\"%s\",\"threat\":%s}\n", job->file, json);
    free(json);
}

static void print_row(const struct job *job, enum flow_event event, const struct flow *flow)
{
    double values[FEATURES], context[HOSTS_CONTEXT];
    char source[46], target[46];

    packet_address_text(flow->address[0], source);
    packet_address_text(flow->address[1], target);
    features_of(flow, values);
    verdict_context(job->verdict, flow, context);
    printf("%s,%s,%s,%u,%u,%u,%.9f,%.9f", job->file, source, target, flow->port[0], flow->port[1], flow->protocol,
           (double)flow->first_ns / 1e9, (double)flow->last_ns / 1e9);
    if (job->partial) /* steps behind it */
        printf(",%d", event == FLOW_ENDED ? -1 : flow->step);
    for (size_t i = 0; i < FEATURES; i++)
        printf(",%.17g", values[i]);
    for (size_t i = 0; i < HOSTS_CONTEXT; i++)
        printf(",%.17g", context[i]);
    putchar('\n');
}

static void print_greatest(const struct job *job)
{
    double value[COUNTERS];

    verdict_greatest(job->verdict, value);
    for (size_t i = 0; i < COUNTERS; i++) {
        if (value[i] > 0)
            printf("%s\t%s\t%d\t%.1f\n", job->file, limits[i].counter, (int)i, value[i]);
    }
}

static void on_flow(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    struct job *job = context;
    struct verdict_seen seen;

    if (job->forests) {
        verdict_see_event(job->verdict, event, flow, packet, &seen);
        seen.count = 0;
        verdict_decide(job->verdict, event, flow, &seen);
    } else {
        verdict_event(job->verdict, event, flow, packet);
    }
    if (job->features && !job->greatest && (event == FLOW_ENDED || (job->partial && event != FLOW_ANSWERED)))
        print_row(job, event, flow);
}

static void on_packet(struct job *job, const struct packet *packet)
{
    struct verdict_seen seen;

    if (!job->forests)
        verdict_packet(job->verdict, packet);
    else if (verdict_wants_packet(packet))
        verdict_see_packet(job->verdict, packet, &seen);
}

static bool read_file(struct job *job, const struct model *model, struct err *err)
{
    struct capture_settings capture_settings = {0};
    struct capture *capture = capture_open_file(job->file, &capture_settings, err);
    struct flow_settings flow_settings = {.max_flows = 200000, .sink = on_flow, .context = job};
    struct verdict_settings settings = {.model = model,
                                        .sensor = "evaluation",
                                        .source = "pcap",
                                        .origin = job->file,
                                        .sink = print_threat,
                                        .context = job};
    struct packet_decoder *decoder = packet_decoder_create(false);
    struct flow_table *table = flow_table_create(&flow_settings, err);
    struct capture_frame frame;
    struct packet packet;
    int64_t second = 0;
    bool ok = false;

    job->verdict = verdict_create(&settings, err);
    if (capture == NULL || decoder == NULL || table == NULL || job->verdict == NULL)
        goto done;
    while (capture_next(capture, 0, &frame, err) == CAPTURE_FRAME) {
        enum packet_reason reason =
            packet_decode(decoder, frame.link, frame.time_ns, frame.bytes, frame.captured, &packet);

        if (frame.time_ns / 1000000000 > second) {
            second = frame.time_ns / 1000000000;
            verdict_tick(job->verdict, second * 1000000000);
        }
        if (reason == PACKET_OK || (reason == PACKET_NOT_IP && packet.arp))
            on_packet(job, &packet);
        if (reason == PACKET_OK)
            flow_table_add(table, &packet);
    }
    flow_table_finish(table);
    verdict_finish(job->verdict);
    if (job->greatest)
        print_greatest(job);
    ok = true;
done:
    flow_table_free(table);
    packet_decoder_free(decoder);
    verdict_free(job->verdict);
    capture_close(capture);
    return ok;
}

static void print_header(bool partial)
{
    printf("file,source_ip,destination_ip,source_port,destination_port,protocol,first_s,last_s%s",
           partial ? ",step" : "");
    for (size_t i = 0; i < FEATURES; i++)
        printf(",%s", features_names[i]);
    for (size_t i = 0; i < HOSTS_CONTEXT; i++)
        printf(",%s", hosts_context_names[i]);
    putchar('\n');
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    bool greatest = strcmp(mode, "greatest") == 0, partial = strcmp(mode, "partial") == 0;
    struct job job = {.forests = strcmp(mode, "forests") == 0,
                      .features = greatest || partial || strcmp(mode, "features") == 0,
                      .partial = partial,
                      .greatest = greatest};
    int first = job.features ? 2 : 3, failed = 0;
    struct model *model = NULL;
    struct err err = {0};

    if (argc < first + 1 || !token_setup()) {
        fprintf(stderr, "usage: verdict_read threats|forests MODEL|- FILE... | features|partial|greatest FILE...\n");
        return 2;
    }
    if (!job.features && strcmp(argv[2], "-") != 0) {
        model = model_load(argv[2], &err);
        if (model == NULL) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    }
    if (job.features && !job.greatest)
        print_header(job.partial);
    for (int i = first; i < argc; i++) {
        job.file = argv[i];
        err = (struct err){0};
        if (!read_file(&job, model, &err)) {
            fprintf(stderr, "%s: %s\n", argv[i], err.text);
            failed = 1;
        }
    }
    model_free(model);
    return failed;
}
