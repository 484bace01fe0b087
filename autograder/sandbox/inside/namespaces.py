"""Linux's interfaces for isolating a process: namespaces, mounts, capabilities, limits, refused system calls.

Called by `autograder.sandbox.inside.zygote`, before any learner's code runs. It needs only the standard library and
Linux. The policy, such as what is mounted and the sizes of limits, is in `autograder.sandbox.inside.zygote`.
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
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED | MAP_ANONYMOUS, flags of mmap

# System calls that notebooks do not need: memory that no limit counts (memfd, System V, huge pages that a pipe keeps
# after its process has unmapped them), access to other processes, kernel subsystems with a history of vulnerabilities,
# and channels between two submissions that can read the same file (watches). The numbers are for x86-64 and ARM64.
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
# Locks affect all processes that can access the file, in any namespace, and no limit counts their memory; a filter sees
# only the number of a descriptor, not the file. So these calls take no lock, but return success: within the sandbox all
# competing processes belong to the same submission, and SQLite and others refuse to work without locks. From
# <linux/fcntl.h>: SETLK, SETLKW, and the same two for open file descriptions.
_TAKE_LOCK = (6, 7, 37, 38)
# GETLK for a process and for an open file description; SETLEASE, GETLEASE, NOTIFY.
_LOOK_AT_LOCKS = (5, 36, 1024, 1025, 1026)
_SOL_SOCKET, _SO_SNDBUF, _SO_RCVBUF = 1, 7, 8  # no limit counts the memory of socket buffers
_SOCKET, _FAMILIES = (41, 198), (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: namespaces isolate these
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class SealError(OSError):
    """A layer of the sandbox does not work on this machine."""


@functools.cache
def _c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.setns.argtypes = [ctypes.c_int, ctypes.c_int]
    library.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    return library


def new_user_namespace() -> None:
    """Move this process into a new user namespace.

    It keeps its user id. It has all capabilities over namespaces that are made within this one, and none outside.
    """
    _unshare("user")


def new_namespaces() -> None:
    """Move this process into new user, mount, network, IPC, UTS and cgroup namespaces, and its children into a PID one.

    It keeps its user id. It has all capabilities over these namespaces, and none outside.
    """
    _unshare(*_NEW)
    mount(None, "/", None, _RECURSIVE | _PRIVATE)


def children_join(init: int) -> None:
    """Put the processes that this one forks from now on into init's PID namespace.

    Args:
        init: a pidfd of PID 1 of that namespace. Its user namespace must be a descendant of this process's.
    """
    _checked(_c_library().setns(init, _NEW["pid"]), "joining a PID namespace")


def join(init: int) -> None:
    """Move this process into all other namespaces of `init`, see `children_join`."""
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
    """Forbid new user namespaces within this one: their owner could mount memory that no limit counts."""
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def mount(what: str | None, where: str, kind: str | None, flags: int, options: str = "") -> None:
    """Call mount(2)."""
    source, target, file_system = (text.encode() if text is not None else None for text in (what, where, kind))
    _checked(_c_library().mount(source, target, file_system, flags, options.encode()), f"mounting {where}")


def memory_folder(where: str, size: int, files: int) -> None:
    """Mount an empty in-memory folder with at most `size` bytes and `files` files, which ends with the namespace."""
    mount("tmpfs", where, "tmpfs", NO_SUID | NO_DEVICES, f"size={size},nr_inodes={files},mode=0700")


def mounted_below(where: str) -> list[str]:
    """Return the mount points below `where`, without those inside another of them."""
    with open("/proc/self/mountinfo", "rb") as file:
        rows = [row.split()[4] for row in file]
    # spaces in paths are written as \\040
    paths = {
        re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), row).decode(errors="surrogateescape")
        for row in rows
    }
    below = sorted(path for path in paths if path.startswith(f"{where}/"))
    return [path for path in below if not any(path.startswith(f"{other}/") for other in below)]


def show_again(descriptor: int, where: str) -> None:
    """Bind-mount the open file or folder `descriptor`, with the mounts inside it, at `where`. It stays read-only."""
    source = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(source):
        os.makedirs(where, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        os.close(os.open(where, os.O_CREAT | os.O_WRONLY))
    mount(source, where, None, _BIND | _RECURSIVE)


def make_read_only(where: str) -> None:
    """Remount a folder of `memory_folder` read-only."""
    mount(None, where, None, _REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)


def own_terminals(where: str, most: int) -> None:
    """Mount pseudo-terminals that only this namespace can see, at most `most` of them."""
    mount("devpts", where, "devpts", NO_SUID | NO_PROGRAMS, f"newinstance,ptmxmode=0666,mode=0600,max={most}")


def close_processes(where: str) -> None:
    """Remount /proc read-only: by writing to it, a process could make the system kill others first."""
    mount(None, where, None, _REMOUNT | _BIND | READ_ONLY | NO_SUID | NO_DEVICES | NO_PROGRAMS)


def hide_memory() -> None:
    """Prevent processes without this one's capabilities from reading its memory, environment and open files."""
    _checked(_c_library().prctl(_SET_DUMPABLE, 0, 0, 0, 0), "hiding a process's memory")


