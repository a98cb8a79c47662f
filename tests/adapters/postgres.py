"""A PostgreSQL server of our own for a test session: a new cluster, a free port, a random password.

Two roles as in production: `countermand_owner` owns the tables and migrates, `countermand_app` is what the
application connects as. fsync stays on as in production; where there is a memory disk the cluster lies on it,
so that it costs nothing.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, create_engine, text

from adapters.migrate import grant, upgrade

OWNER, APPLICATION, SUPERUSER = "countermand_owner", "countermand_app", "postgres"
_TEMPLATE = "countermand_template"
_PLACE = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def installed() -> Path | None:
    """The directory of the newest server's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@dataclass
class Postgres:
    """A running cluster; `start` it once, `stop` it once, and take as many databases as there are tests."""

    programs: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = 0
    _directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="countermand-pg-", dir=_PLACE)))
    _databases: int = 0

    def start(self) -> None:
        """initdb, start, roles, and a migrated template. Takes about two seconds."""
        # The server refuses to run as root, so root hands the directory to the account of the package.
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._directory, account.pw_uid, account.pw_gid)
        password_file = self._directory / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)
        self._directory.chmod(0o711)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = str(self._directory / "data")
        login = ["-A", "scram-sha-256", "-U", SUPERUSER, f"--pwfile={password_file}"]
        self._run("initdb", "-D", data, *login, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        password_file.unlink()
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._directory}"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self._directory / "log"), "-o", options, "start")
        for role in (OWNER, APPLICATION):
            self._execute(f"CREATE ROLE {role} LOGIN PASSWORD '{self.password}'")
        self._execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER}")
        upgrade(self.url(_TEMPLATE, OWNER))
        grant(self.url(_TEMPLATE, OWNER), APPLICATION)

    def stop(self) -> None:
        """Stop the server and remove the cluster."""
        self._run("pg_ctl", "-D", str(self._directory / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._directory)

    def new_database(self, *, migrated: bool = True) -> str:
        """The name of a new database: a copy of the migrated template, or an empty one."""
        self._databases += 1
        name = f"countermand_{self._databases}"
        template = _TEMPLATE if migrated else "template1"
        self._execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}")
        return name

    def url(self, database: str, role: str = APPLICATION) -> str:
        """A URL that `Database` and `upgrade` take; `role` is one of the three names of this module."""
        return URL.create("postgresql+psycopg", role, self.password, "127.0.0.1", self.port, database).render_as_string(
            hide_password=False
        )

    def _execute(self, statement: str) -> None:
        engine = create_engine(self.url("postgres", SUPERUSER), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        as_account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*as_account, str(self.programs / program), *arguments],
            check=True,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
