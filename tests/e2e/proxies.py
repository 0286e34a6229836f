"""Debian's nginx and HAProxy in front of a cluster's edges, with the files of deploy/."""
import contextlib
import os
import re
import shutil
import socket
import subprocess

from heddle_cluster import ROOT, http, wait_until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """A program in the foreground, on a port of its own; ended by pid."""

    def __init__(self, command, port, folder, **environment):
        self.port = port
        self.http = f"http://127.0.0.1:{port}"
        self.ws = f"ws://127.0.0.1:{port}"
        self.log_file = folder / "proxy.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **environment}, start_new_session=True)

    def __enter__(self):
        def answers():
            assert self.process.poll() is None, self.log_file.read_text()
            with contextlib.suppress(OSError):
                return http(self.http + "/readyz").status == 200
            return False
        wait_until(answers, "the proxy answers")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def nginx(edges, folder):
    """deploy/nginx/heddle.conf inside the least configuration that nginx needs around it."""
    port = free_port()
    text = (ROOT / "deploy" / "nginx" / "heddle.conf").read_text()
    changes = {"127.0.0.1:8080": f"127.0.0.1:{port}", "127.0.0.1:8000": f"127.0.0.1:{edges[0].port}",
               "127.0.0.1:8001": f"127.0.0.1:{edges[1].port}"}
    for old in changes:
        assert text.count(old) == 1, f"{old} stands once in the file"
    text = re.sub("|".join(map(re.escape, changes)), lambda match: changes[match[0]], text)
    (folder / "heddle.conf").write_text(text)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\n"
        f"http {{\naccess_log off;\n{paths}include {folder}/heddle.conf;\n}}\n")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return Proxy([program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")], port,
                 folder)


def haproxy(edges, folder):
    """deploy/haproxy/heddle.cfg as it is; the addresses come from the environment."""
    port = free_port()
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    return Proxy([program, "-db", "-f", str(ROOT / "deploy" / "haproxy" / "heddle.cfg")], port, folder,
                 LISTEN=f"127.0.0.1:{port}", EDGE_1=f"127.0.0.1:{edges[0].port}",
                 EDGE_2=f"127.0.0.1:{edges[1].port}")
