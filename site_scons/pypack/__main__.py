"""``python -m pypack`` is the command ``pypack``."""

import sys

from pypack.cli import main

sys.exit(main())
