"""Training: what is written is what was trained, for transformers and for llama.cpp alike."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from schemask.cli import main
from schemask.errors import DataError, Error, ModelError
from schemask.schemas import *  # noqa: F403
