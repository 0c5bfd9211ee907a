/* clock.c: civil dates by arithmetic, without the C library's locale and zone (see clock.h). */
#include "common/clock.h"

#include <time.h>

#define US_PER_S INT64_C(1000000)
#define DAY_S    INT64_C(86400)
/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z */
#define FIRST_US (INT64_C(-62135596800) * US_PER_S)
#define LAST_US  (INT64_C(253402300800) * US_PER_S - 1)

static int64_t read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

int64_t clock_now_us(void)
{
    return clock_now_ns() / 1000;
}

int64_t clock_now_ms(void)
{
    return clock_now_ns() / 1000000;
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

/* Days since 1970 of a date of the Gregorian calendar; years are counted from March, so that the leap day is the last
 * one of its year. */
static int64_t days_from_date(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    int of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int of_era = (int)(z - era * 146097);
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100);
    int m = (5 * of_year + 2) / 153;

    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(y + era * 400) + (*month <= 2);
}

static void put_digits(char *out, int64_t value, int width)
{
    while (width-- > 0) {
        out[width] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void text_of(int64_t us, int digits, char out[CLOCK_TEXT])
{
    int year, month, day;
    int64_t days, left;

    us = us < FIRST_US ? FIRST_US : us > LAST_US ? LAST_US : us;
    left = us - FIRST_US; /* never negative, so division rounds down */
    days = left / (DAY_S * US_PER_S) + FIRST_US / (DAY_S * US_PER_S);
    left %= DAY_S * US_PER_S;
    date_from_days(days, &year, &month, &day);
    put_digits(out, year, 4);
    out[4] = '-';
    put_digits(out + 5, month, 2);
    out[7] = '-';
    put_digits(out + 8, day, 2);
    out[10] = 'T';
    put_digits(out + 11, left / (3600 * US_PER_S), 2);
    out[13] = ':';
    put_digits(out + 14, left / (60 * US_PER_S) % 60, 2);
    out[16] = ':';
    put_digits(out + 17, left / US_PER_S % 60, 2);
    out[19] = '.';
    put_digits(out + 20, digits == 3 ? left % US_PER_S / 1000 : left % US_PER_S, digits);
    out[20 + digits] = 'Z';
    out[21 + digits] = '\0';
}

void clock_text_us(int64_t us, char out[CLOCK_TEXT])
{
    text_of(us, 6, out);
}

void clock_text_ms(int64_t ms, char out[CLOCK_TEXT])
{
    /* clamp before the unit changes, so that the product cannot wrap */
    ms = ms < FIRST_US / 1000 ? FIRST_US / 1000 : ms > LAST_US / 1000 ? LAST_US / 1000 : ms;
    text_of(ms * 1000, 3, out);
}

/* Exactly width digits; moves *text behind them. */
static bool take_digits(const char **text, int width, int *value)
{
    int sum = 0;

    for (int i = 0; i < width; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9')
            return false;
        sum = sum * 10 + (c - '0');
    }
    *text += width;
    *value = sum;
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Up to nine digits; what is finer than a microsecond is cut off. */
static bool take_fraction(const char **text, int64_t *us)
{
    int count = 0;

    *us = 0;
    if (!take_char(text, '.'))
        return true;
    for (; **text >= '0' && **text <= '9'; (*text)++)
        if (count++ < 6)
            *us = *us * 10 + (**text - '0');
    for (int i = count; i < 6; i++)
        *us *= 10;
    return count >= 1 && count <= 9;
}

static bool take_zone(const char **text, int64_t *offset_s)
{
    int hours, minutes;
    bool west = **text == '-';

    *offset_s = 0;
    if (**text == '\0' || take_char(text, 'Z') || take_char(text, 'z'))
        return true;
    if (!take_char(text, '+') && !take_char(text, '-'))
        return false;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *offset_s = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_us(const char *text, int64_t *us)
{
    int year, month, day, hour, minute, second;
    int64_t fraction, offset, sum;

    if (text == NULL)
        return false;
    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
        return false;
    if (!take_digits(&text, 2, &hour) || !take_char(&text, ':') || !take_digits(&text, 2, &minute) ||
        !take_char(&text, ':') || !take_digits(&text, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second, counted as the next one */
        return false;
    if (!take_fraction(&text, &fraction) || !take_zone(&text, &offset) || *text != '\0')
        return false;
    sum = (days_from_date(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second - offset) * US_PER_S +
          fraction;
    if (sum < FIRST_US || sum > LAST_US)
        return false;
    *us = sum;
    return true;
}
