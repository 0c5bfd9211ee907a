/* tune.c: see tune.h. */
#include "detector/tune.h"

#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t show_ns = INT64_C(5000000000), save_ns = INT64_C(3600000000000), second_ns = INT64_C(1000000000);

struct tune {
    struct tune_settings settings;
    char *learned; /* path */
    struct budget budget;
    struct drift drift;
    struct learn *learn; /* NULL: nothing is learned */
    struct shadow *shadow;
    bool real;
    int64_t saved_ns;     /* of the learning time, when it was written down last */
    int64_t shown_ns;     /* packet time of what is shown */
    pthread_mutex_t lock; /* guards what follows; held for a copy */
    struct tune_figures shown;
    struct drift shown_drift; /* its index is left to who asks */
};

static void show(struct tune *tune)
{
    struct tune_figures f = {.has_model = tune->settings.model != NULL, .has_shadow = tune->shadow != NULL};

    if (f.has_model)
        budget_figures(&tune->budget, &f.budget);
    if (tune->shadow != NULL) {
        f.shadow = *shadow_counts(tune->shadow);
        snprintf(f.shadow_model, sizeof f.shadow_model, "%s", model_name(tune->settings.shadow));
    }
    if (tune->learn != NULL) {
        const struct learn *l = tune->learn;

        f.learned = (struct tune_learned){.on = true,
                                          .over = learn_is_over(l),
                                          .wanted_h = (double)l->wanted_ns / (double)second_ns / 3600,
                                          .seen_h = (double)l->seen_ns / (double)second_ns / 3600,
                                          .flows = l->flows};
        memcpy(f.learned.limit, l->limit, sizeof f.learned.limit);
        memcpy(f.learned.greatest, l->greatest, sizeof f.learned.greatest);
        for (int c = 0; c < COUNTERS; c++)
            f.learned.limits += l->limit[c] > limits[c].limit;
    }
    pthread_mutex_lock(&tune->lock);
    tune->shown = f;
    if (f.has_model)
        tune->shown_drift = tune->drift;
    pthread_mutex_unlock(&tune->lock);
}

static bool create_learn(struct tune *tune, const char *path, struct err *err)
{
    struct err why = {0};

    tune->learn = malloc(sizeof *tune->learn);
    tune->learned = strdup(path);
    if (tune->learn == NULL || tune->learned == NULL)
        return err_set(err, ERR_MEMORY, "learn: out of memory");
    learn_init(tune->learn, tune->settings.model, tune->settings.learn_ns);
    if (learn_load(tune->learn, tune->learned, &why))
        log_info("learn.loaded", "file=\"%s\" over=%d", tune->learned, learn_is_over(tune->learn));
    else if (why.code != ERR_NOT_FOUND)
        log_warn("learn.refused", "error=\"%s\" effect=\"learning begins anew\"", why.text);
    tune->saved_ns = tune->learn->seen_ns;
    return true;
}

struct tune *tune_create(const struct tune_settings *settings, struct err *err)
{
    struct tune *tune = calloc(1, sizeof *tune);

    if (tune == NULL) {
        err_set(err, ERR_MEMORY, "tune: out of memory");
        return NULL;
    }
    pthread_mutex_init(&tune->lock, NULL);
    tune->settings = *settings;
    tune->settings.learned = NULL;
    if ((settings->learn_ns > 0 && !create_learn(tune, settings->learned, err)) ||
        (settings->shadow != NULL && (tune->shadow = shadow_create(settings->shadow, err)) == NULL)) {
        tune_free(tune);
        return NULL;
    }
    tune_begin(tune, false);
    return tune;
}

void tune_free(struct tune *tune)
{
    if (tune == NULL)
        return;
    shadow_free(tune->shadow);
    free(tune->learn);
    free(tune->learned);
    pthread_mutex_destroy(&tune->lock);
    free(tune);
}

