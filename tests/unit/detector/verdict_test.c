/* Tests of verdict.h: for each type, traffic just below its limit is silent, and just above it is one threat.
 *
 * Long because each kind of evidence has a test. */
#include "tests/unit/check.h"

#include "common/json.h"
#include "common/token.h"
#include "detector/limits.h"
#include "detector/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second = 1000000000;

struct told {
    char type[THREAT_TYPE], id[THREAT_ID], counter[48];
    uint32_t revision;
    double flows, value;
    int64_t timestamp_us;
};

struct scene {
    struct verdict *verdict;
    struct flow_table *table;
    struct model *model;
    int64_t now_ns;
    size_t notices, threats;
    struct told told[64];
    char *last_details;
};

static void hear(void *context, const struct threat *threat, const struct flow *flow)
{
    struct scene *scene = context;
    struct told *told = &scene->told[scene->notices < 63 ? scene->notices : 63];
    cJSON *details = json_parse(threat->details, strlen(threat->details), NULL);
    const cJSON *why;

    (void)flow;
    assert_non_null(details);
    scene->notices++;
    scene->threats += threat->revision == 1;
    snprintf(told->type, sizeof told->type, "%s", threat->type);
    snprintf(told->id, sizeof told->id, "%s", threat->id);
    told->revision = threat->revision;
    told->timestamp_us = threat->timestamp_us;
    told->flows = json_member(details, "flow_count")->valuedouble;
    why = json_member(details, "explanation")->child;
    told->counter[0] = '\0';
    if (why != NULL && json_member(why, "counter") != NULL) {
        snprintf(told->counter, sizeof told->counter, "%s", json_member(why, "counter")->valuestring);
        told->value = json_member(why, "value")->valuedouble;
        assert_true(told->value >= json_member(why, "limit")->valuedouble - 0.1);
    }
    free(scene->last_details);
    scene->last_details = strdup(threat->details);
    cJSON_Delete(details);
}

static void on_flow(void *context, enum flow_event event, const struct flow *flow, const struct packet *packet)
{
    verdict_event(((struct scene *)context)->verdict, event, flow, packet);
}

static void begin(struct scene *scene, bool with_model)
{
    struct flow_settings flows = {.max_flows = 20000, .sink = on_flow, .context = scene, .key = {1}};
    struct verdict_settings settings = {
        .sensor = "unit", .source = "pcap", .origin = "unit", .sink = hear, .context = scene};

    memset(scene, 0, sizeof *scene);
    assert_true(token_setup());
    scene->now_ns = 1700000000 * second;
    if (with_model)
        settings.model = scene->model = model_load("models", NULL);
    scene->verdict = verdict_create(&settings, NULL);
    scene->table = flow_table_create(&flows, NULL);
    assert_non_null(scene->verdict);
    assert_non_null(scene->table);
}

static void finish(struct scene *scene)
{
    flow_table_finish(scene->table);
    verdict_finish(scene->verdict);
}

static void end(struct scene *scene)
{
    flow_table_free(scene->table);
    verdict_free(scene->verdict);
    model_free(scene->model);
    free(scene->last_details);
}

static void host(uint8_t out[16], uint32_t number)
{
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    out[12] = (uint8_t)(number >> 24);
    out[13] = (uint8_t)(number >> 16);
    out[14] = (uint8_t)(number >> 8);
    out[15] = (uint8_t)number;
}

static const uint32_t ATTACKER = 0x0a000005, VICTIM = 0xc0a80107;

static struct packet packet(const struct scene *scene, uint32_t from, uint16_t sport, uint32_t to, uint16_t dport,
                            uint8_t protocol)
{
    struct packet p = {.time_ns = scene->now_ns,
                       .source_port = sport,
                       .destination_port = dport,
                       .version = 4,
                       .protocol = protocol,
                       .ttl = 64,
                       .ip_bytes = 40,
                       .header_bytes = protocol == 6 ? 20 : 8};

    host(p.source, from);
    host(p.destination, to);
    return p;
}

