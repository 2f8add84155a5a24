"""`python -m study` is `python study/run.py`."""

import sys

from study.run import main

if __name__ == "__main__":
    sys.exit(main())
