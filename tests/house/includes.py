#!/usr/bin/env python3
"""Fails when a room includes what is above it, or a public header what is not public.

usage: includes.py SOURCE_TREE | --self-test
"""

import pathlib
import re
import sys
import tempfile

# A room and the rooms it may include, itself aside.
BELOW = {"base": []}
BELOW["attention"] = ["base"]
BELOW["tokenizer"] = ["base"]
BELOW["checkpoint"] = ["base"]
BELOW["layers"] = ["base", "attention"]
BELOW["model"] = ["base", "attention", "layers", "tokenizer", "checkpoint"]
BELOW["training"] = BELOW["model"] + ["model"]
BELOW["trace"] = BELOW["model"] + ["model"]
BELOW["story"] = BELOW["model"] + ["model", "trace", "training"]
BELOW["faces"] = BELOW["story"] + ["story"]
BELOW["cli"] = BELOW["faces"] + ["faces"]

# The room of each public header that is not named after its own.
PUBLIC = {"error": "base", "result": "base", "dtype": "base", "tensor": "base", "rope": "layers",
          "attention_weights": "attention", "decode": "attention"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
INTRINSICS = re.compile(r"(immintrin|x86intrin|arm_neon|cpuid)\.h$")


def room_of(include):
    """The room that an include leads to; None for what is not ours."""
    parts = pathlib.PurePosixPath(include).parts
    if parts[0] == "limelight":
        name = pathlib.PurePosixPath(parts[1]).stem
        return PUBLIC.get(name, name)
    return parts[0] if parts[0] in BELOW and len(parts) > 1 else None


def includes_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".h", ".cpp"))


def check_rooms(tree):
    for folder in sorted(p for p in (tree / "src").iterdir() if p.is_dir()):
        room = folder.name
        if room not in BELOW:
            yield f"src/{room}: is no room of the house; add it to {pathlib.Path(__file__).name}"
            continue
        for path in sources(folder):
            for number, _, include in includes_of(path):
                target = room_of(include)
                if target and target != room and target not in BELOW[room]:
                    yield (f"{path.relative_to(tree)}:{number}: {room} includes {include}, of the room "
                           f"{target}; it may include only {', '.join(BELOW[room]) or 'itself'}")


def check_public(tree):
    for path in sources(tree / "include"):
        name = PUBLIC.get(path.stem, path.stem)
        if name not in BELOW:
            yield f"{path.relative_to(tree)}: belongs to no room; say which in PUBLIC"
        for number, bracket, include in includes_of(path):
            own = include.startswith("limelight/")
            standard = bracket == "<" and "/" not in include and not include.endswith(".h")
            if not own and not standard or INTRINSICS.search(include):
                yield (f"{path.relative_to(tree)}:{number}: a public header includes {include}; expected "
                       f"<limelight/...> or the standard library")


def check(tree):
    return list(check_rooms(tree)) + list(check_public(tree))


def self_test():
    """Plants one violation of each kind, and expects to be told of exactly it."""
    planted = {
        "src/base/a.cpp": '#include "layers/linear.h"\n',
        "src/tokenizer/a.cpp": '#include "attention/attention_shape.h"\n',
        "src/model/a.cpp": "#include <limelight/story.h>\n",
        "src/attic/a.cpp": "int a;\n",
        "include/limelight/tensor.h": "#include <fmt/format.h>\n",
        "include/limelight/dtype.h": "#include <immintrin.h>\n",
    }
    innocent = {
        "src/model/b.cpp": '#include "layers/linear.h"\n#include <limelight/tensor.h>\n#include <vector>\n',
        "include/limelight/error.h": "#include <string>\n",
    }
    for name, text in planted.items():
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            (tree / "src").mkdir()
            for other, content in {**innocent, name: text}.items():
                (tree / other).parent.mkdir(parents=True, exist_ok=True)
                (tree / other).write_text(content)
            found = check(tree)
            place = "src/attic" if name.startswith("src/attic") else name
            if len(found) != 1 or not found[0].startswith(place):
                sys.exit(f"planted a violation in {name}, was told: {found}")
    print(f"{len(planted)} planted violations found")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = check(pathlib.Path(sys.argv[1]))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
