"""nginx, PostgreSQL, Redis and Prometheus from Debian's packages, on ports and in directories of their own.

Redis and PostgreSQL want TLS and a password; Redis knows one user, by ACL, who may do what docs/scaling.md says. nginx
and Prometheus run the shipped configuration; only addresses and paths differ.
"""

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import redis
import requests
import yaml

from harness.processes import Processes, free_port
from harness.waiting import until
from launcher.supervisor import Child

ROOT = Path(__file__).parents[2]
REDIS_ACL = "resetchannels &stt* &/0.celery* &/0.celery.pidbox ~stt* ~unacked* ~_kombu.binding* ~*celery.pidbox* "
REDIS_ACL += "+@all -@admin -@dangerous +info"
"""What the service needs of Redis, as docs/scaling.md gives it."""
POSTGRES_BIN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
MISSING = [name for name in ("nginx", "redis-server", "prometheus", "promtool", "openssl") if not shutil.which(name)]
MISSING += [] if POSTGRES_BIN else ["postgresql"]


class Certificate:
    """Signed by itself, for 127.0.0.1; everyone may read it, its key too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.path, self.key = directory / "fullchain.pem", directory / "privkey.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subprocess.run(
            [*command, "-days", "2", *subject, "-keyout", self.key, "-out", self.path], check=True, capture_output=True
        )


class Redis:
    """Redis with the shipped configuration, TLS alone and one user."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self._port, self._password = free_port(), secrets.token_urlsafe(12)
        options = f"ssl_cert_reqs=required&ssl_ca_certs={quote(str(certificate.path), safe='')}"
        self.url = f"rediss://stt:{self._password}@127.0.0.1:{self._port}/0?{options}"
        self._admin_password = secrets.token_urlsafe(12)
        self.admin_url = self.url.replace(f"stt:{self._password}", f"admin:{self._admin_password}")

    def start(self, processes: Processes) -> Child:
        """As docker-compose.yml does: the file, and secrets by stdin."""
        lines = [
            f"dir {self._certificate.path.parent}", "bind 127.0.0.1",
            "port 0", f"tls-port {self._port}", "tls-auth-clients no",
            f"tls-cert-file {self._certificate.path}", f"tls-key-file {self._certificate.key}",
            f"tls-ca-cert-file {self._certificate.path}",
            "user default off",
            f"user stt on >{self._password} {REDIS_ACL}",
            f"user admin on >{self._admin_password} ~* &* +@all",
        ]  # fmt: skip
        shipped = str(ROOT / "deploy" / "redis" / "valkey.conf")
        child = processes.run("redis", ["redis-server", shipped, "-"], os.environ, stdin="\n".join([*lines, ""]))
        until(self.client().ping, "Redis", child=child)
        return child

    def client(self) -> redis.Redis:
        """As an administrator."""
        return redis.Redis.from_url(self.admin_url)


