#!/usr/bin/env python3
"""A mistake is one line on stderr, exit status 2, and nothing half-written."""

import pathlib
import shutil
import unittest

import program


class Errors(program.WithModel):
    def refused(self, *arguments, named=(), **options):
        done = program.run(*arguments, **options)
        message = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, 2, (arguments, message))
        self.assertEqual(done.stdout, b"", arguments)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertTrue(message.startswith("limelight: "), message)
        for part in named:
            self.assertIn(part, message)

    def explain_refused(self, text, *more, named=()):
        self.refused("explain", text, "--model", str(self.model), *more, named=named)

    def test_texts(self):
        self.explain_refused("", named=["empty"])
        self.explain_refused(" \n ", named=["empty"])
        self.explain_refused(b"light \xff lamp", named=["UTF-8", "0xff"])
        self.explain_refused("light " * 100, named=["48", "window"])

    def test_words_layers_and_heads(self):
        self.explain_refused("The bag was light", "--word", "lamp", named=["lamp", "bag"])
        self.explain_refused("light", "--layer", "2", named=["layer 2", "0 to 1"])
        self.explain_refused("light", "--layer=-1", named=["layer -1"])
        self.explain_refused("light", "--head", "7", named=["head 7", "0 to 1"])
        self.explain_refused("light", "--layer", "first", named=["--layer"])

    def test_options(self):
        self.refused("explain", named=["text"])
        self.refused("explain", "light", "--colour", "red", named=["--colour"])
        self.refused("explain", "light", "--format", "xml", named=["xml"])
        self.refused("shine", named=["shine"])

    def damaged(self, name, change):
        folder = self.folder / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.model, folder)
        path = folder / name
        if change is None:
            path.unlink()
        else:
            path.write_bytes(change(path.read_bytes()))
        self.refused("explain", "light", "--model", str(folder), named=[name])

    def test_folders_that_are_no_models(self):
        self.refused("explain", "light", "--model", str(self.folder / "nowhere"), named=["nowhere"])
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            self.damaged(name, None)
            self.damaged(name, lambda data: b"")
            self.damaged(name, lambda data: data[:len(data) // 2])
            self.damaged(name, lambda data: b"\xff" * 8 + data[8:])

    def test_training(self):
        output = self.folder / "unwritten"
        missing = self.folder / "missing.txt"
        small = ["--output", str(output), *program.SMALL]
        self.refused("train", *small, named=["--text"])
        self.refused("train", "--text", str(self.text), *small, "--width", "33", named=["--width", "34"])
        self.refused("train", "--text", str(self.text), *small, "--steps", "0", named=["--steps"])
        self.refused("train", "--text", str(self.text), "--output", str(self.text / "below"),
                     *program.SMALL, named=["below"])
        self.refused("train", "--text", str(self.text), "--output", str(self.model), *program.SMALL,
                     named=["--resume"])
        self.refused("train", "--resume", "--output", str(self.model), "--steps", "5",
                     named=["--resume"])
        self.refused("train", "--resume", "--output", str(self.folder / "nowhere"), named=["nowhere"])
        done = program.run("train", "--text", str(missing), *small)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"missing.txt", done.stderr)
        self.assertEqual(list(pathlib.Path(output).glob("model*")), [])

    def test_grammars(self):
        self.refused("senses", "--grammar", str(self.folder / "nowhere"), "--write-text", "-",
                     named=["nowhere"])
        broken = self.folder / "grammar"
        broken.mkdir()
        (broken / "light.txt").write_text("word light:\nsense a: b\nbefore:\nno mark here.\n")
        self.refused("senses", "--grammar", str(broken), "--write-text", "-", named=["light.txt:4"])

    def test_a_precision_that_the_machine_has_not(self):
        done = program.run("senses", "--precision", "bf16", environment={"LIMELIGHT_ISA": "portable"})
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(b"precision: bf16 needs a tile unit", done.stderr)
        self.refused("senses", "--precision", "f8", named=["--precision", "bf16"])

    def test_help_and_version_are_no_mistakes(self):
        for arguments in (["--help"], ["--version"], ["explain", "--help"], ["train", "--help"],
                          ["senses", "--help"], []):
            done = program.run(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"limelight", done.stdout)


if __name__ == "__main__":
    unittest.main()