static void send(struct scene *scene, struct packet *p)
{
    verdict_packet(scene->verdict, p);
    flow_table_add(scene->table, p);
}

static void tcp(struct scene *scene, uint32_t from, uint16_t sport, uint32_t to, uint16_t dport, uint8_t flags,
                uint32_t size)
{
    struct packet p = packet(scene, from, sport, to, dport, 6);

    p.tcp_flags = flags;
    p.payload_bytes = size;
    p.ip_bytes += size;
    send(scene, &p);
}

static void udp(struct scene *scene, uint32_t from, uint16_t sport, uint32_t to, uint16_t dport, const void *bytes,
                size_t size)
{
    struct packet p = packet(scene, from, sport, to, dport, 17);

    p.payload = bytes;
    p.payload_bytes = (uint32_t)size;
    p.payload_captured = bytes == NULL ? 0 : (uint32_t)size;
    p.ip_bytes = 28 + (uint32_t)size;
    send(scene, &p);
}

/* A session with one question and one answer. */
static void session(struct scene *scene, uint16_t sport, uint32_t to, uint16_t dport, uint32_t up, uint32_t down)
{
    tcp(scene, ATTACKER, sport, to, dport, TCP_SYN, 0);
    tcp(scene, to, dport, ATTACKER, sport, TCP_SYN | TCP_ACK, 0);
    tcp(scene, ATTACKER, sport, to, dport, TCP_ACK, 0);
    tcp(scene, ATTACKER, sport, to, dport, TCP_ACK | TCP_PSH, up);
    tcp(scene, to, dport, ATTACKER, sport, TCP_ACK | TCP_PSH, down);
    tcp(scene, ATTACKER, sport, to, dport, TCP_FIN | TCP_ACK, 0);
    tcp(scene, to, dport, ATTACKER, sport, TCP_FIN | TCP_ACK, 0);
    tcp(scene, ATTACKER, sport, to, dport, TCP_ACK, 0);
}

static size_t dns_message(uint8_t *out, const char *name, uint16_t flags)
{
    uint8_t head[12] = {0, 1, (uint8_t)(flags >> 8), (uint8_t)flags, 0, 1};
    size_t used = sizeof head;

    memcpy(out, head, sizeof head);
    while (*name != '\0') {
        size_t label = strcspn(name, ".");

        out[used++] = (uint8_t)label;
        memcpy(out + used, name, label);
        used += label;
        name += label + (name[label] == '.');
    }
    memcpy(out + used, "\0\0\1\0\1", 5);
    return used + 5;
}

/* One step of each kind of traffic; step counts up. */
static void syn_to_port(struct scene *scene, uint32_t step)
{
    uint16_t port = (uint16_t)(1000 + step);

    tcp(scene, ATTACKER, 40000, VICTIM, port, TCP_SYN, 0);
    tcp(scene, VICTIM, port, ATTACKER, 40000, TCP_RST | TCP_ACK, 0);
}

static void fin_to_port(struct scene *scene, uint32_t step)
{
    tcp(scene, ATTACKER, 40000, VICTIM, (uint16_t)(1000 + step), TCP_FIN, 0);
}

static void syn_to_host(struct scene *scene, uint32_t step)
{
    tcp(scene, ATTACKER, (uint16_t)(40000 + step), VICTIM + step * 256, 445, TCP_SYN, 0);
}

static void ping(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, ATTACKER, 0, 0xc0a80201 + step, 0, 1);

    p.icmp_type = 8;
    send(scene, &p);
}

static void answered_ping(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, 0xc0a80201 + step, 0, ATTACKER, 0, 1);

    ping(scene, step);
    p.icmp_type = 0;
    send(scene, &p);
}

static void ping_from(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, 0x2d000001 + step * 7919, 0, VICTIM, 0, 1);

    p.icmp_type = 8;
    send(scene, &p);
}

