# Runs as a cell in a sealed kernel; `told` is set by the test. It tries what a submission must not be able to do, and
# prints what it could: {name: what it got}, "refused: …" where it got nothing.
import ctypes
import glob
import json
import os
import resource
import signal
import socket

libc = ctypes.CDLL(None, use_errno=True)
found = {}


def attempt(name, action):
    try:
        found[name] = repr(action())[:300]
    except BaseException as error:
        found[name] = f"refused: {type(error).__name__}: {error}"


def call(name, function, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, function)(*arguments)
    number = ctypes.get_errno()
    found[name] = f"refused: {os.strerror(number)}" if result == -1 else f"returned {result}"


def read(path):
    with open(path, "rb") as file:
        return file.read(200)


def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(2)
        client.connect(address)
        return "connected"


def raise_limit(what):
    most = resource.getrlimit(what)[1]
    resource.setrlimit(what, (2 * most, 2 * most))
    return resource.getrlimit(what)


def writable_mounts():
    places = []
    for row in open("/proc/self/mountinfo"):
        place = row.split()[4]
        path = f"{place}/written-by-a-learner" if os.path.isdir(place) else place
        try:
            with open(path, "a"):
                places.append(place)
        except OSError:
            pass
    return sorted(places)


# Reading what is not theirs.
for name, path in told["files"].items():
    attempt(f"read {name}", lambda path=path: read(path))
    attempt(f"list the folder of {name}", lambda path=path: os.listdir(os.path.dirname(path)))
attempt("the grader's process", lambda: read(f"/proc/{told['pid']}/environ"))
attempt("init's environment", lambda: read("/proc/1/environ"))
attempt("init's memory", lambda: open("/proc/1/mem", "rb"))
attempt("init's files", lambda: os.listdir("/proc/1/fd"))
found["processes"] = sorted(map(int, filter(str.isdigit, os.listdir("/proc"))))
found["environment"] = dict(os.environ)
found["folders in /"] = sorted(os.listdir("/"))
found["in home folders"] = [path for path in glob.glob("/home/*") + glob.glob("/root/*")]
found["etc"] = sorted(os.listdir("/etc"))
found["memory holds the secret"] = any(
    told["secret"][::-1] in path.read_text(errors="ignore")
    for path in __import__("pathlib").Path("/proc").glob("[0-9]*/environ")
    if os.access(path, os.R_OK)
)

# Writing where it stays.
found["writable"] = writable_mounts()
for folder in ("/", "/usr", "/etc", "/run", "/dev", os.path.dirname(os.__file__), told["package"]):
    attempt(f"write {folder}", lambda folder=folder: open(f"{folder}/written-by-a-learner", "w"))
attempt("write the sockets' folder", lambda: open("/run/kernel/new", "w"))
attempt("replace a socket", lambda: os.rename("/run/kernel/socket-1", "/run/kernel/socket-9"))

# Reaching others.
attempt("loopback", lambda: connect(socket.AF_INET, ("127.0.0.1", told["port"])))
attempt("abstract socket", lambda: connect(socket.AF_UNIX, "\0" + told["abstract"]))
attempt("the world", lambda: connect(socket.AF_INET, ("8.8.8.8", 53)))
found["interfaces"] = socket.if_nameindex()

# More rights.
attempt("become root", lambda: os.setuid(0))
call("ptrace init", "ptrace", 16, 1, None, None)
call("new user namespace", "unshare", 0x10000000)
call("mount", "mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)
call("remount", "mount", None, b"/run/kernel", None, 32, None)
call("unmount", "umount2", b"/proc", 2)
call("chroot", "chroot", b"/tmp")
call("host name", "sethostname", b"x", 1)
call("memfd", "syscall", {"x86_64": 319, "aarch64": 279}[os.uname().machine], b"x", 0)
call("System V memory", "shmget", 0, 4096, 0o1600)
call("System V semaphores", "semget", 0, 1, 0o1600)
call("set the clock", "settimeofday", (ctypes.c_long * 2)(0, 0), None)
for name in ("CPU", "DATA", "NPROC", "NOFILE", "FSIZE"):
    attempt(f"raise the limit {name}", lambda name=name: raise_limit(getattr(resource, f"RLIMIT_{name}")))
attempt("fewer limits for another", lambda: open("/proc/self/oom_score_adj", "w").write("-1000"))

# Hurting others: init must outlive it.
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT):
    os.kill(1, number)
found["parent"] = os.getppid()  # none to be signalled: 0 would be the kernel's own group
print(json.dumps(found))
