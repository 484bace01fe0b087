"""The course's own steps among nbgrader's: realign, run and judge, make inert, keep a record.

`autograder.class_folder.configure` enters them in a class's `nbgrader_config.py`. `untrusted` is the part of
them that reads what a learner wrote, in a process that may die of it.
"""

__all__ = ["execute", "make_inert", "realign", "untrusted"]
