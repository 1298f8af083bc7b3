"""What pyproject.toml cannot say: limelight._core is built by CMake, and all that is made lies under build/."""

import pathlib
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE / "build" / "pip"
# Beside the presets' folders, so that a compiler cache knows what they compiled.
CMAKE_BUILD = HERE / "build" / f"pip-{sys.implementation.cache_tag}"


class BuildWithCMake(build_ext):
    def build_extension(self, extension):
        settings = {
            "CMAKE_BUILD_TYPE": "Release",
            "LIMELIGHT_BUILD_TESTS": "OFF",
            "LIMELIGHT_BUILD_BENCHMARKS": "OFF",
            "PYTHON_EXECUTABLE": sys.executable,
        }
        try:  # pip's own pybind11 where there is one, else the system's
            import pybind11
            settings["pybind11_DIR"] = pybind11.get_cmake_dir()
        except ImportError:
            pass
        definitions = [f"-D{name}={value}" for name, value in settings.items()]
        subprocess.run(["cmake", "-G", "Ninja", "-S", HERE, "-B", CMAKE_BUILD, *definitions], check=True)
        subprocess.run(["cmake", "--build", CMAKE_BUILD, "--target", "limelight_python"], check=True)
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(str(CMAKE_BUILD / "python" / "limelight" / target.name), str(target))


BUILD.mkdir(parents=True, exist_ok=True)
setup(
    ext_modules=[Extension("limelight._core", sources=[])],
    cmdclass={"build_ext": BuildWithCMake},
    options={"egg_info": {"egg_base": str(BUILD)}, "build": {"build_base": str(BUILD)}},
)