static void missing_page(struct scene *scene, uint32_t step)
{
    static const char text[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n";
    struct packet p = packet(scene, VICTIM, 80, ATTACKER, (uint16_t)(40000 + step / 50), 6);

    p.tcp_flags = TCP_ACK | TCP_PSH;
    p.payload = (const uint8_t *)text;
    p.payload_bytes = p.payload_captured = sizeof text - 1;
    verdict_packet(scene->verdict, &p);
}

static void web_session(struct scene *scene, uint32_t step)
{
    session(scene, (uint16_t)(2000 + step), VICTIM, 80, 90, 300);
}

static void half_open(struct scene *scene, uint32_t step)
{
    uint16_t port = (uint16_t)(2000 + step);

    tcp(scene, ATTACKER, port, VICTIM, 80, TCP_SYN, 0);
    tcp(scene, VICTIM, 80, ATTACKER, port, TCP_SYN | TCP_ACK, 0);
    tcp(scene, ATTACKER, port, VICTIM, 80, TCP_RST, 0);
}

static void stray_reset(struct scene *scene, uint32_t step)
{
    tcp(scene, 0x2d000001 + step * 7919, 5000, VICTIM, 80, TCP_RST, 0);
}

static void invented_ends(struct scene *scene, uint32_t step)
{
    tcp(scene, 0xe5000001 + step * 7919, 5000, 0x2d000001 + step * 104729, 80, TCP_SYN, 0);
}

static void reflected_to_ports(struct scene *scene, uint32_t step)
{
    udp(scene, 0x08080008, 123, VICTIM, (uint16_t)(2000 + step), NULL, 468);
}

static void amplified(struct scene *scene, uint32_t step)
{
    udp(scene, ATTACKER, (uint16_t)(2000 + step), VICTIM, 123, NULL, 8);
    udp(scene, VICTIM, 123, ATTACKER, (uint16_t)(2000 + step), NULL, 468);
}

static void arp(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, ATTACKER, 0, 0xc0a80201 + step, 0, 0);

    p.arp = ARP_REQUEST;
    verdict_packet(scene->verdict, &p);
}

static void login(struct scene *scene, uint32_t step)
{
    session(scene, (uint16_t)(40000 + step), VICTIM, 22, 900, 3000);
}

/* One segment that says something. */
static void say(struct scene *scene, uint32_t from, uint16_t sport, uint32_t to, uint16_t dport, const void *bytes,
                size_t size)
{
    struct packet p = packet(scene, from, sport, to, dport, 6);

    p.tcp_flags = TCP_ACK | TCP_PSH;
    p.payload = bytes;
    p.payload_bytes = p.payload_captured = (uint32_t)size;
    verdict_packet(scene->verdict, &p);
}
#define SAY(scene, from, sport, to, dport, text) say(scene, from, sport, to, dport, text, sizeof(text) - 1)

static void refuse(struct scene *scene, uint32_t step)
{
    (void)step; /* all in one session */
    SAY(scene, VICTIM, 21, ATTACKER, 40000, "530 Login incorrect.\r\n");
}

static void greet_elsewhere(struct scene *scene, uint32_t step)
{
    SAY(scene, ATTACKER, (uint16_t)(40000 + step), VICTIM, 902, "SSH-2.0-OpenSSH_9.2p1\r\n");
}

static void overflow(struct scene *scene, uint32_t step)
{
    uint8_t bytes[200];

    (void)step;
    memset(bytes, 'A', sizeof bytes);
    memcpy(bytes, "USER ", 5);
    say(scene, ATTACKER, 40000, VICTIM, 21, bytes, sizeof bytes);
}

static void ask_for_the_panel(struct scene *scene, uint32_t step)
{
    SAY(scene, ATTACKER, (uint16_t)(40000 + step), VICTIM, 80, "POST /panel/gate.php HTTP/1.0\r\nHost: a\r\n");
}

static void prompt(struct scene *scene, uint32_t step)
{
    SAY(scene, ATTACKER, (uint16_t)(40000 + step), VICTIM, 4444, "\r\nC:\\WINDOWS\\system32>");
}

static void chat(struct scene *scene, uint32_t step)
{
    SAY(scene, ATTACKER, (uint16_t)(40000 + step), VICTIM, 1868, "PRIVMSG #lab :done\r\n");
}

