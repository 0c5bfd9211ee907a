/* settings.c: see settings.h. */
#include "detector/settings.h"

#include "common/log.h"
#include "detector/own_traffic.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member)   offsetof(struct settings, member)
#define MODEL_FOLDER "models"

static const struct option_row rows[] = {
    {"read", NULL, OPT_FLAG, AT(read), 0, 0, NULL,
     "read the files and folders named behind it, print threats as JSON lines, end"},
    {"features", NULL, OPT_FLAG, AT(features), 0, 0, NULL,
     "with --read: print the features of each flow as CSV instead"},
    {"cic-names", NULL, OPT_FLAG, AT(cic_names), 0, 0, NULL,
     "with --features: name the columns as CICFlowMeter does"},
    {"send", NULL, OPT_FLAG, AT(send), 0, 0, NULL, "with --read: send the threats to the webhook instead"},
    {"send-wait", "DETECTOR_SEND_WAIT", OPT_NUMBER, AT(send_wait), 0, 86400, "120",
     "with --send: seconds to wait for the last delivery"},
    {"format", "DETECTOR_FORMAT", OPT_TEXT, AT(format), 1, 16, "json",
     "with --read: json (lines) or eve (Suricata's)"},
    {"quiet", NULL, OPT_FLAG, AT(quiet), 0, 0, NULL, "with --read: no progress on a terminal"},
    {"source", "DETECTOR_SOURCE", OPT_TEXT, AT(source), 1, 240, "none",
     "what to watch from the start: simulator, live:INTERFACE[,INTERFACE...] (live:auto), or none"},
    {"duration", "DETECTOR_DURATION", OPT_NUMBER, AT(duration), 0, 31536000, "0",
     "seconds after which the source of the start ends; 0: never"},
    {"filter", "DETECTOR_FILTER", OPT_TEXT, AT(filter), 1, 480, NULL, "BPF filter for captures and files"},
    {"own-traffic", "DETECTOR_OWN_TRAFFIC", OPT_TEXT, AT(own_traffic), 3, 1000, NULL,
     "HOST:PORT[,HOST:PORT...] left out of captures as the webhook is: the backend's database, for one"},
    {"promiscuous", "DETECTOR_PROMISCUOUS", OPT_FLAG, AT(promiscuous), 0, 0, NULL,
     "take packets meant for others as well"},
    {"ring-mib", "DETECTOR_RING_MIB", OPT_NUMBER, AT(ring_mib), 1, 1024, "64", "size of a capture's ring"},
    {"simulator-seed", "DETECTOR_SIMULATOR_SEED", OPT_NUMBER, AT(simulator_seed), 0, 4294967295, "0",
     "makes the simulator's traffic repeatable; 0: another one each time"},
    {"model", "DETECTOR_MODEL", OPT_TEXT, AT(model), 1, 4000, MODEL_FOLDER,
     "model file, or the folder that holds it; by default of the working directory, else what was installed"},
    {"false-alarms", "DETECTOR_FALSE_ALARMS", OPT_TEXT, AT(false_alarms), 1, 24, NULL,
     "N/day: thresholds of the forests from which so many false alarms are expected (default: the model's)"},
    {"learn", "DETECTOR_LEARN", OPT_TEXT, AT(learn), 1, 24, NULL,
     "time, as 24h or 7d, in which limits are raised to what is usual here; kept in the data folder"},
    {"shadow", "DETECTOR_SHADOW", OPT_TEXT, AT(shadow), 1, 4000, NULL,
     "a second model that scores in silence; where it differs is counted and shown"},
    {"max-flows", "DETECTOR_MAX_FLOWS", OPT_NUMBER, AT(max_flows), 1024, 16777216, "262144",
     "ceiling of open flows; their memory is taken at the start"},
    {"idle-timeout", "DETECTOR_IDLE_TIMEOUT", OPT_NUMBER, AT(idle_timeout), 1, 86400, "120",
     "seconds without a packet that end a flow"},
    {"active-timeout", "DETECTOR_ACTIVE_TIMEOUT", OPT_NUMBER, AT(active_timeout), 10, 604800, "1800",
     "seconds after which a flow is ended and begun anew"},
    {"inner-flows", "DETECTOR_INNER_FLOWS", OPT_FLAG, AT(inner_flows), 0, 0, NULL,
     "look into GRE, IP-in-IP and VXLAN tunnels"},
    {"workers", "DETECTOR_WORKERS", OPT_NUMBER, AT(workers), 1, 2, "1",
     "1: all on the reading thread; 2: windows and verdicts on threads of their own"},
    {"evidence-packets", "DETECTOR_EVIDENCE_PACKETS", OPT_NUMBER, AT(evidence_packets), 0, 1024, "64",
     "first packets of each flow kept for a while as evidence for threats; 0: none"},
    {"evidence-bytes", "DETECTOR_EVIDENCE_BYTES", OPT_NUMBER, AT(evidence_bytes), 0, 4096, "256",
     "of each of them: its headers and so many bytes of payload"},
    {"evidence-mib", "DETECTOR_EVIDENCE_MIB", OPT_NUMBER, AT(evidence_mib), 1, 2048, "32",
     "memory for them, taken at the start"},
    {"webhook", "DETECTOR_WEBHOOK", OPT_TEXT, AT(webhook), 1, 900, "http://127.0.0.1:5000/api/network/webhook",
     "URL that receives the threats"},
    {"webhook-secret-file", "DETECTOR_WEBHOOK_SECRET_FILE", OPT_TEXT, AT(webhook_secret_file), 1, 4000, NULL,
     "file of \"[sensor ]whsec_...\" lines; deliveries are signed with the sensor's"},
    {"sensor", "DETECTOR_SENSOR", OPT_TEXT, AT(sensor), 1, 64, NULL,
     "name of this sensor (default: the host's name)"},
    {"data-dir", "DETECTOR_DATA_DIR", OPT_TEXT, AT(data_dir), 1, 4000, "data",
     "folder for the spool and for uploads"},
    {"spool-mib", "DETECTOR_SPOOL_MIB", OPT_NUMBER, AT(spool_mib), 1, 1048576, "256",
     "ceiling of the spool; beyond it new threats are counted as lost"},
    {"bind", "DETECTOR_BIND", OPT_TEXT, AT(bind), 7, 15, "127.0.0.1", "IPv4 address of the control API"},
    {"port", "DETECTOR_PORT", OPT_NUMBER, AT(port), 0, 65535, "8000", "port of the control API; 0: any free one"},
    {"control-key-file", "DETECTOR_CONTROL_KEY_FILE", OPT_TEXT, AT(control_key_file), 1, 4000, NULL,
     "file with the key that control requests must bear; needed when bound to anything but loopback"},
    {"user", "DETECTOR_USER", OPT_TEXT, AT(user), 1, 64, NULL, "when started as root: the user to become"},
    {"no-seccomp", "DETECTOR_NO_SECCOMP", OPT_FLAG, AT(no_seccomp), 0, 0, NULL,
     "do without the filter of system calls"},
    {"interfaces", NULL, OPT_FLAG, AT(interfaces), 0, 0, NULL, "list the interfaces and end"},
    {"log-format", "DETECTOR_LOG_FORMAT", OPT_TEXT, AT(log_format), 1, 16, "logfmt", "logfmt or json"},
    {"log-level", "DETECTOR_LOG_LEVEL", OPT_TEXT, AT(log_level), 1, 16, "info", "error, warn, info or debug"},
};

