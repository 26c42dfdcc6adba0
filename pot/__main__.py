"""``python -m pot`` is the ``pot`` command."""

import sys

from pot.cli import main

sys.exit(main())