static void keyed(struct scene *scene, uint32_t step)
{
    uint8_t bytes[200];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) "kola7"[(i + step) % 5];
    say(scene, VICTIM, 80, ATTACKER, 40000, bytes, sizeof bytes);
}

static void encoded_question(struct scene *scene, uint32_t step)
{
    uint8_t bytes[256];

    (void)step;
    udp(scene, ATTACKER, 40000, 0x08080808, 53, bytes,
        dns_message(bytes, "H4sICN03*2QAA3Rlc3QudHh0AAvJ.yCxWAKJEheLU5KLUEoW0zA==.example.com", 0x0100));
}

static void unanswered_question(struct scene *scene, uint32_t step)
{
    char name[64];
    uint8_t bytes[128];

    snprintf(name, sizeof name, "s%u.example.com", step);
    udp(scene, ATTACKER, (uint16_t)(40000 + step), 0x08080808, 53, bytes, dns_message(bytes, name, 0x0100));
}

static void ping_with_data(struct scene *scene, uint32_t step)
{
    uint8_t frame[100] = {0, 1, 0, (uint8_t)step};
    struct packet p = packet(scene, ATTACKER, 0, VICTIM, 0, 1), q = packet(scene, VICTIM, 0, ATTACKER, 0, 1);

    for (size_t i = 20; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * step + step);
    p.icmp_type = 8;
    p.payload = q.payload = frame + 4;
    p.payload_bytes = p.payload_captured = q.payload_bytes = q.payload_captured = 60;
    send(scene, &p);
    send(scene, &q);
}

static void request(struct scene *scene, uint32_t step)
{
    session(scene, (uint16_t)(40000 + step), VICTIM, 80, 90 + step, 300);
}

static void spoofed_syn(struct scene *scene, uint32_t step)
{
    tcp(scene, 0x2d000001 + step * 7919, 5000, VICTIM, 80, TCP_SYN, 0);
}

static void datagram(struct scene *scene, uint32_t step)
{
    udp(scene, ATTACKER, (uint16_t)(1024 + step), VICTIM, 9999, NULL, 100);
}

static void syn_of_one(struct scene *scene, uint32_t step)
{
    tcp(scene, ATTACKER, (uint16_t)(1024 + step), VICTIM, 80, TCP_SYN, 0);
}

static void reflected(struct scene *scene, uint32_t step)
{
    udp(scene, 0x08080001 + step, 123, VICTIM, 40000, NULL, 468);
}

static void missing_name(struct scene *scene, uint32_t step)
{
    char name[64];
    uint8_t bytes[128];

    snprintf(name, sizeof name, "qx%uzk.com", step * 7919);
    udp(scene, 0x08080808, 53, ATTACKER, 40000, bytes, dns_message(bytes, name, 0x8183));
}

static void text_question(struct scene *scene, uint32_t step)
{
    char name[128];
    uint8_t bytes[256];

    size_t length;

    snprintf(name, sizeof name, "d%u.example.com", step);
    length = dns_message(bytes, name, 0x0100);
    bytes[length - 3] = 16; /* TXT: names that long would be told by their bytes */
    udp(scene, ATTACKER, 40000, 0x08080808, 53, bytes, length);
}

static void mail(struct scene *scene, uint32_t step)
{
    session(scene, (uint16_t)(40000 + step), VICTIM + step * 256, 25, 900, 300);
}

static void odd_icmp(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, ATTACKER, 0, VICTIM, 0, 1);

    p.icmp_type = (uint8_t)(13 + 2 * step);
    send(scene, &p);
}

static void unlike_reply(struct scene *scene, uint32_t step)
{
    uint8_t frame[100] = {0, 1, 0, (uint8_t)step};
    struct packet p = packet(scene, ATTACKER, 0, VICTIM, 0, 1), q = packet(scene, VICTIM, 0, ATTACKER, 0, 1);

    memset(frame + 20, 'a', 40);
    p.icmp_type = 8;
    p.payload = q.payload = frame + 4;
    p.payload_bytes = p.payload_captured = q.payload_bytes = q.payload_captured = 60;
    send(scene, &p);
    memset(frame + 20, 'b', 40);
    send(scene, &q);
}