const struct config_program settings_program = {
    .name = "threatline-detector",
    .version = THREATLINE_VERSION,
    .usage = "[--source SOURCE] [options]\n       threatline-detector --read FILE... [options]\n"
             "       threatline-detector selftest",
    .about = "Watches a network or reads captures, finds threats in the flows, and delivers each to a webhook.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .files = true,
};

static bool one_of(const char *name, const char *value, const char *const *list, struct err *err)
{
    for (size_t i = 0; list[i] != NULL; i++)
        if (strcmp(value, list[i]) == 0)
            return true;
    return err_set(err, ERR_INVALID, "%s: \"%.60s\" is none of its values (see --help)", name, value);
}

/* The host's name may hold what a sensor's may not. */
static bool name_sensor(struct settings *s, struct err *err)
{
    char host[256] = "";
    size_t n = 0;

    if (s->sensor != NULL) {
        for (const char *p = s->sensor; *p; p++)
            if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
                return err_set(err, ERR_INVALID, "sensor: expected 1 to 64 of A-Z a-z 0-9 . _ -");
        snprintf(s->sensor_name, sizeof s->sensor_name, "%s", s->sensor);
        return true;
    }
    gethostname(host, sizeof host - 1);
    for (const char *p = host; *p && n + 1 < sizeof s->sensor_name; p++)
        s->sensor_name[n++] = isalnum((unsigned char)*p) || strchr("._-", *p) ? *p : '-';
    if (n == 0)
        snprintf(s->sensor_name, sizeof s->sensor_name, "detector");
    return true;
}

