"""Measure the board: a class of real clients on loopback, all running checks.

Each client is a connection of its own, as from a learner's kernel. Prints how long the board took to accept a report,
from the request to the answer after the commit, and how old the page was: from a report to the message with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from autograder.classroom.class_folder import new_class
from autograder.course.chapter import REPOSITORY_ROOT


async def request(host: str, port: int, method: str, path: str, sent: object, token: str = "") -> tuple[int, bytes]:
    """Send one request on a connection of its own, as a learner's kernel does, and return status and body."""
    body = json.dumps(sent).encode()
    reader, writer = await asyncio.open_connection(host, port)
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
    writer.write(f"{head}authorization: Bearer {token}\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


async def watch(host: str, port: int, cookie: str, seen: dict[int, float]) -> None:
    """Read the teacher's page's stream, and note when the sum of all checks done was first seen."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /teacher/events HTTP/1.1\r\nhost: {host}\r\ncookie: board={cookie}\r\n\r\n".encode())
    async for line in reader:
        if b"data: " in line:
            state = json.loads(line[line.index(b"data: ") + 6 :])
            seen.setdefault(state["learners"], time.perf_counter())


async def measure(link: str, code: str, learners: int, rate: float, seconds: float, exercises: list[str]) -> None:
    parts = urlsplit(link)
    host, port = parts.hostname or "", parts.port or 80
    draw = random.Random(0)
    taken: list[float] = []
    refused = 0
    accepted: list[float] = []  # when the first report of each learner was
    seen: dict[int, float] = {}  # when the page first had as many learners
    watcher = asyncio.create_task(watch(host, port, parts.query.removeprefix("key="), seen))
    joined = [await request(host, port, "POST", "/join", {"code": code}) for _ in range(learners)]
    tokens = [json.loads(body)["token"] for _, body in joined]

    async def check(number: int) -> None:
        nonlocal refused
        stage = draw.choice(["passed", "values", "ran"])
        sent = {"id": secrets.token_hex(16), "exercise": draw.choice(exercises), "check": "outputs", "stage": stage}
        began = time.perf_counter()
        status, _ = await request(host, port, "POST", "/report", sent, tokens[number % learners])
        taken.append(time.perf_counter() - began)
        refused += status != 200
        if number < learners:
            accepted.append(began + taken[-1])

    # Checks come at random moments, as a Poisson process, and do not wait for each other.
    checks: list[asyncio.Task[None]] = []
    began, due = time.perf_counter(), 0.0
    while due < seconds:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        checks.append(asyncio.create_task(check(len(checks))))
        due += draw.expovariate(rate)
    await asyncio.gather(*checks)
    await asyncio.sleep(2)
    watcher.cancel()
    before = min(seen)  # of the run before
    late = sorted(
        max(0.0, min((at for known, at in seen.items() if known - before >= count), default=float("inf")) - when)
        for count, when in enumerate(sorted(accepted), 1)
    )
    print(f"{learners} learners, {len(taken)} reports, {len(taken) / seconds:.1f} a second, {refused} refused")
    print(f"accepted after        {in_short(sorted(taken))}")
    print(f"on the page after it  {in_short(late)}")


def in_short(ordered: list[float]) -> str:
    """Return median, 99th percentile and maximum of times in seconds, as milliseconds."""
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {1000 * median(ordered):6.1f} ms   p99 {1000 * p99:6.1f} ms   longest {1000 * ordered[-1]:6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, default=500)
    parser.add_argument("--rate", type=float, default=2.0, help="checks a second, in all")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--database", default="", help="a new PostgreSQL database's URL; by default SQLite")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = new_class(Path(folder) / "class", REPOSITORY_ROOT / "solutions")
        exercises = list(made.chapter(made.assignments()[0]).exercises)
        command = [sys.executable, "-m", "autograder", "board", str(made.root), "--port", "0"]
        command += ["--database", chosen.database] if chosen.database else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as board:
            assert board.stdout is not None
            link = board.stdout.readline().split()[-1]
            code = board.stdout.readline().split('"')[3]
            try:
                for rate in (chosen.rate, 50 * chosen.rate):
                    asyncio.run(measure(link, code, chosen.learners, rate, chosen.seconds, exercises))
            finally:
                board.terminate()


if __name__ == "__main__":
    main()