static void rare_protocol(struct scene *scene, uint32_t step)
{
    struct packet p = packet(scene, ATTACKER, 0, VICTIM, 0, (uint8_t)(150 + step));

    send(scene, &p);
}

/* Two in a sketch may share a bit, so "below" leaves room for it and "above" some more. */
static const struct {
    void (*step)(struct scene *scene, uint32_t step);
    const char *type, *counter;
    enum counter limit;
    int below, above; /* percent of the limit; the steps it takes */
    int64_t pause_ns;
} kinds[] = {
    {syn_to_port, "port_scan", "failed_ports", COUNT_PORTS_FAILED, 80, 130, 10000000},
    {syn_to_port, "port_scan", "failed_ports", COUNT_PORTS_FAILED_SLOW, 80, 130, 10000000000},
    {fin_to_port, "port_scan", "odd_flag_probes", COUNT_ODD_PROBES, 50, 200, 10000000},
    {syn_to_host, "port_scan", "failed_hosts_admin_port", COUNT_HOSTS_FAILED_ADMIN, 80, 130, 10000000},
    {ping, "port_scan", "silent_hosts", COUNT_HOSTS_SILENT, 75, 150, 10000000},
    {answered_ping, "port_scan", "pinged_hosts", COUNT_HOSTS_PINGED, 75, 150, 10000000},
    {missing_page, "web_attack", "missing_pages", COUNT_PAGES_MISSING, 99, 101, 10000000},
    {web_session, "dos", "web_sessions", COUNT_WEB_SESSIONS, 99, 101, 1000000},
    {half_open, "dos", "half_open_flows", COUNT_FLOWS_HALF_OPEN, 80, 130, 1000000},
    {stray_reset, "ddos", "stray_sources", COUNT_SOURCES_STRAY, 80, 130, 1000000},
    {ping_from, "ddos", "pinging_sources", COUNT_SOURCES_PINGING, 80, 130, 1000000},
    {invented_ends, "ddos", "impossible_sources", COUNT_SOURCES_IMPOSSIBLE, 75, 150, 1000000},
    {reflected_to_ports, "ddos", "reflected_flows", COUNT_REFLECTED_FLOWS, 99, 101, 1000000},
    {amplified, "ddos", "amplified_answers", COUNT_AMPLIFIED, 99, 101, 1000000},
    {arp, "port_scan", "arp_asked_hosts", COUNT_HOSTS_ASKED, 75, 130, 10000000},
    {odd_icmp, "port_scan", "icmp_probe_kinds", COUNT_ICMP_PROBES, 50, 100, 10000000},
    {rare_protocol, "port_scan", "ip_protocols", COUNT_PROTOCOLS, 80, 150, 10000000},
    {login, "brute_force", "login_sessions", COUNT_LOGINS, 96, 100, 100000000},
    {login, "brute_force", "login_sessions", COUNT_LOGINS_SLOW, 96, 101, 3000000000},
    {refuse, "brute_force", "refused_logins", COUNT_LOGINS_REFUSED, 90, 100, 100000000},
    {refuse, "brute_force", "refused_logins", COUNT_LOGINS_REFUSED_SLOW, 90, 101, 4000000000},
    {greet_elsewhere, "brute_force", "login_banners", COUNT_BANNERS, 90, 100, 100000000},
    {overflow, "dos", "filler_segments", COUNT_FILLERS, 67, 100, 100000000},
    {ask_for_the_panel, "malware", "bot_requests", COUNT_BOT_REQUESTS, 0, 100, 100000000},
    {prompt, "malware", "remote_control", COUNT_CONTROL, 0, 100, 100000000},
    {chat, "malware", "chat_commands", COUNT_CHAT, 67, 100, 100000000},
    {keyed, "malware", "keyed_segments", COUNT_KEYED, 87, 100, 100000000},
    {encoded_question, "data_exfiltration", "encoded_names", COUNT_DNS_ENCODED, 0, 100, 100000000},
    {unanswered_question, "data_exfiltration", "unanswered_names", COUNT_DNS_UNANSWERED, 80, 130, 10000000},
    {ping_with_data, "data_exfiltration", "echo_contents", COUNT_ICMP_CONTENTS, 70, 130, 100000000},
    {request, "web_attack", "request_sizes", COUNT_REQUEST_SIZES, 80, 130, 10000000},
    {spoofed_syn, "ddos", "unanswered_sources", COUNT_SOURCES_UNANSWERED, 80, 130, 1000000},
    {datagram, "udp_flood", "unanswered_flows", COUNT_FLOWS_UNANSWERED, 99, 101, 1000000},
    {syn_of_one, "dos", "unanswered_flows", COUNT_FLOWS_UNANSWERED, 99, 101, 1000000},
    {reflected, "ddos", "reflectors", COUNT_REFLECTORS, 80, 130, 1000000},
    {missing_name, "malware", "missing_names", COUNT_NAMES_MISSING, 80, 130, 100000000},
    {mail, "malware", "mail_hosts", COUNT_MAIL_HOSTS, 75, 130, 100000000},
    {text_question, "data_exfiltration", "dns_long_names", COUNT_DNS_NAMES, 80, 130, 1000000000},
    {unlike_reply, "data_exfiltration", "icmp_unlike_replies", COUNT_ICMP_UNLIKE, 70, 100, 100000000},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void run(struct scene *scene, size_t kind, int percent)
{
    uint32_t steps = (uint32_t)(limits[kinds[kind].limit].limit * percent / 100 + 0.5);

    for (uint32_t i = 0; i < steps; i++) {
        scene->now_ns += kinds[kind].pause_ns;
        kinds[kind].step(scene, i);
    }
    finish(scene);
}

static void below_its_limit_every_kind_is_silent(void **state)
{
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        begin(&scene, false);
        run(&scene, i, kinds[i].below);
        if (scene.notices != 0)
            fail_msg("%s below its limit: %s (%s)", kinds[i].counter, scene.told[0].type, scene.told[0].counter);
        end(&scene);
    }
}

