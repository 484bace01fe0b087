"""The nbgrader step that realigns a submission with the release before any of its code runs."""

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
from ..realign.repairs import Kind, Repair, repairs_cell, store_repairs, stored_repairs
from ..realign.schema import repaired

READ = "read"  # the resource set if `autograder.nbgrader_steps.untrusted` has realigned the submission already


class Realign(NbGraderPreprocessor):
    """Realigns a submission with the release before any of its code runs. A cell at its top lists the repairs."""

    solutions = Unicode(help="Folder with the chapters' lessons and declarations.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` realigned, with its repairs in its metadata for `KeepRecord`."""
        if READ in resources:
            return nb, resources
        chapter = read_chapter(Path(self.solutions) / resources["nbgrader"]["assignment"])
        release = release_in_class(chapter)
        nb, faults = repaired(nb)
        store_repairs(nb, [Repair(Kind.FILE, what) for what in faults])
        refuse_other_chapters(nb, release, chapter.name)
        return realigned(nb, release), resources


def realigned(submission: NotebookNode, release: Release) -> NotebookNode:
    """Return `submission` realigned for grading. A cell at its top and its metadata list the repairs.

    Raises:
        NeedsReview: if it needs a newer Python, or a module that is not installed.
    """
    before = stored_repairs(submission)
    done = realign(submission, release)
    refuse_newer_python(done.notebook)
    refuse_missing_modules(done.notebook, release.exercises)
    repairs = (*before, *done.repairs)
    if repairs:
        done.notebook.cells.insert(0, repairs_cell(repairs))
    store_repairs(done.notebook, repairs)
    return done.notebook