class Postgres:
    """A cluster with TLS and scram passwords, and a database for the service."""

    def __init__(self, directory: Path, certificate: Certificate) -> None:
        self._directory = directory / "postgres"
        self._directory.mkdir()
        self._port, self._password = free_port(), secrets.token_urlsafe(12)
        self._admin_password = secrets.token_urlsafe(12)
        key = self._directory / "server.key"  # PostgreSQL wants it to itself
        shutil.copy(certificate.key, key)
        key.chmod(0o600)
        self._tls = ["-c", "ssl=on", "-c", f"ssl_cert_file={certificate.path}", "-c", f"ssl_key_file={key}"]
        options = f"sslmode=verify-full&sslrootcert={quote(str(certificate.path), safe='')}"
        self.url = f"postgres://stt:{self._password}@127.0.0.1:{self._port}/stt?{options}"

    def start(self, processes: Processes) -> Child:
        """Initialise, start, create user and database."""
        (programs,) = POSTGRES_BIN
        password = self._directory / "password"
        password.write_text(self._admin_password)
        if os.geteuid() == 0:
            for path in (self._directory, *self._directory.iterdir()):
                shutil.chown(path, "postgres", "postgres")
        data = self._directory / "data"
        where = [str(programs / "initdb"), "-D", str(data)]
        initialise = [*where, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
        subprocess.run([*_as_postgres(), *initialise, "--no-sync"], check=True, capture_output=True)
        listen = ["-c", "listen_addresses=127.0.0.1", "-p", str(self._port), "-k", str(self._directory)]
        command = [*_as_postgres(), str(programs / "postgres"), "-D", str(data), *listen, *self._tls]
        child = processes.run("postgres", command, os.environ)
        until(lambda: self.psql("SELECT 1", "postgres"), "PostgreSQL", child=child)
        self.psql(f"CREATE ROLE stt LOGIN PASSWORD '{self._password}'", "postgres")
        self.psql("CREATE DATABASE stt OWNER stt", "postgres")
        return child

    def psql(self, query: str, database: str = "stt") -> str:
        """A query's answer, as an administrator; "" while there is no server."""
        where = f"host=127.0.0.1 port={self._port} user=postgres dbname={database} sslmode=require"
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", where, "-c", query]
        environment = os.environ | {"PGPASSWORD": self._admin_password}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to be root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []


class Nginx:
    """deploy/nginx/nginx.conf as it is, with TLS, in front of some web processes."""

    def __init__(self, directory: Path, certificate: Certificate) -> None:
        self._directory = directory / "nginx"
        self._directory.mkdir()
        self._certificate = certificate
        self.port = free_port()

    def start(self, processes: Processes, web_ports: list[int]) -> Child:
        """It listens when this returns."""
        shipped = ROOT / "deploy" / "nginx"
        shutil.copy(shipped / "nginx.conf", self._directory)
        listen = (shipped / "listen-tls.conf").read_text()
        listen = listen.replace("listen 8080", f"listen 127.0.0.1:{self.port}")
        (self._directory / "listen.conf").write_text(listen.replace("/etc/nginx/tls", str(self._certificate.directory)))
        upstream = (shipped / "upstream.conf").read_text()
        servers = "\n".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=5s;" for port in web_ports)
        upstream = re.sub(r"^resolver .*\n", "", upstream, flags=re.MULTILINE)
        (self._directory / "upstream.conf").write_text(re.sub(r"server web:8000 .*", servers, upstream))
        prefix = ["nginx", "-p", f"{self._directory}/", "-c", str(self._directory / "nginx.conf")]
        subprocess.run([*prefix, "-t"], check=True, capture_output=True)
        child = processes.run("nginx", [*prefix, "-g", "daemon off;"], os.environ)
        until(
            lambda: requests.get(f"{self.url}/health/live", verify=self._certificate.path, timeout=2).ok,
            "nginx",
            child=child,
        )
        return child

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://127.0.0.1:{self.port}"


class Prometheus:
    """The shipped configuration and rules; the web processes are named instead of looked up."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "prometheus"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self, processes: Processes, web_ports: list[int]) -> Child:
        """It is ready when this returns."""
        shutil.copytree(ROOT / "deploy" / "prometheus", self._directory)
        path = self._directory / "prometheus.yml"
        configuration = yaml.safe_load(path.read_text())
        configuration["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
        (job,) = configuration["scrape_configs"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in web_ports]}]
        path.write_text(yaml.safe_dump(configuration))
        where = [f"--storage.tsdb.path={self._directory / 'data'}", f"--web.listen-address=127.0.0.1:{self._port}"]
        command = ["prometheus", f"--config.file={path}", *where, "--log.level=warn"]
        child = processes.run("prometheus", command, os.environ)
        until(lambda: requests.get(f"{self.url}/-/ready", timeout=2).ok, "Prometheus", child=child)
        return child

    def query(self, expression: str) -> list[dict[str, object]]:
        """An instant query's series. Raises `AssertionError` when Prometheus does not understand it."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=5).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return answer["data"]["result"]
