"""Look at processes that may end while one looks."""

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Return whether it still runs: no zombie, and not another that was given its number."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def descendants() -> list[psutil.Process]:
    """Return this process's children, their children and so on, as far as they still run."""
    return [child for child in psutil.Process().children(recursive=True) if is_alive(child)]
