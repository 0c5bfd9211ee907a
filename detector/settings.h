/* settings.h: everything the detector can be told, as one table. */
#ifndef DETECTOR_SETTINGS_H
#define DETECTOR_SETTINGS_H

#include "common/config.h"
#include "common/err.h"
#include "common/folder.h"

enum { SETTINGS_SENSOR = 65, SETTINGS_KEY = 129 };

struct settings {
    /* service */
    const char *bind;
    long port;
    const char *control_key_file;
    const char *user;
    bool no_seccomp;
    /* delivery */
    const char *data_dir, *webhook, *webhook_secret_file, *sensor;
    long spool_mib;
    /* detection */
    const char *model, *shadow, *source, *filter, *own_traffic, *false_alarms, *learn;
    long duration, max_flows, workers, ring_mib, simulator_seed, idle_timeout, active_timeout;
    long evidence_packets, evidence_bytes, evidence_mib;
    bool promiscuous, inner_flows;
    /* files */
    bool read, features, send, cic_names, quiet;
    const char *format;
    long send_wait;
    /* the rest */
    bool interfaces;
    const char *log_format, *log_level;

    /* made of the above */
    double alarms_a_day;               /* 0: as the model says */
    long learn_s;                      /* 0: nothing is learned */
    char sensor_name[SETTINGS_SENSOR]; /* 1..64 of [A-Za-z0-9._-] */
    char control_key[SETTINGS_KEY];    /* "": none */
    char installed_model[FOLDER_PATH]; /* what model points to where the working directory has none */
};

extern const struct config_program settings_program;

/* Fills settings and checks what one row alone cannot know. files: what --read is to read. */
enum config_result settings_read(struct settings *settings, int argc, char **argv, struct config_list *files,
                                 struct err *err);

#endif
