"""Looks at processes, which may end at any moment."""

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Return whether it still runs: not a zombie, and not another process with the same id."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def descendants() -> list[psutil.Process]:
    """Return this process's children, their children and so on, as far as they still run."""
    return [child for child in psutil.Process().children(recursive=True) if is_alive(child)]
