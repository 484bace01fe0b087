"""Makes the course's site: the lessons, the guides and the API as web pages, by Sphinx and myst-nb.

`build.build_site` writes Sphinx's source from the files of the repository and runs Sphinx. Nothing of the site is
written by hand a second time, and none of its files is committed.
"""

__all__ = ["build"]
