"""`python -m schemask`: the command."""

import sys

from schemask.cli import main

sys.exit(main())
