#!/usr/bin/env python3
"""Starts the verifier as a program of its own; see verifier/main.py."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.exit(import_module("verifier.main").main())