static void above_its_limit_every_kind_is_one_threat_of_its_type(void **state)
{
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        begin(&scene, false);
        run(&scene, i, kinds[i].above);
        if (scene.threats != 1 || strcmp(scene.told[0].type, kinds[i].type) != 0 ||
            strcmp(scene.told[0].counter, kinds[i].counter) != 0)
            fail_msg("%s (%zu) above its limit: %zu threats, first %s (%s)", kinds[i].counter, i, scene.threats,
                     scene.told[0].type, scene.told[0].counter);
        end(&scene);
    }
}

static void one_malicious_request_is_a_threat(void **state)
{
    static const char text[] = "GET /p.php?id=1'+union+select+1,2,3 HTTP/1.1\r\n";
    struct scene scene;
    struct packet p;

    (void)state;
    begin(&scene, false);
    p = packet(&scene, ATTACKER, 40000, VICTIM, 80, 6);
    p.tcp_flags = TCP_ACK | TCP_PSH;
    p.payload = (const uint8_t *)text;
    p.payload_bytes = p.payload_captured = sizeof text - 1;
    send(&scene, &p);
    finish(&scene);
    assert_int_equal(scene.threats, 1);
    assert_string_equal(scene.told[0].type, "web_attack");
    end(&scene);
}

static void a_stream_that_nobody_answers_is_a_flood(void **state)
{
    struct scene scene;

    (void)state;
    for (int pace = 0; pace < 2; pace++) { /* 1,900 and 4,000 packets a second */
        begin(&scene, false);
        for (int i = 0; i < 2100; i++) {
            scene.now_ns += pace == 0 ? 530000 : 250000;
            udp(&scene, ATTACKER, 5555, VICTIM, 9999, NULL, 64);
        }
        finish(&scene);
        assert_int_equal(scene.threats, pace);
        if (pace == 1)
            assert_string_equal(scene.told[0].type, "udp_flood");
        end(&scene);
    }
}

