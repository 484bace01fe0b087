"""The kernel's own words for sealing a process off: namespaces, mounts, capabilities, limits, refused system calls.

Called by `autograder.sandbox.inside.zygote`, before any learner's code runs. It needs the standard library and Linux
alone, and decides nothing: what is mounted and how much is allowed stands in `autograder.sandbox.inside.zygote`.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import re
import resource
import struct
import sys

# From <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/seccomp.h>, <linux/bpf_common.h>.
_NEW = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
}
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS, _REMOUNT = 1, 2, 4, 8, 32
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_LARGE, _COLLAPSE = 2 << 20, 25  # bytes, and <asm-generic/mman-common.h>'s MADV_COLLAPSE
_SET_DUMPABLE, _BOUNDING_DROP, _SET_SECCOMP, _SET_NO_NEW_PRIVILEGES, _AMBIENT, _AMBIENT_CLEAR = 4, 24, 22, 38, 47, 4
_CAPABILITY_VERSION = 0x20080522
_FILTER, _ALLOW, _REFUSE, _NO_ERROR = 2, 0x7FFF0000, 0x00050000, 0
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_SHARED_ANONYMOUS = 0x21  # of mmap's flags

# System calls that a notebook has no use for: memory that no limit counts (memfd, System V's, a page of two megabytes
# that a pipe holds after its process has let go of it), a look into other processes, parts of the kernel with a history
# of holes, and what two submissions could tell each other through files that both read: watches. Numbers on x86-64 and
# on ARM64.
_REFUSED = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "fanotify_init": (300, 262),
    "inotify_init": (253, 26),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "perf_event_open": (298, 241),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "semget": (64, 190),
    "shmget": (29, 194),
    "splice": (275, 76),
    "tee": (276, 77),
    "vmsplice": (278, 75),
    "userfaultfd": (323, 282),
}
_MMAP, _SETSOCKOPT, _FCNTL, _FLOCK = (9, 222), (54, 208), (72, 25), (73, 32)
# A lock reaches whoever sees the same file, in whatever namespace, and its memory is counted nowhere; a filter sees a
# file's number, and not whose file it is. So no lock is ever taken. Who asks for one is told that it has it: all that
# could hold it is this submission's own, and SQLite and others do nothing without. From <linux/fcntl.h>: SETLK, SETLKW,
# and the same two of an open file's own.
_TAKE_LOCK = (6, 7, 37, 38)
# Who holds a lock, on a file or on an open file; SETLEASE, GETLEASE, NOTIFY.
_LOOK_AT_LOCKS = (5, 36, 1024, 1025, 1026)
_SOL_SOCKET, _SO_SNDBUF, _SO_RCVBUF = 1, 7, 8  # a socket's buffer holds memory that no limit counts
_SOCKET, _FAMILIES = (41, 198), (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: namespaces keep these apart
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class SealError(OSError):
    """A layer that this machine does not give."""


@functools.cache
def _c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.setns.argtypes = [ctypes.c_int, ctypes.c_int]
    library.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    return library


def new_user_namespace() -> None:
    """Move this process into its own user namespace: it has every capability over those made in there, none outside.

    It keeps its user id.
    """
    _unshare("user")


def new_namespaces() -> None:
    """Move this process into its own user, mount, network, IPC, UTS and cgroup namespace, its children into a PID one.

    It keeps its user id, and has every capability over these namespaces and none outside.
    """
    _unshare(*_NEW)
    mount(None, "/", None, _RECURSIVE | _PRIVATE)


def children_join(init: int) -> None:
    """Have the processes that this one forks from now on be in init's PID namespace.

    Args:
        init: a pidfd of PID 1 in there. Its user namespace must have been made within this process's.
    """
    _checked(_c_library().setns(init, _NEW["pid"]), "joining a PID namespace")


def join(init: int) -> None:
    """Move this process into all other namespaces of `init`, see `children_join`. They must be there to stay."""
    _checked(_c_library().setns(init, sum(_NEW.values()) - _NEW["pid"]), "joining namespaces")


def _unshare(*kinds: str) -> None:
    user, group = os.getuid(), os.getgid()
    _checked(_c_library().unshare(sum(_NEW[kind] for kind in kinds)), "new namespaces")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


def no_further_namespaces() -> None:
    """Refuse user namespaces within this one: their owner could mount memory that nobody counts."""
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def mount(what: str | None, where: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount, as mount(2) does."""
    source, target, file_system = (text.encode() if text is not None else None for text in (what, where, kind))
    _checked(_c_library().mount(source, target, file_system, flags, options.encode()), f"mounting {where}")


