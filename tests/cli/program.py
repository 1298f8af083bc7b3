"""The program as a person starts it, and small models for it, made by itself."""

import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["LIMELIGHT_PROGRAM"]

SENTENCES = (
    "The lamp gave a warm light. The bag was light and the lamp was old. She lit the lamp in the dark. "
    "A light wind came from the river, and the boat lay at the bank. The bank lent him the money. "
)

SMALL = ("--vocab-size 300 --context 48 --layers 2 --heads 2 --width 32 --batch 4 --steps 24 --warmup 4 "
         "--validate-every 12 --validation-batches 2 --checkpoint-every 3 --validation-fraction 0.2").split()


def run(*arguments, **options):
    """Runs the program; returns its CompletedProcess with bytes."""
    environment = {**os.environ, "COLUMNS": "80", **options.pop("environment", {})}
    return subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment, check=False, timeout=300, **options)


def write_text(folder, repeats=60):
    path = pathlib.Path(folder) / "text.txt"
    path.write_text(SENTENCES * repeats)
    return path


def train(text, output, *more):
    return run("train", "--text", str(text), "--output", str(output), *SMALL, *more)


class WithModel(unittest.TestCase):
    """A folder for the class, and in it a small model."""

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls._folder.name)
        cls.text = write_text(cls.folder)
        cls.model = cls.folder / "model"
        done = train(cls.text, cls.model)
        assert done.returncode == 0, done.stderr.decode()

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()