static void pings_without_end_are_a_flood_even_when_answered(void **state)
{
    struct scene scene;

    (void)state;
    for (int pace = 0; pace < 2; pace++) { /* 200 and 500 pings a second */
        begin(&scene, false);
        for (int i = 0; i < 2100; i++) {
            struct packet p = packet(&scene, ATTACKER, 0, VICTIM, 0, 1),
                          q = packet(&scene, VICTIM, 0, ATTACKER, 0, 1);

            scene.now_ns += pace == 0 ? 5000000 : 2000000;
            p.time_ns = q.time_ns = scene.now_ns;
            p.icmp_type = 8;
            send(&scene, &p);
            send(&scene, &q);
        }
        finish(&scene);
        assert_int_equal(scene.threats, pace);
        if (pace == 1)
            assert_string_equal(scene.told[0].counter, "pings_s");
        end(&scene);
    }
}

static void names_that_exist_under_another_suffix_are_a_search_list(void **state)
{
    struct scene scene;
    char name[64];
    uint8_t bytes[128];

    (void)state;
    for (int found = 0; found < 2; found++) {
        begin(&scene, false);
        for (uint32_t i = 0; i < 60; i++) {
            scene.now_ns += 200000000;
            snprintf(name, sizeof name, "qx%u.corp.example.com", i * 7919);
            udp(&scene, 0x08080808, 53, ATTACKER, 40000, bytes, dns_message(bytes, name, 0x8183));
            snprintf(name, sizeof name, "qx%u.example.org", i * 7919);
            if (found)
                udp(&scene, 0x08080808, 53, ATTACKER, 40000, bytes, dns_message(bytes, name, 0x8180));
        }
        finish(&scene);
        assert_int_equal(scene.threats, !found);
        end(&scene);
    }
}

static void datagrams_to_all_ports_are_a_flood_when_fast_and_a_scan_when_slow(void **state)
{
    struct scene scene;

    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        begin(&scene, false);
        for (int i = 0; i < 1000; i++) {
            scene.now_ns += slow == 0 ? 200000 : 50000000;
            udp(&scene, ATTACKER, 5555, VICTIM, (uint16_t)(1000 + i), NULL, 64);
        }
        finish(&scene);
        assert_int_equal(scene.threats, 1);
        assert_string_equal(scene.told[0].type, slow == 0 ? "udp_flood" : "port_scan");
        end(&scene);
    }
}

static void slow_requests_are_a_dos(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, false);
    for (uint16_t c = 0; c < 10; c++) {
        tcp(&scene, ATTACKER, (uint16_t)(40000 + c), VICTIM, 80, TCP_SYN, 0);
        tcp(&scene, VICTIM, 80, ATTACKER, (uint16_t)(40000 + c), TCP_SYN | TCP_ACK, 0);
        tcp(&scene, ATTACKER, (uint16_t)(40000 + c), VICTIM, 80, TCP_ACK, 0);
    }
    for (int turn = 0; turn < 4; turn++) {
        for (uint16_t c = 0; c < 10; c++)
            tcp(&scene, ATTACKER, (uint16_t)(40000 + c), VICTIM, 80, TCP_ACK | TCP_PSH, 20);
        scene.now_ns += 5 * second;
    }
    finish(&scene);
    assert_int_equal(scene.threats, 1);
    assert_string_equal(scene.told[0].type, "dos");
    assert_string_equal(scene.told[0].counter, "slow_requests");
    end(&scene);
}

static void an_incident_grows_by_powers_of_ten_and_keeps_its_id(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, false);
    for (uint32_t i = 0; i < 1234; i++) {
        scene.now_ns += 1000000;
        syn_to_port(&scene, i);
    }
    finish(&scene);
    assert_int_equal(scene.threats, 1);
    assert_int_equal(scene.notices, 4); /* at once, 100, 1000, the end */
    assert_true(scene.told[1].flows == 100);
    assert_true(scene.told[2].flows == 1000);
    assert_true(scene.told[3].flows == 1234);
    for (size_t i = 0; i < scene.notices; i++) {
        assert_int_equal(scene.told[i].revision, i + 1);
        assert_string_equal(scene.told[i].id, scene.told[0].id);
    }
    end(&scene);
}