def memory_folder(where: str, size: int, files: int) -> None:
    """Mount an empty folder of at most `size` bytes and `files` files, kept in memory and gone with the namespace."""
    mount("tmpfs", where, "tmpfs", NO_SUID | NO_DEVICES, f"size={size},nr_inodes={files},mode=0700")


def mounted_below(where: str) -> list[str]:
    """Return the paths below `where` at which something is mounted, without those that lie in another of them."""
    with open("/proc/self/mountinfo", "rb") as file:
        rows = [row.split()[4] for row in file]
    # a blank in a path is written \\040
    paths = {
        re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), row).decode(errors="surrogateescape")
        for row in rows
    }
    below = sorted(path for path in paths if path.startswith(f"{where}/"))
    return [path for path in below if not any(path.startswith(f"{other}/") for other in below)]


def show_again(descriptor: int, where: str) -> None:
    """Mount what was opened as `descriptor`, and all that is mounted in it, at `where` too, as read-only as it was."""
    source = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(source):
        os.makedirs(where, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        os.close(os.open(where, os.O_CREAT | os.O_WRONLY))
    mount(source, where, None, _BIND | _RECURSIVE)


def make_read_only(where: str) -> None:
    """Turn a folder mounted by `memory_folder` read-only."""
    mount(None, where, None, _REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)


def own_terminals(where: str, most: int) -> None:
    """Mount terminals that only this namespace sees, `most` of them."""
    mount("devpts", where, "devpts", NO_SUID | NO_PROGRAMS, f"newinstance,ptmxmode=0666,mode=0600,max={most}")


def close_processes(where: str) -> None:
    """Let what is below a mounted /proc be read, and never written: a process could put itself behind others there."""
    mount(None, where, None, _REMOUNT | _BIND | READ_ONLY | NO_SUID | NO_DEVICES | NO_PROGRAMS)


def hide_memory() -> None:
    """Keep processes without this one's capabilities from reading its memory, environment and open files."""
    _checked(_c_library().prctl(_SET_DUMPABLE, 0, 0, 0, 0), "hiding a process's memory")


def use_large_pages() -> None:
    """Gather this process's memory in pages of 2 MB where the system can: a fork has that many fewer to note down.

    Linux can since 6.1; elsewhere nothing changes.
    """
    with open("/proc/self/maps") as file:
        rows = [row.split() for row in file]
    for row in rows:
        if row[1] == "rw-p" and (len(row) == 5 or row[5] == "[heap]"):
            first, last = (int(address, 16) for address in row[0].split("-"))
            first, last = -(-first // _LARGE) * _LARGE, last // _LARGE * _LARGE
            if first < last:
                _c_library().madvise(first, last - first, _COLLAPSE)


def give_up_privileges() -> None:
    """Give up every capability for good, set-user-ID programs included, and the system calls that are refused."""
    for capability in range(64):
        if _c_library().prctl(_BOUNDING_DROP, capability, 0, 0, 0) < 0 and ctypes.get_errno() != errno.EINVAL:
            _checked(-1, "giving up capabilities")
    _checked(_c_library().prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0), "giving up capabilities")
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION, 0), struct.pack("6I", *[0] * 6)
    _checked(_c_library().capset(header, nothing), "giving up capabilities")
    _checked(_c_library().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "giving up new privileges")
    _refuse_system_calls()
    # The kernel shows the files of a process that changed its capabilities to root alone; the learner's are their own.
    _checked(_c_library().prctl(_SET_DUMPABLE, 1, 0, 0, 0), "showing a process's files to itself")


