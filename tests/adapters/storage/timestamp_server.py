"""A real timestamp authority for tests: `openssl ts` behind a small HTTP server."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Test authority
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[tsa]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa_config]
serial = {here}/serial
signer_cert = {here}/tsa.pem
signer_key = {here}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class TimestampAuthority:
    """Root certificate in `ca`; answers on `url`."""

    def __init__(self, here: Path) -> None:
        here.mkdir()
        self._here = here
        self.ca = here / "ca.pem"
        self._config = here / "openssl.cnf"
        self._config.write_text(_CONFIG.format(here=here))
        (here / "serial").write_text("01\n")
        self._make()
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = authority.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, query: bytes) -> bytes:
        (self._here / "query.tsq").write_bytes(query)
        self._openssl("ts", "-reply", "-section", "tsa_config", "-config", str(self._config),
                      "-queryfile", "query.tsq", "-out", "reply.tsr")  # fmt: skip
        return (self._here / "reply.tsr").read_bytes()

    def verifies(self, data: Path, token: Path) -> bool:
        """What `openssl ts -verify` says under our root."""
        command = ["openssl", "ts", "-verify", "-data", str(data), "-in", str(token), "-CAfile", str(self.ca)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _make(self) -> None:
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", str(self._config))
        self._openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-extensions", "root")
        self._openssl("req", "-new", *ec, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test stamps")
        self._openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30",
                      "-set_serial", "7", "-extfile", str(self._config), "-extensions", "tsa",
                      "-out", "tsa.pem")  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._here, check=True, capture_output=True)
