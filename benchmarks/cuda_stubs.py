"""Empty libraries in place of NVIDIA's, so that a torch built for CUDA computes on a CPU without 2 GB of them.

Used by `benchmarks/pythons.py` where PyPI has no other build of a version. Linux, gcc and binutils are needed. The
stubs lie beside torch's own libraries, where these look first.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

_NVIDIAS = re.compile(r"^_{0,2}(cu|nv|nccl)")  # how names of NVIDIA's functions begin
_SUCCEEDS = re.compile(r"__cuda|String|ErrorName|Register")  # what is called on import, and must return 0


def write_stubs(torch: Path) -> list[str]:
    """Write a stub for each library that torch wants and this machine lacks. Return their names.

    Args:
        torch: the folder of the package.
    """
    libraries = list((torch / "lib").glob("*.so*"))
    there = {library.name for library in libraries} | set(re.findall(r"(\S+\.so\S*) ", _said("ldconfig", "-p")))
    missing, defined, undefined = set(), set(), set()
    versioned: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for library in libraries:
        missing |= set(re.findall(r"NEEDED.*\[(.*?)\]", _said("readelf", "-dW", library))) - there
        versions = _versions(_said("readelf", "-VW", library))
        for row in _said("nm", "-D", library).splitlines():
            kind, _, symbol = row[17:].partition(" ")  # after the address, or as many spaces
            name, _, version = symbol.partition("@")
            if kind not in ("U", "w", "v"):
                defined.add(name)
            elif version:
                versioned[versions.get(version.lstrip("@"), "")][version.lstrip("@")].add(name)
            elif kind == "U" and _NVIDIAS.match(name):
                undefined.add(name)
    loose = undefined - defined
    for library in sorted(missing):
        _write(torch / "lib" / library, versioned.get(library, {}), loose)
        loose = set()  # in the first of them: which one has a symbol without a version is all the same
    return sorted(missing)


def _versions(told: str) -> dict[str, str]:
    """Return the library by the version of its symbols, from readelf's section on the versions that are needed."""
    found, library = {}, ""
    for row in told[max(0, told.find("Version needs")) :].splitlines():
        if file := re.search(r"File: (\S+)", row):
            library = file[1]
        if name := re.search(r"Name: (\S+)", row):
            found[name[1]] = library
    return found


def _write(path: Path, versioned: dict[str, set[str]], loose: set[str]) -> None:
    names = sorted(loose.union(*versioned.values()))
    code = "".join(f"long {name}(void) {{ return {0 if _SUCCEEDS.search(name) else 100}; }}\n" for name in names)
    path.with_suffix(".c").write_text(code or "int nothing;\n")
    options = ["-w", "-fno-builtin", "-shared", "-fPIC", f"-Wl,-soname,{path.name}"]
    if versioned:
        rows = (f"{version} {{ global: {'; '.join(sorted(found))}; }};\n" for version, found in versioned.items())
        path.with_suffix(".map").write_text("".join(rows))
        options.append(f"-Wl,--version-script={path.with_suffix('.map')}")
    subprocess.run(["gcc", *options, "-o", path, path.with_suffix(".c")], check=True)


def _said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
