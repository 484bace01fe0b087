"""The command `autograder`, also as `python -m autograder`."""

from __future__ import annotations

import sys

from . import fork_server


def main() -> None:
    """Run the command line. Where it will grade, what takes longest to get ready begins first."""
    grades = fork_server.is_for(sys.argv[1:])
    try:
        if grades:
            fork_server.prepare(sandbox="--no-sandbox" not in sys.argv)
        from .cli import main as run

        if grades:
            _import_all()
            fork_server.fork()
        run()
    finally:
        fork_server.end()


def _import_all() -> None:
    """Import what grading takes, here and in workers: whatever is imported before the fork is imported once."""
    import jupytext  # noqa: F401

    import manyheads.check  # noqa: F401

    from . import cluster, collect, doctor, grade, results, score_table  # noqa: F401


if __name__ == "__main__":
    main()
