"""Many Heads' autograder: what instructors run. It knows notebooks, exams and grades, and nothing of attention."""

import sys

# jsonschema, which reads every notebook, would compile a grammar of international web addresses whenever it is
# imported. That takes as long as importing torch, and no notebook has a field of that kind.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # importing it fails, which jsonschema expects