static void a_pause_of_ten_minutes_ends_an_incident_and_a_shorter_one_does_not(void **state)
{
    struct scene scene;

    (void)state;
    for (int minutes = 9; minutes <= 11; minutes += 2) {
        begin(&scene, false);
        for (uint32_t i = 0; i < 60; i++) {
            if (i == 30)
                scene.now_ns += minutes * 60 * second;
            scene.now_ns += 1000000;
            verdict_tick(scene.verdict, scene.now_ns);
            syn_to_port(&scene, i);
        }
        finish(&scene);
        assert_int_equal(scene.threats, minutes == 9 ? 1 : 2);
        if (minutes == 11)
            assert_string_not_equal(scene.told[0].id, scene.told[scene.notices - 1].id);
        end(&scene);
    }
}

static void the_same_packets_give_the_same_threats(void **state)
{
    struct scene first, second_run;

    (void)state;
    begin(&first, true);
    run(&first, 0, 500);
    begin(&second_run, true);
    run(&second_run, 0, 500);
    assert_int_equal(first.notices, second_run.notices);
    for (size_t i = 0; i < first.notices; i++)
        assert_string_equal(first.told[i].id, second_run.told[i].id);
    assert_string_equal(first.last_details, second_run.last_details);
    end(&first);
    end(&second_run);
}

static void details_hold_what_the_contract_names(void **state)
{
    static const char *const names[] = {"rf_prediction", "rf_confidence", "iso_prediction", "iso_score",
                                        "flow_duration", "packet_count",  "byte_count",     "flow_count",
                                        "first_seen",    "last_seen",     "features",       "explanation",
                                        "source",        "model",         "extractor"};
    struct scene scene;
    cJSON *details;

    (void)state;
    begin(&scene, true);
    run(&scene, 0, 130);
    details = json_parse(scene.last_details, strlen(scene.last_details), NULL);
    assert_non_null(details);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_member(details, names[i]) == NULL)
            fail_msg("details without %s", names[i]);
    }
    assert_int_equal(cJSON_GetArraySize(json_member(details, "features")), 25);
    cJSON_Delete(details);
    end(&scene);
}

static void a_spoofed_flood_does_not_hide_a_scan(void **state)
{
    struct scene scene;
    bool seen = false;

    (void)state;
    begin(&scene, false);
    for (uint32_t i = 0; i < 60000; i++) {
        scene.now_ns += 20000;
        spoofed_syn(&scene, i);
        if (i % 1000 == 0)
            tcp(&scene, ATTACKER, 40000, VICTIM + 1, (uint16_t)(1 + i / 1000), TCP_SYN, 0);
    }
    for (size_t i = 0; i < scene.notices && i < 64; i++)
        seen |= strcmp(scene.told[i].type, "port_scan") == 0;
    assert_true(seen);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_its_limit_every_kind_is_silent),
        cmocka_unit_test(above_its_limit_every_kind_is_one_threat_of_its_type),
        cmocka_unit_test(one_malicious_request_is_a_threat),
        cmocka_unit_test(pings_without_end_are_a_flood_even_when_answered),
        cmocka_unit_test(names_that_exist_under_another_suffix_are_a_search_list),
        cmocka_unit_test(a_stream_that_nobody_answers_is_a_flood),
        cmocka_unit_test(datagrams_to_all_ports_are_a_flood_when_fast_and_a_scan_when_slow),
        cmocka_unit_test(slow_requests_are_a_dos),
        cmocka_unit_test(an_incident_grows_by_powers_of_ten_and_keeps_its_id),
        cmocka_unit_test(a_pause_of_ten_minutes_ends_an_incident_and_a_shorter_one_does_not),
        cmocka_unit_test(the_same_packets_give_the_same_threats),
        cmocka_unit_test(details_hold_what_the_contract_names),
        cmocka_unit_test(a_spoofed_flood_does_not_hide_a_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
