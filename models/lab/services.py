"""The servers of the lab: real programs on the server's end, each with a folder of its own and no state kept."""
import crypt
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
USERS = {"anna": "correct-horse", "backup": "s3cret-nightly"}
WORDS = ["123456", "password", "admin", "root", "letmein", "qwerty", "dragon", "monkey", "welcome", "shadow", "master",
         "sunshine", "princess", "football", "charlie", "access", "hello", "freedom", "whatever", "trustno1"]


def wordlist(folder, name="words.txt", count=400):
    path = folder / name
    path.write_text("\n".join(WORDS + [f"{w}{n}" for n in range(count // len(WORDS)) for w in WORDS]) + "\n")
    return path


def pathlist(folder, count=600):
    path = folder / "paths.txt"
    parts = ["admin", "login", "backup", "test", "old", "api", "config", "db", "images", "js", "css", "upload", "private", "phpmyadmin"]
    path.write_text("\n".join(parts + [f"{p}{n}" for n in range(count // len(parts)) for p in parts]) + "\n")
    return path


def certificate(folder):
    """The lines that make nginx speak TLS; the key is the run's own."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=lab",
                    "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")], check=True, stderr=subprocess.DEVNULL)
    return f"listen 443 ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"


def nginx(wire, folder, tls="", port=80):
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "index.html").write_text("<h1>Lab</h1>" + "<p>text</p>" * 200)
    for name, size in (("small.json", 300), ("page.html", 20000), ("photo.jpg", 180000), ("package.deb", 3000000)):
        (site / name).write_bytes(os.urandom(size))
    conf = folder / "nginx.conf"
    conf.write_text(f"""
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; daemon off;
events {{ worker_connections 512; }}
http {{ access_log off; types {{ text/html html; application/json json; }} default_type application/octet-stream;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen {port}; listen [::]:{port}; {certificate(folder) if tls else ""} root {site}; location /app/ {{ proxy_pass http://127.0.0.1:8099; }} location /upload {{ proxy_pass http://127.0.0.1:8099; client_max_body_size 200m; }} }} }}
""")
    os.chmod(folder, 0o755)
    wire.on_server(sys.executable, str(HERE / "webapp.py"), "8099")
    wire.on_server("nginx", "-c", str(conf))
    wire.wait_port(port)


def sshd(wire, folder, port=22):
    key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    user_key = folder / "user_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(user_key)], check=True)
    (folder / "authorized").write_text((folder / "user_key.pub").read_text())
    os.makedirs("/run/sshd", exist_ok=True)
    conf = folder / "sshd_config"
    conf.write_text(f"Port {port}\nHostKey {key}\nPidFile {folder}/sshd.pid\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\n"
                    "PermitRootLogin prohibit-password\nPasswordAuthentication yes\nUsePAM no\nMaxStartups 50:30:100\nSubsystem sftp internal-sftp\n")
    wire.on_server("/usr/sbin/sshd", "-D", "-f", str(conf))
    wire.wait_port(port)
    return f"ssh -q -i {user_key} -p {port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@{wire.net}.1"


def vsftpd(wire, folder):
    conf = folder / "vsftpd.conf"
    root = folder / "ftp"
    root.mkdir(exist_ok=True)
    (root / "file.bin").write_bytes(os.urandom(400000))
    os.chmod(root, 0o555)
    os.makedirs("/var/run/vsftpd/empty", exist_ok=True)
    conf.write_text(f"listen=YES\nanonymous_enable=YES\nanon_root={root}\nlocal_enable=YES\npasv_enable=YES\nbackground=NO\n"
                    "max_clients=50\nseccomp_sandbox=NO\nsecure_chroot_dir=/var/run/vsftpd/empty\n")
    wire.on_server("vsftpd", str(conf))
    wire.wait_port(21)


def dns(wire, folder):
    hosts = folder / "hosts"
    hosts.write_text("".join(f"{wire.net}.{n % 10 + 1} host{n}.lab.test www{n}.lab.test\n" for n in range(300)))
    wire.on_server("dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", "--bind-interfaces", f"--listen-address={wire.net}.1",
                   "--user=root", "--pid-file=", "--local=/test/", "--txt-record=info.lab.test,some text", "--mx-host=lab.test,host1.lab.test")
    time.sleep(0.5)


def redis(wire, folder, password=""):
    wire.on_server("redis-server", "--port", "6379", "--bind", "0.0.0.0", "--save", "", "--dir", str(folder), "--protected-mode", "no",
                   *(["--requirepass", password] if password else []))
    wire.wait_port(6379)


def snmpd(wire, folder, community="monitoring"):
    conf = folder / "snmpd.conf"
    conf.write_text(f"rocommunity {community}\n")
    wire.on_server("snmpd", "-f", "-Lo", "-C", "-c", str(conf), "-p", str(folder / "snmpd.pid"), f"udp:{wire.net}.1:161", env={"SNMP_PERSISTENT_DIR": str(folder)})
    time.sleep(1)


def git(wire, folder):
    work = folder / "work"
    for command in (["git", "init", "-q", str(work)], ["git", "-C", str(work), "add", "."],
                    ["git", "-C", str(work), "-c", "user.name=lab", "-c", "user.email=lab@lab.test", "commit", "-qm", "all"]):
        if "add" in command:
            for n in range(30):
                (work / f"file{n}").write_bytes(os.urandom(9000))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wire.on_server("git", "daemon", f"--base-path={folder}", "--export-all", "--reuseaddr")
    wire.wait_port(9418)


def mqtt(wire, folder):
    conf = folder / "mosquitto.conf"
    conf.write_text("listener 1883\nallow_anonymous true\npersistence false\nuser root\n")
    wire.on_server("mosquitto", "-c", str(conf))
    wire.wait_port(1883)


def rsyncd(wire, folder):
    (folder / "data").mkdir(exist_ok=True)
    for n in range(40):
        (folder / "data" / f"file{n}").write_bytes(os.urandom(20000 + 7000 * n))
    conf = folder / "rsyncd.conf"
    conf.write_text(f"use chroot = no\nuid = root\ngid = root\n[data]\npath = {folder}/data\nread only = no\n")
    wire.on_server("rsync", "--daemon", "--no-detach", f"--config={conf}")
    wire.wait_port(873)


def helper(wire, *arguments):
    """The small servers of endpoints.py: mail, telnet login, ntp, ssdp, syslog sink, database log-ins, voice."""
    wire.on_server(sys.executable, str(HERE / "endpoints.py"), *map(str, arguments))
    time.sleep(0.4)


def password_hash(text):
    return crypt.crypt(text, crypt.mksalt(crypt.METHOD_SHA512))
