"""A JupyterHub that `autograder hub` wrote, in a machine to throw away, and people who use it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from autograder.hub import throwaway
from autograder.hub.write import Ports

ROOT = Path("/srv/many-heads")
_PORTS = astuple(Ports())  # each stands once in the hub's settings
_START = """
set -e
printf '{names}' > /srv/names.txt
{python} -m autograder hub {root} --class-list /srv/names.txt --teacher {teacher} --solutions {solutions}
sed --in-place --expression '{ports}' {root}/jupyterhub_config.py
export PATH={path}
exec {python} -m jupyterhub --config {root}/jupyterhub_config.py
"""


@dataclass
class Hub:
    """A running hub.

    Args:
        address: where browsers reach it.
        password: the teachers' first one.
        process: the first process of its machine.
        said: what the command printed.
    """

    address: str
    password: str
    process: psutil.Process
    said: str

    def path(self, path: str | Path) -> Path:
        """Return where this process finds a path of the hub's machine."""
        return Path(f"/proc/{self.process.pid}/root", str(path).lstrip("/"))

    def run(self, account: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command as an account of the hub's machine."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--pid", *user, "--"]
        become = ["setpriv", "--reuid", account, "--regid", account, "--init-groups", "--"]
        return subprocess.run([*enter, *become, *words], cwd="/", capture_output=True, text=True, timeout=60)

    def servers(self, account: str) -> list[psutil.Process]:
        """Return the processes that run as an account."""
        uid = int(self.run(account, "id", "--user").stdout)
        found: list[psutil.Process] = []
        for process in self.process.children(recursive=True):
            if process.uids().real == uid:
                found.append(process)
        return found


@dataclass
class Person:
    """Somebody who uses the hub with a program in place of a browser: the same requests, without the scripts."""

    hub: Hub
    name: str
    session: requests.Session = field(default_factory=requests.Session)

    def log_in(self, password: str) -> int:
        """Log in, without a server, and return the status of the page that comes."""
        self.get("/hub/login")
        data = {"username": self.name, "password": password, "_xsrf": self._token("/hub/")}
        page = self.session.post(f"{self.hub.address}/hub/login?next=/hub/home", data=data, timeout=60)
        return page.status_code

    def start_server(self) -> None:
        """Start this person's server, and wait until it runs."""
        self.get(f"/hub/spawn/{self.name}")
        for _ in range(300):
            page = self.get(f"/user/{self.name}/lab")
            if page.ok and "/hub/" not in page.url:
                return
            time.sleep(0.4)
        raise AssertionError(f"{self.name}'s server did not start")

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.hub.address + path, timeout=60)

    def send(self, method: str, path: str, **content: Any) -> Any:
        """Send something to this person's own server, and return the answer."""
        own = f"/user/{self.name}/"
        headers = {"X-XSRFToken": self._token(own)}
        answer = self.session.request(method, self.hub.address + own + path, headers=headers, timeout=60, **content)
        assert answer.ok, answer.text
        return answer.json()

    def administer(self, method: str, what: str) -> requests.Response:
        """Do something that the admin's page does, by the hub's interface."""
        headers = {"X-XSRFToken": self._token("/hub/"), "Referer": f"{self.hub.address}/hub/admin"}
        return self.session.request(method, f"{self.hub.address}/hub/api/{what}", headers=headers, timeout=60)

    def assignments(self, what: str, assignment: str) -> Any:
        """Fetch or submit an assignment, or fetch its feedback, as the assignment list does."""
        answer = self.send("POST", f"assignments/{what}", data={"course_id": "many-heads", "assignment_id": assignment})
        assert answer["success"], answer
        return answer["value"]

    def _token(self, path: str) -> str:
        cookies: Iterable[Any] = self.session.cookies  # its stub says that it yields names
        return next(cookie.value or "" for cookie in cookies if (cookie.name, cookie.path) == ("_xsrf", path))


@contextmanager
def running_hub(folder: Path, solutions: Path, learners: Sequence[str], teacher: str) -> Generator[Hub]:
    """Start a hub, and yield it when it answers. Its machine ends with the block.

    Args:
        folder: where to write what it says.
    """
    ports = _free_ports(len(_PORTS))
    script = _START.format(
        names="\\n".join(learners),
        python=sys.executable,
        root=ROOT,
        teacher=teacher,
        solutions=solutions,
        path=path_of_a_service(),
        ports="; ".join(f"s/{usual}/{free}/" for usual, free in zip(_PORTS, ports, strict=True)),
    )
    log = folder / "hub.log"
    words = throwaway.command("sh", "-c", script, shown=[solutions])
    with log.open("w") as output:
        started = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{ports[0]}"
        _wait_until_up(started, log)
        [first] = psutil.Process(started.pid).children()
        said = log.read_text()
        [password] = re.findall(r"The first password of \w+ is (\S+)", said)
        yield Hub(address, password, first, said)
    finally:
        started.kill()  # unshare takes the machine along
        started.wait()


def path_of_a_service() -> str:
    """Return a PATH as in the service of docs/hub.md: without the folders of useradd and the like."""
    programs = [Path(found).parent for name in ("configurable-http-proxy", "node") if (found := shutil.which(name))]
    return ":".join(map(str, [Path(sys.executable).parent, *programs, "/usr/local/bin", "/usr/bin", "/bin"]))


def _wait_until_up(started: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the hub says that it runs, its services too. To ask it meanwhile would slow it down."""
    for _ in range(1500):
        said = log.read_text()
        if "JupyterHub is now running" in said:
            return
        assert started.poll() is None, said[-3000:]
        time.sleep(0.2)
    raise AssertionError(f"the hub was not up after five minutes:\n{log.read_text()[-3000:]}")


def _free_ports(count: int) -> list[int]:
    free = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in free]
    for each in free:
        each.close()
    return ports
