"""Reads what safetensors_sample writes with nothing but the format's description: a second opinion.

usage: safetensors_reader.py PATH_OF_safetensors_sample
"""

import json
import math
import struct
import subprocess
import sys
import tempfile

CODES = {"F64": "d", "F32": "f", "I64": "q", "U8": "B"}


def read(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length).decode("utf-8")), file.read()
    metadata = header.pop("__metadata__", {})
    tensors, covered = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        code = f"<{math.prod(entry['shape'])}{CODES[entry['dtype']]}"
        assert begin == covered and end - begin == struct.calcsize(code), name
        assert end == begin or (8 + length + begin) % struct.calcsize(code[-1]) == 0, f"{name}: unaligned"
        tensors[name] = (entry["shape"], list(struct.unpack(code, data[begin:end])))
        covered = end
    assert covered == len(data), "bytes of no tensor"
    return tensors, metadata


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/sample.safetensors"
        subprocess.run([sys.argv[1], path], check=True)
        tensors, metadata = read(path)
    expected = {
        "ramp": ([2, 3], [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]),
        "ids": ([3], [-1, 0, 50256]),
        'a "flag"': ([1, 1], [200]),
        "nothing": ([0, 3], []),
        "größe": ([], [3.5]),
    }
    assert tensors == expected, f"expected {expected}, found {tensors}"
    assert metadata == {"format": "pt"}, metadata


main()
