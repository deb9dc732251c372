"""A real PostgreSQL with TLS and one role per way to log in, for as long as the tests run."""

import datetime as dt
import ipaddress
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorward_demo.postgres import free_port

PASSWORD = "pencil-\u00e9"
_HBA = """
local all scram scram-sha-256
local all all trust
host all scram 127.0.0.1/32 scram-sha-256
host all md5 127.0.0.1/32 md5
host all clear 127.0.0.1/32 password
host all trust 127.0.0.1/32 trust
"""
_ROLES = f"""
create role scram login password '{PASSWORD}';
create role clear login password '{PASSWORD}';
create role trust login;
set password_encryption = md5;
create role md5 login password '{PASSWORD}';
"""


@dataclass(frozen=True)
class Server:
    """A running server. `sockets` is the folder of its Unix socket, `authorities` what its certificate chains to."""

    port: int
    sockets: str
    authorities: Path


def _as_owner(owner, *argv):
    """PostgreSQL refuses to run as root."""
    if owner is None:
        return list(argv)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", *argv]


def _certificate(folder):
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "target")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    pem = serialization.Encoding.PEM
    (folder / "server.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "server.key").chmod(0o600)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost and 127.0.0.1, and its key; it is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    _certificate(folder)
    return folder / "server.crt", folder / "server.key"


@pytest.fixture(scope="session")
def tls_server(server_programs):
    """Ask for it together with `need_postgres`."""
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    # Not pytest's own folder: as root that is closed to the server's user, and too deep for a socket's path.
    folder = Path(tempfile.mkdtemp(prefix="doorward-pg-"))
    data = folder / "data"
    data.mkdir(mode=0o700)
    _certificate(folder)
    if owner is not None:
        for path in (folder, data, folder / "server.crt", folder / "server.key"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
        "fsync": "off",
    }

    def run(program, *argv, **options):
        command = _as_owner(owner, str(server_programs / program), *argv)
        subprocess.run(command, check=True, cwd=folder, capture_output=True, timeout=120, **options)

    try:
        run(
            "initdb",
            "-D",
            str(data),
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )
        (data / "pg_hba.conf").write_text(_HBA)
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        # pg_ctl waits until the server takes connections.
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "start")
        try:
            run(
                "psql",
                "-h",
                str(folder),
                "-p",
                str(port),
                "-U",
                "postgres",
                "-v",
                "ON_ERROR_STOP=1",
                input=_ROLES.encode(),
            )
            yield Server(port, str(folder), folder / "server.crt")
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
