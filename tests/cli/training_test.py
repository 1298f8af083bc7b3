#!/usr/bin/env python3
"""limelight train: killed at any moment it goes on, and ends with the same bits."""

import pathlib
import random
import re
import signal
import subprocess
import time
import unittest

import program

COMPARED = ("model.safetensors", "training_state.safetensors", "tokenizer.json", "config.json")


def contents(folder):
    return {name: (pathlib.Path(folder) / name).read_bytes() for name in COMPARED}


def start(*arguments):
    return subprocess.Popen([program.PROGRAM, "train", *arguments], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)


class Training(program.WithModel):
    STEPS = ("--steps", "600", "--checkpoint-every", "2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole"
        done = program.train(cls.text, cls.whole, *cls.STEPS)
        assert done.returncode == 0, done.stderr.decode()

    def test_the_number_of_threads_changes_no_bit(self):
        for threads in ("1", "3"):
            output = self.folder / f"threads{threads}"
            self.assertEqual(program.train(self.text, output, "--threads", threads).returncode, 0)
            self.assertEqual(contents(output), contents(self.model))

    def test_another_seed_changes_the_weights(self):
        output = self.folder / "seed"
        self.assertEqual(program.train(self.text, output, "--seed", "2").returncode, 0)
        self.assertNotEqual(contents(output)["model.safetensors"],
                            contents(self.model)["model.safetensors"])

    def test_killed_again_and_again_it_ends_with_the_same_bits(self):
        output = self.folder / "killed"
        chance = random.Random(7)
        arguments = ["--text", str(self.text), *program.SMALL, *self.STEPS, "--output", str(output)]
        kills = 0
        for _ in range(60):
            process = start(*arguments)
            time.sleep(chance.uniform(0.02, 0.4))
            process.kill()
            process.stderr.close()
            if process.wait() == 0:
                break
            kills += 1
            # Before its first checkpoint a run is begun again, after it resumed.
            if (output / "training_state.safetensors").exists():
                arguments = ["--resume", "--output", str(output)]
        else:
            done = program.run("train", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertGreater(kills, 2)
        self.assertEqual(contents(output), contents(self.whole))

    def test_ctrl_c_leaves_a_checkpoint(self):
        output = self.folder / "interrupted"
        process = start("--text", str(self.text), *program.SMALL, *self.STEPS, "--steps", "100000",
                        "--output", str(output))
        while not (output / "training_state.safetensors").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, 130, message)
        self.assertIn("--resume", message)

    def test_no_thread_that_computes_handles_ctrl_c(self):
        # A handler's frame would be written over oneDNN's buffers: see StopSignals.
        output = self.folder / "handled"
        process = start("--text", str(self.text), *program.SMALL, *self.STEPS, "--steps", "100000",
                        "--output", str(output))
        while not (output / "training_state.safetensors").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        stop_signals = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1)
        for status in pathlib.Path(f"/proc/{process.pid}/task").glob("*/status"):
            handled = re.search(r"SigCgt:\s*(\w+)", status.read_text()).group(1)
            self.assertEqual(int(handled, 16) & stop_signals, 0)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_a_second_ctrl_c_ends_at_once(self):
        output = self.folder / "impatient"
        process = start("--text", str(self.text), *program.SMALL, *self.STEPS, "--steps", "100000",
                        "--checkpoint-every", "100000", "--validate-every", "1",
                        "--validation-batches", "100000", "--output", str(output))
        time.sleep(1)
        self.assertIsNone(process.poll())
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        process.stderr.close()
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertFalse((output / "training_state.safetensors").exists())

    def test_other_text_is_refused(self):
        text = self.folder / "changing.txt"
        text.write_text(program.SENTENCES * 60)
        output = self.folder / "changing"
        self.assertEqual(program.train(text, output).returncode, 0)
        text.write_text(program.SENTENCES * 61)
        done = program.run("train", "--resume", "--output", str(output))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"fingerprint", done.stderr)

    def test_a_damaged_state_is_refused(self):
        output = self.folder / "hurt"
        self.assertEqual(program.train(self.text, output).returncode, 0)
        state = output / "training_state.safetensors"
        state.write_bytes(state.read_bytes()[:-1000])
        done = program.run("train", "--resume", "--output", str(output))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"training_state", done.stderr)

    def test_it_learns(self):
        output = self.folder / "learned"
        done = program.train(self.text, output, "--steps", "200", "--learning-rate", "1e-2",
                             "--validate-every", "100")
        self.assertEqual(done.returncode, 0)
        last = float(re.search(rb"validation loss ([\d.]+)", done.stdout).group(1))
        self.assertLess(last, 2.0, "an untrained model is at 5.7")

    def test_a_finished_plan_runs_again_to_the_same_bits(self):
        output = self.folder / "again"
        done = program.run("train", "--plan", str(self.model / "training_plan.json"), "--output",
                           str(output))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(contents(output), contents(self.model))


if __name__ == "__main__":
    unittest.main()