def untouched_memory() -> int:
    """Return the bytes that this process has asked for and never written to: limits count them, and they cost nothing.

    Importing a torch that is built for CUDA asks for 765 MB so.
    """
    with open("/proc/self/status", "rb") as file:
        kilobytes = {row.split()[0]: int(row.split()[1]) for row in file if row.startswith((b"VmData:", b"RssAnon:"))}
    return 1024 * max(0, kilobytes[b"VmData:"] - kilobytes[b"RssAnon:"])


def set_limits(cpu_seconds: float, memory: int, processes: int, open_files: int, file_size: int) -> None:
    """Set what this process and those it starts may use, sizes in bytes. Not to be raised again."""
    for what, most in (
        (resource.RLIMIT_CPU, int(cpu_seconds) + 1),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (most, most))


def refuses_system_calls() -> bool:
    """Whether the system calls of this machine's processor are known here."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def _refuse_system_calls() -> None:
    """Install a filter: a refused call fails with EPERM; so does one made in another processor mode's numbers.

    So does memory that is shared without a file: it stays when a process says that it no longer needs it, and is then
    counted nowhere. What is shared in files is counted by the folders that they lie in. A lock on a file is not taken,
    and said to be.
    """
    architecture, column = _ARCHITECTURES[platform.machine()]
    numbers = sorted({call[column] for call in _REFUSED.values()})
    commands = (*_TAKE_LOCK, *_LOOK_AT_LOCKS)
    refuse_other = [(_IF_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE | errno.EPERM)]  # x32's numbers
    rules = [
        (_LOAD, 0, 0, 4),  # struct seccomp_data: the architecture is at 4, the number at 0
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_LOAD, 0, 0, 0),
        *refuse_other,
        (_IF_EQUAL, 0, 7, _SETSOCKOPT[column]),
        (_LOAD, 0, 0, 24),  # the lower half of its second argument, the level
        (_IF_EQUAL, 0, 3, _SOL_SOCKET),
        (_LOAD, 0, 0, 32),  # and of its third
        (_IF_EQUAL, 2, 0, _SO_SNDBUF),
        (_IF_EQUAL, 1, 0, _SO_RCVBUF),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_IF_EQUAL, 0, 1, _FLOCK[column]),
        (_RETURN, 0, 0, _REFUSE | _NO_ERROR),
        (_IF_EQUAL, 0, len(commands) + 4, _FCNTL[column]),
        (_LOAD, 0, 0, 24),  # the lower half of its second argument, all that the kernel looks at
        *(
            (_IF_EQUAL, len(commands) - place + (command in _LOOK_AT_LOCKS), 0, command)
            for place, command in enumerate(commands)
        ),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | _NO_ERROR),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_IF_EQUAL, 0, 5, _MMAP[column]),
        (_LOAD, 0, 0, 40),  # the lower half of its fourth argument
        (_AND, 0, 0, _SHARED_ANONYMOUS),
        (_IF_EQUAL, 0, 1, _SHARED_ANONYMOUS),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_IF_EQUAL, 0, len(_FAMILIES) + 3, _SOCKET[column]),
        (_LOAD, 0, 0, 16),  # the lower half of its first argument
        *((_IF_EQUAL, len(_FAMILIES) - place, 0, family) for place, family in enumerate(_FAMILIES)),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        *((_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
    ]
    # struct sock_fprog: how many rules, and where they are
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("HP", len(rules), ctypes.addressof(code)))
    _checked(_c_library().prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0), "refusing system calls")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise SealError(number, f"{what}: {os.strerror(number)}")