void tune_begin(struct tune *tune, bool real)
{
    tune->real = real;
    tune->shown_ns = 0;
    if (tune->learn != NULL)
        learn_pause(tune->learn);
    if (tune->settings.model != NULL) {
        budget_init(&tune->budget, tune->settings.model, tune->settings.false_alarms, tune->settings.agree);
        drift_init(&tune->drift, tune->settings.model);
    }
    show(tune);
}

static void save(struct tune *tune)
{
    struct err err = {0};

    tune->saved_ns = tune->learn->seen_ns;
    if (!learn_save(tune->learn, tune->learned, &err))
        log_error("learn.unsaved", "error=\"%s\"", err.text);
}

void tune_end(struct tune *tune)
{
    if (tune->learn != NULL && tune->learn->seen_ns > tune->saved_ns)
        save(tune);
    show(tune);
}

bool tune_wants_scores(const struct tune *tune)
{
    return tune->shadow != NULL;
}

const struct budget_choice *tune_thresholds(const struct tune *tune)
{
    return &tune->budget.now;
}

bool tune_uses_windows(const struct tune *tune)
{
    return tune->shadow != NULL && shadow_uses_windows(tune->shadow);
}

double tune_samples_from(const struct tune *tune)
{
    return tune->learn != NULL ? 0.5 : 1; /* what is learned is twice the value, and no less than the limit */
}

void tune_judged(struct tune *tune, const struct tune_flow *judged)
{
    struct budget_hour *hour = &tune->budget.hour[tune->budget.at];

    if (!judged->ended)
        return;
    hour->flows++;
    hour->flagged += judged->flagged;
    drift_add(&tune->drift, judged->row);
    if (tune->learn != NULL && tune->real && !judged->flagged)
        learn_flow(tune->learn, judged->row);
    if (tune->shadow != NULL)
        shadow_judge(tune->shadow, judged->flow, judged->shape, judged->values, judged->score, judged->flagged);
}

void tune_alarm(struct tune *tune)
{
    tune->budget.hour[tune->budget.at].alarms++;
}

bool tune_admits(struct tune *tune, struct evidence *evidence, int64_t now_ns, learn_suspect *suspect, void *context)
{
    struct learn *learn = tune->learn;
    enum counter counter = evidence->number;

    if (learn == NULL)
        return true;
    if (evidence->value < evidence->limit) {
        if (tune->real)
            learn_value(learn, counter, evidence->value, evidence->source, evidence->target, now_ns, suspect,
                        context);
        return false;
    }
    evidence->limit = learn->limit[counter];
    if (learn_is_over(learn) && learn->greatest[counter] > evidence->benign_max)
        evidence->benign_max = learn->greatest[counter];
    return evidence->value >= evidence->limit;
}

void tune_tick(struct tune *tune, int64_t now_ns, learn_suspect *suspect, void *context)
{
    if (tune->settings.model != NULL) {
        budget_tick(&tune->budget, now_ns);
        drift_tick(&tune->drift, now_ns);
    }
    if (tune->learn != NULL && tune->real) {
        bool over = learn_tick(tune->learn, now_ns, suspect, context);

        if (over)
            log_info("learn.over", "flows=%u file=\"%s\"", tune->learn->flows, tune->learned);
        if (over || tune->learn->seen_ns - tune->saved_ns >= save_ns)
            save(tune);
    }
    if (tune->shown_ns == 0 || now_ns - tune->shown_ns >= show_ns || now_ns < tune->shown_ns) {
        tune->shown_ns = now_ns;
        show(tune);
    }
}

const double (*tune_usual(const struct tune *tune))[MODEL_QUANTILES]
{
    return tune->learn != NULL && tune->settings.model != NULL
               ? (const double(*)[MODEL_QUANTILES])tune->learn->quantile
               : NULL;
}

void tune_figures(struct tune *tune, struct tune_figures *out)
{
    struct drift drift;

    pthread_mutex_lock(&tune->lock);
    *out = tune->shown;
    drift = tune->shown_drift;
    pthread_mutex_unlock(&tune->lock);
    out->drift_flows = drift_flows(&drift);
    drift_index(&drift, out->drift);
}
