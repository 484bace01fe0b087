"""The course's own steps for nbgrader: realign, run and judge, make inert, read and write grades, write the record.

`autograder.class_folder.configure` adds them to a class's nbgrader configuration. The functions in `untrusted` process
learners' notebooks; they run in a separate process with limits.
"""

__all__ = ["execute", "make_inert", "realign", "untrusted"]
