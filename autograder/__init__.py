"""Many Heads' autograder, for instructors. It handles notebooks, exams and grades; it knows nothing about attention."""
