"""limelight cpu: what it says agrees with /proc/cpuinfo, with LIMELIGHT_ISA, and with itself."""

import json
import pathlib
import platform
import unittest

import program


class Cpu(unittest.TestCase):
    def report(self, **environment):
        done = program.run("cpu", "--format", "json", environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    @unittest.skipUnless(platform.machine() == "x86_64", "feature bits of x86-64")
    def test_features_are_those_that_the_kernel_lists(self):
        flags = pathlib.Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
        features = self.report()["features"]
        self.assertGreater(len(features), 5)
        for feature in features:
            if feature["name"] in flags:
                self.assertTrue(feature["reported"], feature)
                self.assertTrue(feature["enabled"], feature)
            if not feature["reported"]:
                self.assertNotIn(feature["name"], flags)

    def test_amx_is_told_once(self):
        report = self.report()
        features = {feature["name"]: feature["reported"] for feature in report["features"]}
        for name in ("tile", "bf16", "int8"):
            self.assertEqual(report["amx"][name], features.get("amx_" + name, False))
        cap = "capped below AMX" in report["used"][2]["reason"]
        self.assertEqual(cap, report["amx"]["tile"] and not report["amx"]["palettes"])

    def test_the_instruction_set_is_the_one_named(self):
        available = self.report()["instruction_sets"]
        for name in available:
            used = self.report(LIMELIGHT_ISA=name)["used"]
            self.assertEqual(used[0]["uses"], name)
            self.assertEqual("named by LIMELIGHT_ISA" in used[0]["reason"], name != available[0])
        self.assertEqual(self.report()["used"][0]["uses"], available[0])

    def test_tiles_are_used_or_it_says_why_not(self):
        report = self.report()
        tiles = report["used"][-1]
        for unit in ("amx", "avx512_bf16"):
            if unit in report["instruction_sets"]:
                self.assertEqual(self.report(LIMELIGHT_ISA=unit)["used"][-1]["uses"], unit)
            else:
                done = program.run("cpu", environment={"LIMELIGHT_ISA": unit})
                self.assertEqual(done.returncode, 2)
                reason = done.stderr.decode().rpartition(": ")[2].strip()
                self.assertRegex(reason, "processor|kernel|system|product|x86-64")
                if tiles["uses"] == "none":
                    self.assertIn(reason, tiles["reason"])
        vectors = [isa for isa in report["instruction_sets"] if isa not in ("amx", "avx512_bf16")]
        below = self.report(LIMELIGHT_ISA=vectors[0])["used"][-1]
        self.assertEqual(below["uses"], "none")
        if tiles["uses"] != "none":
            self.assertEqual(below["reason"], "LIMELIGHT_ISA names another")
        if tiles["uses"] == "amx":
            self.assertTrue(report["amx"]["process_permitted"])

    def test_text(self):
        done = program.run("cpu")
        self.assertEqual(done.returncode, 0)
        report = self.report()
        for part in (report["processor"], "Found", "arch_prctl", "Used", report["used"][2]["reason"]):
            self.assertIn(part, done.stdout.decode())

    def test_mistakes_are_one_line(self):
        for arguments, environment, named in ((["--format", "xml"], {}, b"xml"),
                                              ([], {"LIMELIGHT_ISA": "mmx"}, b"LIMELIGHT_ISA")):
            done = program.run("cpu", *arguments, environment=environment)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, b"")
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertIn(named, done.stderr)


if __name__ == "__main__":
    unittest.main()
