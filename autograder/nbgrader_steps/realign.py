"""nbgrader's step that makes a submission fit the release before anything of it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from ..course.chapter import read_chapter
from ..realign.read_submission import refuse_missing_modules, refuse_newer_python, refuse_other_chapters
from ..realign.realign import realign
from ..realign.release import Release, release_in_class
from ..realign.repairs import FILE, Repair, keep, kept, note
from ..realign.schema import mended

READ = "read"  # a resource that says that `autograder.nbgrader_steps.untrusted` has read and realigned the submission


class Realign(NbGraderPreprocessor):
    """Makes a submission fit the release before anything of it runs. What was mended stands in a cell at its top."""

    solutions = Unicode(help="Folder with the chapters' lessons and declarations.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` realigned, its repairs in its metadata for `KeepRecord`."""
        if READ in resources:
            return nb, resources
        chapter = read_chapter(Path(self.solutions) / resources["nbgrader"]["assignment"])
        release = release_in_class(chapter)
        nb, slips = mended(nb)
        keep(nb, [Repair(FILE, what) for what in slips])
        refuse_other_chapters(nb, release, chapter.name)
        return realigned(nb, release), resources


def realigned(submission: NotebookNode, release: Release) -> NotebookNode:
    """Return `submission` as it is graded: what was mended stands in a cell at its top, and in its metadata.

    Raises:
        NeedsReview: if it has what this Python, or this machine, has not.
    """
    slips = kept(submission)
    done = realign(submission, release)
    refuse_newer_python(done.notebook)
    refuse_missing_modules(done.notebook, release.exercises)
    repairs = (*slips, *done.repairs)
    if repairs:
        done.notebook.cells.insert(0, note(repairs))
    keep(done.notebook, repairs)
    return done.notebook