def use_large_pages() -> None:
    """Collapse this process's memory into huge pages of 2 MB, so that forks have smaller page tables to copy.

    Needs Linux 6.1 or newer; otherwise nothing changes.
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
    """Give up all capabilities permanently, even for set-user-ID programs, and install the filter of system calls."""
    for capability in range(64):
        if _c_library().prctl(_BOUNDING_DROP, capability, 0, 0, 0) < 0 and ctypes.get_errno() != errno.EINVAL:
            _checked(-1, "giving up capabilities")
    _checked(_c_library().prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0), "giving up capabilities")
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION, 0), struct.pack("6I", *[0] * 6)
    _checked(_c_library().capset(header, nothing), "giving up capabilities")
    _checked(_c_library().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "giving up new privileges")
    _refuse_system_calls()
    # Changing capabilities makes a process's files in /proc readable only for root; undo that.
    _checked(_c_library().prctl(_SET_DUMPABLE, 1, 0, 0, 0), "showing a process's files to itself")


def untouched_memory() -> int:
    """Return the bytes that this process has reserved but never written to. Limits count them, but they use no memory.

    Importing a CUDA build of torch reserves 765 MB.
    """
    with open("/proc/self/status", "rb") as file:
        kilobytes = {row.split()[0]: int(row.split()[1]) for row in file if row.startswith((b"VmData:", b"RssAnon:"))}
    return 1024 * max(0, kilobytes[b"VmData:"] - kilobytes[b"RssAnon:"])


def set_limits(cpu_seconds: float, memory: int, processes: int, open_files: int, file_size: int) -> None:
    """Set hard limits, sizes in bytes, for this process and the processes that it starts."""
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
    """Whether the filter of system calls supports this machine's processor."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def _refuse_system_calls() -> None:
    """Install a seccomp filter. A refused call fails with EPERM, and so does any call made through another ABI (x32,
    32-bit), whose numbers differ.

    Also refused are other families of sockets, changes of socket buffers, and anonymous shared memory: a process may
    discard its pages (madvise) while they stay allocated, and then no limit counts them. Memory shared through files
    counts towards the size of their folder. Calls that lock a file take no lock, but return success.
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
        (_LOAD, 0, 0, 24),  # the lower half of the second argument, the level
        (_IF_EQUAL, 0, 3, _SOL_SOCKET),
        (_LOAD, 0, 0, 32),  # and of the third
        (_IF_EQUAL, 2, 0, _SO_SNDBUF),
        (_IF_EQUAL, 1, 0, _SO_RCVBUF),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_IF_EQUAL, 0, 1, _FLOCK[column]),
        (_RETURN, 0, 0, _REFUSE | _NO_ERROR),
        (_IF_EQUAL, 0, len(commands) + 4, _FCNTL[column]),
        (_LOAD, 0, 0, 24),  # the lower half of the second argument, the only half that the kernel reads
        *(
            (_IF_EQUAL, len(commands) - index + (command in _LOOK_AT_LOCKS), 0, command)
            for index, command in enumerate(commands)
        ),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | _NO_ERROR),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_IF_EQUAL, 0, 5, _MMAP[column]),
        (_LOAD, 0, 0, 40),  # the lower half of the fourth argument
        (_AND, 0, 0, _SHARED_ANONYMOUS),
        (_IF_EQUAL, 0, 1, _SHARED_ANONYMOUS),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_IF_EQUAL, 0, len(_FAMILIES) + 3, _SOCKET[column]),
        (_LOAD, 0, 0, 16),  # the lower half of the first argument
        *((_IF_EQUAL, len(_FAMILIES) - index, 0, family) for index, family in enumerate(_FAMILIES)),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        *((_IF_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
    ]
    # struct sock_fprog: the number of rules, and their address
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("HP", len(rules), ctypes.addressof(code)))
    _checked(_c_library().prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0), "refusing system calls")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise SealError(number, f"{what}: {os.strerror(number)}")
