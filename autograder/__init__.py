"""Many Heads' autograder: what instructors run. It knows notebooks, exams and grades, and nothing of attention."""
