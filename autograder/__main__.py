"""The command `autograder`, also as `python -m autograder`."""

from __future__ import annotations

import gc
import sys

from . import fork_server


def main() -> None:
    """Run the command line. Where it will grade, what takes longest to get ready begins first."""
    grades = fork_server.is_for(sys.argv[1:])
    gc.disable()  # imports make hundreds of thousands of objects, and none of them is garbage
    try:
        if grades:
            fork_server.prepare(sandbox="--no-sandbox" not in sys.argv)
        from .cli import main as run

        if grades:
            from . import cluster, grade  # noqa: F401  (what workers need too: before the fork it is imported once)
        gc.freeze()
        gc.enable()
        if grades:
            fork_server.fork()
        run()
    finally:
        fork_server.end()


if __name__ == "__main__":
    main()
