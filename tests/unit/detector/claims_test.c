/* Tests of claims.h. */
#include "tests/unit/check.h"

#include "detector/claims.h"

#include <string.h>

enum { GATEWAY = 1, VICTIM = 20, OTHER = 21 };
static const int64_t second = 1000000000;

/* sender and target: the last byte of 10.0.0.x; card: the last byte of the sender's hardware address. */
static bool say(struct claims *claims, int64_t at_s, uint8_t kind, uint8_t card, uint8_t sender, uint8_t target)
{
    uint8_t message[28] = {[7] = kind, [ARP_HARDWARE + 5] = card};
    struct packet packet = {.time_ns = at_s * second, .arp = kind, .payload = message, .payload_captured = 28};

    memcpy(packet.source + 10, (uint8_t[]){0xff, 0xff, 10, 0, 0, sender}, 6);
    memcpy(packet.destination + 10, (uint8_t[]){0xff, 0xff, 10, 0, 0, target}, 6);
    return claims_contradict(claims, &packet);
}

static void only_a_reply_that_nobody_asked_for_against_another_claim_counts(void **state)
{
    struct claims *claims = claims_create();

    (void)state;
    assert_non_null(claims);
    assert_false(say(claims, 1, ARP_REPLY, 66, GATEWAY, VICTIM)); /* nobody else claims it */
    assert_false(say(claims, 2, ARP_REQUEST, 1, GATEWAY, VICTIM));
    assert_true(say(claims, 10, ARP_REPLY, 66, GATEWAY, VICTIM));
    assert_true(say(claims, 11, ARP_REPLY, 66, GATEWAY, OTHER));
    assert_false(say(claims, 20, ARP_REQUEST, 20, VICTIM, GATEWAY));
    assert_false(say(claims, 20, ARP_REPLY, 66, GATEWAY, VICTIM)); /* asked for */
    assert_false(say(claims, 21, ARP_REPLY, 1, GATEWAY, VICTIM));
    assert_true(say(claims, 23, ARP_REPLY, 66, GATEWAY, VICTIM)); /* the question is too long ago */
    claims_free(claims);
}

static void what_is_told_to_all_is_a_failover(void **state)
{
    struct claims *claims = claims_create();

    (void)state;
    assert_non_null(claims);
    assert_false(say(claims, 1, ARP_REQUEST, 1, GATEWAY, VICTIM));
    assert_false(say(claims, 10, ARP_REPLY, 2, GATEWAY, GATEWAY));
    assert_false(say(claims, 11, ARP_REPLY, 2, GATEWAY, 255));
    assert_true(say(claims, 12, ARP_REPLY, 2, GATEWAY, VICTIM));
    assert_false(say(claims, 700, ARP_REPLY, 2, GATEWAY, VICTIM)); /* the old one is forgotten */
    claims_free(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_reply_that_nobody_asked_for_against_another_claim_counts),
        cmocka_unit_test(what_is_told_to_all_is_a_failover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
