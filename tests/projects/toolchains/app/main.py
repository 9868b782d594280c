"""Packages that other tools than the C compiler build: their modules work, and their program is beside Python."""

import subprocess
import sys
from pathlib import Path

import by_cmake
import by_meson

print(by_cmake.answer(), by_meson.answer())
subprocess.run([Path(sys.executable).with_name("by-rust")], check=True)
