/* Tests of talk.h. */
#include "tests/unit/detector/segment.h"

#include "detector/talk.h"

static enum talk said(uint16_t from, uint16_t to, const void *bytes, size_t size)
{
    struct packet packet = segment(6, from, to, bytes, size);

    return talk_of(&packet);
}
#define SAID(from, to, text) said(from, to, text, sizeof(text) - 1)

static void web_talk_is_a_request_or_a_missing_page(void **state)
{
    (void)state;
    assert_int_equal(SAID(40000, 80, "GET / HTTP/1.1\r\n\r\n"), TALK_REQUEST);
    assert_int_equal(SAID(80, 40000, "HTTP/1.1 404 Not Found\r\n"), TALK_MISSING);
    assert_int_equal(SAID(80, 40000, "HTTP/1.1 401 Unauthorized\r\n"), TALK_DENIED);
    assert_int_equal(SAID(80, 40000, "HTTP/1.1 200 OK\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(80, 40000, "HTTP/1.1 200 OK\r\nServer: a\r\n\r\nroot:x:0:0:root"), TALK_SPOILS);
    assert_int_equal(SAID(40000, 80, "user=a%27+or+1=1"), TALK_BODY);
    assert_int_equal(SAID(40000, 443, "user=a%27+or+1=1"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 80, "GUID=1&BUILD=2&INFO=3"), TALK_BOT);
    assert_int_equal(SAID(40000, 80, "log=admin&pwd=a&wp-submit=Log+In"), TALK_GUESS);
    assert_int_equal(SAID(40000, 443, "log=admin&pwd=a&wp-submit=Log+In"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 25, "VRFY root\r\n"), TALK_GUESS);
    assert_int_equal(SAID(40000, 25, "RCPT TO:<root>\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 443, "\x16\3\3\0\x28\x9a\1\2\3\4"), TALK_KEYS);
    assert_int_equal(SAID(443, 40000, "\x16\3\3\0\x28\x9a\1\2\3\4"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 443, "\x16\3\1\0\x28\1\0\0\x24\3"), TALK_NOTHING); /* the first one */
    assert_int_equal(SAID(40000, 554, "DESCRIBE rtsp://a/1 RTSP/1.0\r\nAuthorization: Basic YTpi\r\n"), TALK_GUESS);
}

static void a_telephone_is_refused_by_datagram(void **state)
{
    static const char refused[] = "SIP/2.0 403 Forbidden\r\nCSeq: 1 REGISTER\r\n",
                      asked[] = "SIP/2.0 401 Unauthorized\r\n";
    struct packet packet = segment(17, 5060, 5060, refused, sizeof refused - 1);

    (void)state;
    assert_int_equal(talk_of(&packet), TALK_REFUSED);
    packet = segment(17, 5060, 5060, refused, 23);
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    packet.payload_bytes = sizeof refused - 1; /* the capture is cut */
    assert_int_equal(talk_of(&packet), TALK_REFUSED);
    packet = segment(17, 5060, 5060, asked, sizeof asked - 1);
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    packet = segment(17, 40000, 5060, refused, sizeof refused - 1);
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
}

#define KERBEROS(code)                                                                                               \
    "\x7e\x2e\x30\x2c\xa0\3\2\1\5\xa1\3\2\1\x1e\xa4\x11\x18\x0f"                                                     \
    "20231114221320Z\xa6\3\2\1" code "\xa9\5\x1b\3LAB"
#define NETBIOS(flags, group, suffix)                                                                                \
    "\0\7" flags "\0\0\0\1\0\0\0\0\x20"                                                                              \
    "FDEFFCFGEFFCCACACACACACACACACA" suffix "\0\0\x20\0\1\0\4\x93\xe0\0\6" group "\0\x0a\1\1\x09"
#define LLMNR(flags, answers, kind) "\0\7" flags "\0\1\0" answers "\0\0\0\0\6SERVER\0\0" kind "\0\1"
#define DATAGRAM(from, to, text, talk)                                                                               \
    {                                                                                                                \
        from, to, text, sizeof(text) - 1, talk                                                                       \
    }

static const struct {
    uint16_t from, to;
    const char *text;
    size_t length;
    enum talk talk;
} datagrams[] = {
    DATAGRAM(88, 40000, KERBEROS("\x18"), TALK_REFUSED),
    DATAGRAM(88, 40000, KERBEROS("\6"), TALK_REFUSED),
    DATAGRAM(88, 40000, KERBEROS("\x19"), TALK_NOTHING), /* a password is wanted */
    DATAGRAM(40000, 88, KERBEROS("\x18"), TALK_NOTHING),
    DATAGRAM(5060, 5061, "SIP/2.0 404 Not Found\r\nCSeq: 1 REGISTER\r\n\r\n", TALK_REFUSED),
    DATAGRAM(5060, 5061, "SIP/2.0 404 Not Found\r\nCSeq: 1 INVITE\r\n\r\n", TALK_NOTHING),
    DATAGRAM(5060, 5061, "SIP/2.0 403 Forbidden\r\nCSeq: 2 SUBSCRIBE\r\n\r\n", TALK_NOTHING),
    DATAGRAM(5061, 5060, "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"1\",response=\"2\"\r\n",
             TALK_GUESS),
    DATAGRAM(5061, 5060, "REGISTER sip:a SIP/2.0\r\nCSeq: 1 REGISTER\r\n", TALK_NOTHING),
    DATAGRAM(137, 137, NETBIOS("\x85\0", "\0", "CA"), TALK_NAME),
    DATAGRAM(137, 137, NETBIOS("\x85\x80", "\0", "CA"), TALK_NOTHING), /* a server's for others */
    DATAGRAM(137, 137, NETBIOS("\x85\0", "\x80", "CA"), TALK_NOTHING), /* a group's */
    DATAGRAM(137, 137, NETBIOS("\x85\0", "\0", "BL"), TALK_NOTHING),   /* a domain's */
    DATAGRAM(138, 138, NETBIOS("\x85\0", "\0", "CA"), TALK_NOTHING),
    DATAGRAM(5355, 50000, LLMNR("\x80\0", "\1", "\1"), TALK_NAME),
    DATAGRAM(5355, 50000, LLMNR("\x80\0", "\1", "\x0c"), TALK_NOTHING), /* of an address, its name */
    DATAGRAM(5355, 50000, LLMNR("\x80\0", "\0", "\1"), TALK_NOTHING),
    DATAGRAM(50000, 5355, LLMNR("\0\0", "\0", "\1"), TALK_NOTHING),
};

static void a_datagram_says_what_it_says_and_cut_short_it_says_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof datagrams / sizeof datagrams[0]; i++) {
        for (size_t length = datagrams[i].length; length > 0; length--) {
            struct packet packet = segment_copy(17, datagrams[i].from, datagrams[i].to, datagrams[i].text, length);
            enum talk talk = talk_of(&packet);

            if (talk != datagrams[i].talk && (length == datagrams[i].length || talk != TALK_NOTHING))
                fail_msg("datagram %zu, %zu bytes: %d", i, length, (int)talk);
            segment_free(&packet);
        }
    }
}

static void a_name_is_the_same_by_both_protocols(void **state)
{
    static const char one[] = NETBIOS("\x85\0", "\0", "CA"), two[] = LLMNR("\x80\0", "\1", "\1");
    struct packet netbios = segment(17, 137, 137, one, sizeof one - 1);
    struct packet llmnr = segment(17, 5355, 50000, two, sizeof two - 1);

    (void)state;
    assert_true(talk_name(&netbios) == talk_name(&llmnr));
}

static void a_card_that_asks_for_an_address_has_a_maker(void **state)
{
    uint8_t ask[244] = {1, 1, 6, [28] = 0, 0x1b, 0x21, 1, 2, 3, [240] = 53, 1, 1, 0xff};
    struct packet packet = segment(17, 68, 67, ask, sizeof ask);
    uint64_t maker = talk_maker(&packet);

    (void)state;
    assert_int_equal(talk_of(&packet), TALK_LEASE);
    ask[33] = 9; /* the next card */
    assert_true(talk_maker(&packet) == maker);
    ask[28] = 2; /* one that hides */
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    ask[28] = 3; /* one that cannot be */
    assert_int_equal(talk_of(&packet), TALK_LEASE);
    assert_true(talk_maker(&packet) != maker);
    ask[242] = 3; /* it asks for the one it was offered */
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    ask[242] = 1;
    packet.source_port = 67; /* a relay asks for many */
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
}

static void a_device_tells_what_it_does_not_know(void **state)
{
    uint8_t answer[9] = {0, 1, 0, 0, 0, 3, 17, 0x91, 1};
    struct packet packet = segment(6, 502, 40000, answer, sizeof answer);
    uint64_t function = talk_function(&packet);

    (void)state;
    assert_int_equal(talk_of(&packet), TALK_FUNCTION);
    answer[7] = 0xab; /* another function */
    assert_true(talk_function(&packet) != function);
    answer[8] = 11; /* another unit is not there, whatever it is asked */
    function = talk_function(&packet);
    answer[7] = 0x91;
    assert_int_equal(talk_of(&packet), TALK_FUNCTION);
    assert_true(talk_function(&packet) == function);
    answer[8] = 2; /* an address that is not there */
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    answer[8] = 1;
    answer[7] = 0x11; /* an answer */
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
    answer[7] = 0x91;
    packet.source_port = 503;
    assert_int_equal(talk_of(&packet), TALK_NOTHING);
}

static void a_community_is_read_in_each_form_of_length_and_never_beyond_the_end(void **state)
{
    static const char *const forms[] = {"\x30\x1f\x02\x01\x01\x04\x06secret\xa0",
                                        "\x30\x81\x1f\x02\x01\0\x04\x06secret\xa0",
                                        "\x30\x82\0\x1f\x02\x01\x01\x04\x06secret\xa0"};
    uint64_t first = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t whole = 13 + i;
        struct packet packet = segment(17, 40000, 161, forms[i], whole + 1);

        assert_int_equal(talk_of(&packet), TALK_COMMUNITY);
        if (i == 0)
            first = talk_community(&packet);
        assert_true(first == talk_community(&packet));
        packet.destination_port = 162; /* a trap */
        assert_int_equal(talk_of(&packet), TALK_NOTHING);
        for (size_t cut = 0; cut < whole; cut++) {
            uint8_t *copy = test_malloc(cut + 1);

            memcpy(copy, forms[i], cut);
            packet = segment(17, 40000, 161, copy, cut);
            assert_int_equal(talk_of(&packet), TALK_NOTHING);
            test_free(copy);
        }
    }
    struct packet third = segment(17, 40000, 161, "\x30\x1f\x02\x01\x03\x30\x06secret\xa0", 14); /* version 3 */
    assert_int_equal(talk_of(&third), TALK_NOTHING);
}

static void chat_counts_only_away_from_its_ports(void **state)
{
    (void)state;
    assert_int_equal(SAID(40000, 1868, "NICK bot-17\r\n"), TALK_CHAT);
    assert_int_equal(SAID(1868, 40000, "PING :irc.example\r\n"), TALK_CHAT);
    assert_int_equal(SAID(40000, 6667, "NICK anna\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(8000, 40000, "PING :irc.example\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 8080, "PING 1491069\r\n"), TALK_NOTHING); /* a line-quality test */
    assert_int_equal(SAID(40000, 21, "USER anna\r\n"), TALK_LOGIN);
}

static void a_packed_frame_is_one_whose_lengths_agree(void **state)
{
    uint8_t frame[22] = "Zebra\x16\0\0\0\x01\0\0\0\x78\x9c";

    (void)state;
    assert_int_equal(said(40000, 80, frame, sizeof frame), TALK_CONTROL);
    assert_int_equal(said(40000, 80, frame, sizeof frame - 1), TALK_NOTHING);
    frame[9] = 0; /* nothing inside */
    assert_int_equal(said(40000, 80, frame, sizeof frame), TALK_NOTHING);
    frame[9] = 1;
    frame[14] = 0; /* no zlib */
    assert_int_equal(said(40000, 80, frame, sizeof frame), TALK_NOTHING);
    frame[14] = 0x9c;
    frame[2] = 0; /* no letters */
    assert_int_equal(said(40000, 80, frame, sizeof frame), TALK_NOTHING);
}

static void shells_and_loaders_are_remote_control_but_not_on_telnet(void **state)
{
    (void)state;
    assert_int_equal(SAID(40000, 4444, "\r\nC:\\Users\\anna>"), TALK_CONTROL);
    assert_int_equal(SAID(40000, 4444, "Microsoft Windows [Version 10.0.1]"), TALK_CONTROL);
    assert_int_equal(SAID(40000, 4444, "uid=0(root) gid=0(root) groups=0(root)\n"), TALK_CONTROL);
    assert_int_equal(SAID(4444, 40000, "MZ\xe8\0\0\0\0[REU"), TALK_CONTROL);
    assert_int_equal(SAID(40000, 5552, "ll|'|'|SGFja2Vk"), TALK_CONTROL);
    assert_int_equal(SAID(23, 40000, "\r\nC:\\Users\\anna>"), TALK_NOTHING);
    assert_int_equal(SAID(80, 40000, "MZ\x90\0\x03\0\0\0"), TALK_NOTHING); /* any program */
    assert_int_equal(SAID(40000, 445, "copy C:\\a to D:\\b>"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 4444, "C:\\a\nb>"), TALK_NOTHING);
}

#define MQTT(flags, device, rest) "\x10\x15\0\4MQTT\4" flags "\0\x3c\0" device "\0" rest

static void each_service_has_its_refusal(void **state)
{
    uint8_t smb[60] = "\0\0\0\x38\xfeSMB\x40\0\0\0\x6d\0\0\xc0", old[60] = "\0\0\0\x38\xffSMB\x73\x6d\0\0\xc0";
    uint8_t mssql[40] = {[8] = 0xaa, [11] = 0x18, [12] = 0x48};

    (void)state;
    assert_int_equal(SAID(21, 40000, "530 Login incorrect.\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(25, 40000, "535 5.7.8 Error\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(110, 40000, "-ERR [AUTH] no\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(143, 40000, "a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(143, 40000, "a1 NO such mailbox\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(23, 40000, "\r\nLogin incorrect\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(3306, 40000, "\x48\0\0\2\xff\x15\x04#28000Access denied"), TALK_REFUSED);
    assert_int_equal(SAID(5432, 40000, "E\0\0\0\x60SFATAL\0C28P01\0"), TALK_REFUSED);
    assert_int_equal(SAID(6379, 40000, "-WRONGPASS invalid\r\n"), TALK_REFUSED);
    assert_int_equal(SAID(5900, 40000, "\0\0\0\1"), TALK_REFUSED);
    assert_int_equal(SAID(389, 40000, "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0"), TALK_REFUSED);
    assert_int_equal(said(445, 40000, smb, sizeof smb), TALK_REFUSED);
    assert_int_equal(said(445, 40000, old, sizeof old), TALK_REFUSED);
    assert_int_equal(said(1433, 40000, mssql, sizeof mssql), TALK_REFUSED);
    assert_int_equal(SAID(23, 40000, "% Login invalid\r\n\r\nUsername: "), TALK_REFUSED);
    assert_int_equal(SAID(88, 40000, "\0\0\0\x30" KERBEROS("\x18")), TALK_REFUSED);
    assert_int_equal(SAID(88, 40000, "\0\0\0\x30" KERBEROS("\x19")), TALK_NOTHING);
    assert_int_equal(SAID(1521, 40000, "\0\x40\0\0\6\0\0\0ORA-01017: invalid"), TALK_REFUSED);
    assert_int_equal(SAID(1883, 40000, "\x20\2\0\5"), TALK_REFUSED);
    assert_int_equal(SAID(1883, 40000, "\x20\2\0\0"), TALK_NOTHING);
    assert_int_equal(SAID(21, 40000, "230 Login successful.\r\n"), TALK_LET_IN);
    assert_int_equal(SAID(5985, 40000, "HTTP/1.1 200 \r\n"), TALK_LET_IN);
    assert_int_equal(SAID(5985, 40000, "HTTP/1.1 401 \r\n"), TALK_DENIED);
    assert_int_equal(SAID(110, 40000, "-ERR Unknown command\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(110, 40000, "-ERR no such message\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 514, "<13>Nov 29 10:00:00 a b: c\n"), TALK_LOG);
    assert_int_equal(SAID(40000, 514, "29 <13>1 - a b - - - c"), TALK_LOG);
    assert_int_equal(SAID(40000, 514, "1022\0root\0"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 143, "a1 LOGIN anna secret\r\n"), TALK_LOGIN);
    assert_int_equal(SAID(40000, 143, "a1 LIST \"\" *\r\n"), TALK_NOTHING);
    assert_int_equal(SAID(40000, 1883, MQTT("\xc2", "\1a", "\1u\0\1p")), TALK_LOGIN);
    assert_int_equal(SAID(40000, 1883, MQTT("\x82", "\1a", "\1u")), TALK_NOTHING); /* a name without a password */
    assert_int_equal(SAID(40000, 21, "530 \r\n"), TALK_NOTHING);                   /* not the server's */
}

static void a_greeting_counts_from_the_client_only(void **state)
{
    (void)state;
    assert_int_equal(SAID(40000, 902, "SSH-2.0-client\r\n"), TALK_BANNER);
    assert_int_equal(SAID(40000, 5901, "RFB 003.008\n"), TALK_BANNER);
    assert_int_equal(SAID(902, 40000, "SSH-2.0-OpenSSH\r\n"), TALK_NOTHING); /* anybody hears that */
    assert_int_equal(SAID(25, 40000, "220 mx ESMTP\r\n"), TALK_NOTHING);
}

static void filler_repeats_a_short_block_and_is_not_blank(void **state)
{
    uint8_t bytes[180];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) "o\x06\xff"[i % 3];
    assert_int_equal(said(40000, 5631, bytes, sizeof bytes), TALK_FILLER);
    assert_int_equal(said(40000, 9100, bytes, sizeof bytes), TALK_NOTHING); /* a printer's picture */
    assert_int_equal(said(40000, 5631, bytes, 179), TALK_NOTHING);          /* people paste lines of stars */
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(said(40000, 22, bytes, sizeof bytes), TALK_NOTHING);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37);
    assert_int_equal(said(40000, 22, bytes, sizeof bytes), TALK_NOTHING);
}

static void a_key_is_four_letters_or_more_that_come_again(void **state)
{
    static const struct {
        const char *block;
        enum talk talk;
    } rows[] = {{"pbsi", TALK_KEYED},   {"m3S4V", TALK_KEYED},  {"abc", TALK_NOTHING},  {"0123456789", TALK_NOTHING},
                {"QUFB", TALK_NOTHING}, {"ab-c", TALK_NOTHING}, {"aaaa", TALK_NOTHING}, {"kolacoca", TALK_KEYED}};
    uint8_t bytes[100];

    (void)state;
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)rows[n].block[i % strlen(rows[n].block)];
        assert_int_equal(said(80, 40000, bytes, sizeof bytes), rows[n].talk);
        assert_int_equal(said(443, 40000, bytes, sizeof bytes), TALK_NOTHING);
    }
}