static bool source_fits(const char *source, struct err *err)
{
    if (strcmp(source, "simulator") == 0 || strcmp(source, "none") == 0 ||
        (strncmp(source, "live:", 5) == 0 && source[5] != '\0'))
        return true;
    return err_set(err, ERR_INVALID, "source: expected simulator, none or live:INTERFACE");
}

static bool read_alarms(struct settings *s, struct err *err)
{
    char *end;

    if (s->false_alarms == NULL)
        return true;
    s->alarms_a_day = strtod(s->false_alarms, &end);
    if (end != s->false_alarms && strcmp(end, "/day") == 0 && s->alarms_a_day >= 0.001 && s->alarms_a_day <= 1e6)
        return true;
    return err_set(err, ERR_INVALID, "false-alarms: expected N/day, N from 0.001 to 1000000");
}

static bool read_learn(struct settings *s, struct err *err)
{
    static const struct {
        const char *unit;
        long seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    double number;

    if (s->learn == NULL)
        return true;
    number = strtod(s->learn, &end);
    for (size_t i = 0; end != s->learn && i < sizeof units / sizeof *units; i++) {
        double seconds = number * (double)units[i].seconds;

        if (strcmp(end, units[i].unit) != 0 || !(seconds >= 60 && seconds <= 90 * 86400))
            continue;
        s->learn_s = lround(seconds);
        return true;
    }
    return err_set(err, ERR_INVALID, "learn: expected a time from 60s to 90d, as 24h");
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0;
}

static bool fits_together(struct settings *s, const struct config_list *files, struct err *err)
{
    static const char *const formats[] = {"json", "eve", NULL}, *const logs[] = {"logfmt", "json", NULL};
    enum log_level level;
    struct in_addr address;

    if (inet_pton(AF_INET, s->bind, &address) != 1)
        return err_set(err, ERR_INVALID, "bind: expected an IPv4 address, got \"%s\"", s->bind);
    if (!one_of("format", s->format, formats, err) || !one_of("log-format", s->log_format, logs, err) ||
        !source_fits(s->source, err) || !name_sensor(s, err) || !read_alarms(s, err) || !read_learn(s, err))
        return false;
    if (!log_level_from_text(s->log_level, &level))
        return err_set(err, ERR_INVALID, "log-level: expected error, warn, info or debug");
    if (strncmp(s->webhook, "http://", 7) != 0 && strncmp(s->webhook, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "webhook: expected a URL with http or https");
    if (strchr("/:?#", strstr(s->webhook, "://")[3]) != NULL) /* also its end */
        return err_set(err, ERR_INVALID, "webhook: \"%s\" names no host", s->webhook);
    if (s->own_traffic != NULL && !own_traffic_check(s->own_traffic, err))
        return false;
    if (s->read && files->count == 0)
        return err_set(err, ERR_INVALID, "read: expected a file or a folder behind it");
    if (!s->read && files->count > 0)
        return err_set(err, ERR_INVALID, "\"%.100s\": files are only for --read", files->items[0]);
    if (s->cic_names && !s->features)
        return err_set(err, ERR_INVALID, "cic-names: only with --features");
    if (!s->read && (s->features || s->send))
        return err_set(err, ERR_INVALID, "%s: only with --read", s->features ? "features" : "send");
    if (s->features && s->send)
        return err_set(err, ERR_INVALID, "features and send exclude each other");
    if (s->features && strcmp(s->format, "eve") == 0)
        return err_set(err, ERR_INVALID, "features: written as CSV; format eve is for threats");
    if (s->control_key_file != NULL &&
        !config_read_secret(s->control_key_file, s->control_key, sizeof s->control_key, err))
        return err_prefix(err, "control-key-file");
    if (!s->read && !is_loopback(s->bind) && s->control_key[0] == '\0')
        return err_set(err, ERR_INVALID, "bind: %s needs a --control-key-file (only loopback goes without)", s->bind);
    return true;
}

enum config_result settings_read(struct settings *settings, int argc, char **argv, struct config_list *files,
                                 struct err *err)
{
    enum config_result result = config_read(&settings_program, argc, argv, settings, files, err);

    if (result != CONFIG_RUN && result != CONFIG_CHECK)
        return result;
    if (strcmp(settings->model, MODEL_FOLDER) == 0)
        settings->model = folder_beside(MODEL_FOLDER, settings->installed_model);
    if (!fits_together(settings, files, err))
        return CONFIG_WRONG;
    return result;
}
