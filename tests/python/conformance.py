"""Where the cases are that others computed, and how a test lists them."""

import json
import os
import pathlib
import unittest

import safetensors

ROOT = pathlib.Path(os.environ.get("LIMELIGHT_CONFORMANCE") or
                    pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance")


def case_folders(suite):
    """The folders of a suite; the test is skipped, by name, where the suite is absent."""
    folder = ROOT / suite
    if not folder.is_dir():
        raise unittest.SkipTest(f"{folder} is not there")
    folders = sorted(case.parent for case in folder.glob("*/case.json"))
    assert folders, f"{folder} holds no case"
    return folders


def load_case(folder):
    return json.loads((folder / "case.json").read_text()), safetensors.load(folder / "case.safetensors")