static void short_and_empty_segments_say_nothing(void **state)
{
    static const char text[] = "SSH-2.0-OpenSSH_9.2p1 Debian and some more of it";

    (void)state;
    for (size_t n = 0; n < 4; n++)
        assert_int_equal(said(22, 40000, text, n), TALK_NOTHING);
}

/* AddressSanitizer tells when one does not: each segment has memory of its own size. */
static void every_reader_stops_at_the_end(void **state)
{
    static const char heads[][33] = {"\0\0\0\1PIN",
                                     "\0\0\0\x38\xffSMB\x73\x6d",
                                     "\x30\x0c\x02\x01",
                                     "J\0\0\2\xff\x15\x04",
                                     "-WRONGPASS",
                                     "E\0\0\0\x28",
                                     "\r\n\r\n>",
                                     "MZ\xe8\0\0\0",
                                     "Gh0st",
                                     "uid=",
                                     "\4\1\0\0\0\0\0\0\xaa"};

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        for (size_t n = 4; n <= sizeof heads[0]; n++) {
            char *bytes = malloc(n);

            assert_non_null(bytes);
            memcpy(bytes, heads[i], n);
            for (uint16_t port = 1; port < 9000; port++)
                (void)said(port, 40000, bytes, n);
            free(bytes);
        }
    }
    assert_int_equal(SAID(5900, 40000, "\0\0\0\1\0\0\0\4nope"), TALK_REFUSED); /* VNC's answer with a reason */
    assert_int_equal(SAID(5900, 40000, "\0\0\0\1\0\0\0\5nope"), TALK_NOTHING);
    assert_int_equal(SAID(5900, 40000, "\0\0\0\1PIN"), TALK_NOTHING);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_telephone_is_refused_by_datagram),
        cmocka_unit_test(a_datagram_says_what_it_says_and_cut_short_it_says_nothing_else),
        cmocka_unit_test(a_name_is_the_same_by_both_protocols),
        cmocka_unit_test(a_card_that_asks_for_an_address_has_a_maker),
        cmocka_unit_test(a_device_tells_what_it_does_not_know),
        cmocka_unit_test(a_community_is_read_in_each_form_of_length_and_never_beyond_the_end),
        cmocka_unit_test(web_talk_is_a_request_or_a_missing_page),
        cmocka_unit_test(chat_counts_only_away_from_its_ports),
        cmocka_unit_test(a_packed_frame_is_one_whose_lengths_agree),
        cmocka_unit_test(shells_and_loaders_are_remote_control_but_not_on_telnet),
        cmocka_unit_test(each_service_has_its_refusal),
        cmocka_unit_test(a_greeting_counts_from_the_client_only),
        cmocka_unit_test(filler_repeats_a_short_block_and_is_not_blank),
        cmocka_unit_test(a_key_is_four_letters_or_more_that_come_again),
        cmocka_unit_test(short_and_empty_segments_say_nothing),
        cmocka_unit_test(every_reader_stops_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
