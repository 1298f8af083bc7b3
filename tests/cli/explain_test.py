#!/usr/bin/env python3
"""limelight explain, from outside: its numbers against an independent float64 run, and how they are shown."""

import json
import os
import pty
import subprocess
import unicodedata
import unittest

import numpy as np

import program
import reference_gpt2

MATRICES = ("query", "key", "value", "scores", "weights", "context")
TEXTS = (
    "The lamp gave a warm light",
    "x",
    "naïve café 光 灯 💡🏽 שלום",
    "tab\tand\nnewline </script><img onerror=alert(1)>",
)


def columns_of(line):
    wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
    return wide - sum(1 for c in line if unicodedata.combining(c))


class Explain(program.WithModel):
    def explain(self, text, *more, **options):
        done = program.run("explain", text, "--model", str(self.model), *more, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode()

    def test_every_number_is_that_of_float64(self):
        reference = reference_gpt2.Gpt2(self.model)
        for text in TEXTS:
            for layer in range(2):
                for head in range(2):
                    told = json.loads(self.explain(text, "--format", "json", "--layer", str(layer),
                                                   "--head", str(head)))
                    self.assertEqual((told["layer"], told["head"]), (layer, head))
                    ids = [token["id"] for token in told["tokens"]]
                    expected = reference.run(ids)[0][layer * 2 + head]
                    for name in MATRICES:
                        found = np.array(told[name])
                        np.testing.assert_allclose(found, expected[name], atol=2e-5, err_msg=name)
                    weights = np.array(told["weights"])
                    np.testing.assert_allclose(weights.sum(-1), 1, atol=2e-6)
                    self.assertTrue((weights[np.triu_indices(len(ids), 1)] == 0).all())

    def test_the_guesses_are_the_most_probable_tokens(self):
        told = json.loads(self.explain(TEXTS[0], "--format", "json"))
        logits = reference_gpt2.Gpt2(self.model).run([t["id"] for t in told["tokens"]])[1]
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        order = np.argsort(-probabilities)[:len(told["next"])]
        np.testing.assert_allclose([g["probability"] for g in told["next"]], probabilities[order],
                                   rtol=1e-3)

    def test_numbers_read_back_as_the_same_float(self):
        text = self.explain(TEXTS[0], "--format", "json")
        numbers = json.loads(text, parse_float=str)["query"][0]
        for digits in numbers:
            shortest = np.format_float_positional(np.float32(digits), unique=True)
            self.assertEqual(np.float32(digits), np.float32(shortest))
            self.assertLessEqual(len(digits), 16, "more digits than a float needs")

    def test_the_tokens_are_the_text(self):
        for text in TEXTS:
            told = json.loads(self.explain(text, "--format", "json"))
            pieces = [bytes(t["bytes"]) if "bytes" in t else t["text"].encode() for t in told["tokens"]]
            self.assertEqual(b"".join(pieces).decode(), text)
            self.assertEqual(told["text"], text)

    def test_a_word_is_chosen_and_can_be_asked_for(self):
        told = json.loads(self.explain("The bank was light, they said", "--format", "json"))
        self.assertEqual(told["word"]["text"], "light")
        told = json.loads(self.explain("The bank was light", "--word", "BANK", "--format", "json"))
        self.assertEqual(told["word"]["text"], "bank")

    def test_lines_fit_the_width(self):
        for text in TEXTS[:3]:
            for width in (60, 80, 120):
                out = self.explain(text, environment={"COLUMNS": str(width)})
                for line in out.splitlines():
                    self.assertLessEqual(columns_of(line), width, line)

    def test_no_control_reaches_the_screen(self):
        out = self.explain("tab\tlight\n</script>\x1b[31m\u202e")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\u202e", out)
        self.assertNotIn("\t", out)

    def on_terminal(self, **environment):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [program.PROGRAM, "explain", TEXTS[0], "--model", str(self.model)], stdout=follower,
            env={**os.environ, "TERM": "xterm-256color", **environment})
        os.close(follower)
        out = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            out += piece
        os.close(leader)
        self.assertEqual(process.wait(), 0)
        return out

    def test_colour_only_on_a_terminal_and_not_under_no_color(self):
        self.assertNotIn("\x1b", self.explain(TEXTS[0]))
        self.assertIn(b"\x1b[48;5;", self.on_terminal())
        self.assertNotIn(b"\x1b", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn(b"\x1b", self.on_terminal(TERM="dumb"))

    def test_standard_input(self):
        done = program.run("explain", "-", "--model", str(self.model), "--format", "json",
                           input=TEXTS[0].encode() + b"\n")
        self.assertEqual(json.loads(done.stdout)["text"], TEXTS[0])

    def test_the_folder_has_hugging_faces_form(self):
        config = json.loads((self.model / "config.json").read_text())
        self.assertEqual(config["architectures"], ["GPT2LMHeadModel"])
        names = reference_gpt2.read_safetensors(self.model / "model.safetensors")
        self.assertTrue(all(name.startswith("transformer.") for name in names))
        tokenizer = json.loads((self.model / "tokenizer.json").read_text())
        self.assertEqual(tokenizer["model"]["type"], "BPE")


if __name__ == "__main__":
    unittest.main()
